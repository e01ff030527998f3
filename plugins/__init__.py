"""What the DAGs add to Airflow: hooks, operators and triggers.

Airflow imports each file of this folder that ``.airflowignore`` does not name, in every component, at start.
"""
