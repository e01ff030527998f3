"""The embedded stand-in cluster: the part of the Kubernetes HTTP API that the DAGs use, with containers as local processes.

It is for demos and tests on a machine that has neither Docker nor a cluster. It is never the production path:
at work the same DAGs, clients and conformance tests run against a real cluster.
"""
