"""Carrying a Job: one command in a pod, from its manifest to its end, however often it is asked for."""
