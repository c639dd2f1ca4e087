"""Does an address take what is posted to it, without leading us to a server of our own network?

No redirect is followed and no proxy is asked. The host is looked up once, every address it has must be
a public one (unless the host is named), and the connection goes to an address that was checked: a name
that answers otherwise the second time (DNS rebinding) leads nowhere. Every wait is bounded.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Collection
from typing import Any, Literal

import httpx

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotPublic(Exception):
    """A host has an address of a private network; its message says what helps."""


def call(
    method: Literal["GET", "POST"],
    url: str,
    content: dict[str, Any] | None,
    *,
    allow_private: Collection[str],
    seconds: float,
) -> str:
    """Send one request; why it was not taken, or "". Neither names the address: it may hold a token.

    Args:
        content: posted as JSON; None: nothing is.
        allow_private: hosts that may lie in a private network.
        seconds: for each step of the connection; all together take twice as long and a bit at most.
    """
    return bounded(lambda: _call(method, url, content, allow_private, seconds), 2.0 * seconds + 3.0)


def bounded(act: Callable[[], str], seconds: float) -> str:
    """What `act` says, or that it took too long: a server that drips is given up, too."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0] if said else "it took too long"


def public_addresses(host: str, port: int, allow_private: Collection[str]) -> list[str]:
    """The addresses of a host, each checked.

    Raises:
        NotPublic: one of them is not public, and the host is not named.
        OSError: the name cannot be looked up.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    named = host.lower().rstrip(".") in {one.lower().rstrip(".") for one in allow_private}
    if not named and not all(map(is_public, addresses)):
        raise NotPublic(
            "its host has an address of a private network; name the host under alerts.allow_private "
            "where that is meant"
        )
    return addresses


def is_public(address: str) -> bool:
    """Whether an address lies in the public network, whatever IPv6 form it is wrapped in."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast


def _call(
    method: str,
    url: str,
    content: dict[str, Any] | None,
    allow_private: Collection[str],
    seconds: float,
) -> str:
    try:
        asked = httpx.URL(url)
        port = asked.port or (443 if asked.scheme == "https" else 80)
        host = asked.raw_host.decode("ascii")
        why = "no address"
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=seconds) as client:
            for address in public_addresses(host, port, allow_private):
                try:
                    # Streamed: only the answer's status counts, however much it goes on to say.
                    with client.stream(
                        method,
                        asked.copy_with(host=address),
                        json=content,
                        headers={"Host": asked.netloc.decode("ascii")},
                        extensions={"sni_hostname": host},  # the certificate must be the host's
                    ) as answer:
                        return "" if answer.is_success else f"status {answer.status_code}"
                except httpx.ConnectError as problem:
                    why = type(problem).__name__
        return why
    except NotPublic as refused:
        return str(refused)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as problem:
        return type(problem).__name__
