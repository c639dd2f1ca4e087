"""What happens: flows, the verbs they are made of, and the adapters that touch the world."""

import os

# Nothing leaves the machine unless somebody asks for it; MLflow accepts only the word "true".
# Set before Prefect or MLflow is imported, and never over what a person has set.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

# By default MLflow asks a server that is away for minutes, and draws a bar for every file.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# Threads that spin while they wait make training four times as slow beside any other job.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
