"""The demo: an embedded cluster, Airflow's four components, and two releases of the sample shop."""
