"""Which scheduled procedures did not run, or did not end, when they should have."""
