"""The node: runs containers as local process groups and reports their status.

Import :class:`include.cluster.node.node.Node`; this package stays empty so that a container's shim starts fast.
"""
