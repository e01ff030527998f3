"""The process beside each container: makes its namespaces and root, keeps its log, runs probes inside it.

It is started with ``python -I -S`` and imports only what it needs of the standard library, so that a container starts
in tens of milliseconds.
"""
