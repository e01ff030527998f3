"""Migrations of release 2."""
