"""The node: runs containers as local process groups and reports their status."""
