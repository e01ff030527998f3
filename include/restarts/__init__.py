"""Restarts of containers: counted, explained, and answered by the big red button."""
