"""Measurements: what the release DAG costs beside a script, and whether the shop answers meanwhile."""
