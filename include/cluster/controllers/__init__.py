"""Controllers: each compares what is asked with what is, and writes the difference."""
