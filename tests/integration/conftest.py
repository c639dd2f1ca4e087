"""Which servers may an integration test ask for?"""

from tests.integration.postgres import (
    _database_numbers,
    postgres_execute,
    postgres_server,
    postgres_url,
)
from tests.integration.prefect_server import (
    prefect_deployments,
    prefect_environment,
    prefect_server,
)

__all__ = [
    "_database_numbers",
    "postgres_execute",
    "postgres_server",
    "postgres_url",
    "prefect_deployments",
    "prefect_environment",
    "prefect_server",
]
