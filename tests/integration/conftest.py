"""Which servers may an integration test ask for?"""

from tests.integration.postgres import (
    _database_numbers,
    postgres_execute,
    postgres_server,
    postgres_url,
)

__all__ = ["_database_numbers", "postgres_execute", "postgres_server", "postgres_url"]
