"""Plain Python behind the pipelines: rules, configuration, templates, the stand-in cluster. Never imports airflow."""
