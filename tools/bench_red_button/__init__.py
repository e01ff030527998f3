"""Measurements of the red button: from the status write that crosses the threshold to zero replicas."""
