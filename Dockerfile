# The official Airflow image with what requirements.txt pins; docker-compose.yaml builds it.
FROM apache/airflow:3.3.2-python3.12
COPY --chown=airflow:0 requirements.txt /opt/airflow/requirements.txt
# The image has its own set of pinned packages; a virtual environment of ours keeps the demo's pins exact.
RUN python -m venv /home/airflow/project \
    && /home/airflow/project/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /opt/airflow/requirements.txt
ENV PATH=/home/airflow/project/bin:$PATH
