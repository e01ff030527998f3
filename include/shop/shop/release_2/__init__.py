"""What only builds of release 2 have."""
