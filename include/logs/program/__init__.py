"""The program that cleans up logs where they are: standard library only, Python 3.9 and later.

It is shipped as a package of its own (``logcleanup``) into the pod that mounts the volume, so its modules
import one another relatively and nothing else of the project.
"""
