"""How are figures handed to whoever scrapes them: as a file, or by a server of this machine only?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any, Protocol
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily

from configs.errors import GateRefused, ServiceUnreachable, UserError

HOST = "127.0.0.1"


class Figure(Protocol):
    """One number with a name, what it says, and what it is about."""

    @property
    def name(self) -> str: ...
    @property
    def says(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def labels(self) -> dict[str, str]: ...


def exposition(collect: Callable[[], Sequence[Figure]]) -> bytes:
    """The figures in the text format that a scraper reads."""
    return bytes(generate_latest(_registry(collect)))


def serve(collect: Callable[[], Sequence[Figure]], port: int) -> tuple[WSGIServer, Thread]:
    """Answer scrapes on this machine's own address; figures are collected at each scrape.

    Raises:
        ServiceUnreachable: the port is taken.
    """
    try:
        return start_http_server(port, addr=HOST, registry=_registry(collect))
    except OSError as error:
        raise ServiceUnreachable(
            f"Port {port} of {HOST} cannot be used: {error.strerror}. Name another one by --port."
        ) from None


def _registry(collect: Callable[[], Sequence[Figure]]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(collect))
    return registry


class _Collector:
    def __init__(self, collect: Callable[[], Sequence[Figure]]) -> None:
        self._collect = collect

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("ratchet_up", "1 when the home could be read")
        try:
            figures = self._collect()
        except (UserError, GateRefused, ServiceUnreachable, OSError) as problem:
            logging.getLogger("ratchet").error("The figures cannot be read: %s", problem)
            up.add_metric([], 0.0)
            yield up
            return
        up.add_metric([], 1.0)
        yield up
        families: dict[str, GaugeMetricFamily] = {}
        for one in figures:
            if one.name not in families:
                families[one.name] = GaugeMetricFamily(one.name, one.says, labels=[*one.labels])
            families[one.name].add_metric([*one.labels.values()], one.value)
        yield from families.values()
