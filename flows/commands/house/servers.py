"""How are the servers of a home started, all together, and ended?"""

from __future__ import annotations

import logging

import click

_PORT = click.IntRange(1, 65_535)


@click.command()
@click.option(
    "--prefect-port", type=_PORT, help="Prefect's port (default 4200, or the next free one)."
)
@click.option(
    "--mlflow-port", type=_PORT, help="MLflow's port (default 5000, or the next free one)."
)
def up(prefect_port: int | None, mlflow_port: int | None) -> None:
    """Run everything the live loop needs: Prefect's server, a worker, every deployment, and MLflow.

    In the foreground, on this machine alone (127.0.0.1), all state below RATCHET_HOME; what dies is
    started again, and runs that were killed are closed. Ctrl-C ends it, and leaves nothing behind.
    """
    from configs.settings import load_settings
    from flows.verbs.house.servers import Ports
    from flows.verbs.house.servers import up as run

    # Alerts are logged too, and are told here as they come, with their time.
    told = logging.getLogger("ratchet")
    told.propagate = False
    told.addHandler(logging.NullHandler())  # without any, Python prints warnings by itself
    settings = load_settings()
    servers = settings.servers
    ports = Ports(prefect_port or servers.prefect_port, mlflow_port or servers.mlflow_port)
    run(settings, ports, _say)


@click.command()
def down() -> None:
    """End the `ratchet up` that runs on this home, from elsewhere."""
    from configs.places import ratchet_home
    from flows.verbs.house.servers import down as end

    home = ratchet_home()
    if end(home, _say):
        click.echo("Nothing is left running.")
    else:
        click.echo(f"`ratchet up` does not run on {home}.")


def _say(line: str) -> None:
    """A line with its time: what happens while `up` runs is read the morning after."""
    from datetime import UTC, datetime

    from configs.masking import masked

    click.echo(f"{datetime.now(UTC):%H:%M:%S}  {masked(line)}")


COMMANDS = (up, down)
