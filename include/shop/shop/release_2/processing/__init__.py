"""The order processor (ticket 201, Design Doc 5247)."""
