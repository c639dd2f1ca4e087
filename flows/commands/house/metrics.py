"""What may be watched from outside?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flows.commands.options import FILE
from flows.commands.output import say


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Serve on this port of 127.0.0.1 (default 9464)."
)
@click.option(
    "--to", type=FILE, help="Write them once to a file (.prom), for a textfile collector."
)
def metrics(port: int | None, to: Path | None) -> None:
    """Hand figures to a scraper: last good night, rows, holds, boundary, guard, proposals, alerts.

    Served on this machine only, until it is stopped; no figure holds a row or the id of a case.
    """
    from flows.adapters.files.files import write_atomically
    from flows.adapters.servers.prometheus import HOST, exposition, serve
    from flows.verbs import live
    from flows.verbs.record.metrics import samples

    if port is not None and to is not None:
        raise click.UsageError("--port serves and --to writes once: give one of them.")
    services = live.open_services()
    if to is not None:
        content = exposition(lambda: samples(services, datetime.now(UTC)))
        write_atomically(to, lambda file: file.write(content), mode=0o644)
        return
    server, thread = serve(
        lambda: samples(services, datetime.now(UTC)), 9464 if port is None else port
    )
    say(f"Figures at http://{HOST}:{server.server_port}/metrics; Ctrl-C ends it.")
    try:
        thread.join()
    finally:
        server.shutdown()


COMMANDS = (metrics,)
