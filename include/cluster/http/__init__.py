"""The Kubernetes HTTP API in front of the registry."""
