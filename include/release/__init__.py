"""The rules of a release: what a spec says, what is checked, what is applied, how a rollout is judged.

Nothing here imports Airflow; the Kubernetes API is reached through a client that the caller hands in.
"""
