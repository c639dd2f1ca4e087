"""MLflow: the model registry, its runs, and folders that it serves. No other room imports it."""
