"""How does alembic carry out steps on the connection that `flows.adapters.sql.migrate` hands it?

That connection is in a transaction already, and holds the lock: either every step is committed, or
none. Alembic runs this file; nobody imports it.
"""

from alembic import context

from flows.adapters.files.kill_points import kill_point

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    on_version_apply=lambda **_: kill_point("migrate.after_step"),
)
context.run_migrations()
