"""Which part of a text may nobody read: passwords, tokens and signed parameters of any address?

Every message, log line, alert, tag and page that could quote an address goes through `masked`. It
knows no list of vendors: whatever stands in the query of an address is hidden unless its name says
that it is harmless, because a signature may be called anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK = "***"

_HARMLESS = frozenset(
    {
        "application_name", "charset", "check_same_thread", "client_encoding", "connect_timeout",
        "dbname", "driver", "encoding", "host", "hostaddr", "keepalives", "mode", "port", "region",
        "schema", "sslmode", "target_session_attrs", "timeout", "uri", "versionid",
    }
)  # fmt: skip
"""Query parameters that tell where and how, and let nobody in."""

_SECRET_NAME = (
    r"[\w.%-]{0,40}(?:pass(?:word|wd|phrase|code)|pwd|secret|token|signature|credential|cookie|"
    r"authorization|connection[_-]?string|(?:api|access|account|private|shared|signing|auth)"
    r"[_.-]?key)[\w.%-]{0,40}|pass|key|sig|sv|jwt|sas|awsaccesskeyid|googleaccessid|key-pair-id"
)
_MASKED = r"\*\*\*(?:[\s.,;:)&'\"\]}]|$)"
_QUOTED = r"'(?:\\.|''|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\{[^{}]*\}"

_ADDRESS = re.compile(r"[A-Za-z][\w+.-]{0,40}:(?://|/(?=[^\s/])|(?=[\w.-]{1,200}[?]))\S*")
_ENCODED_ADDRESS = re.compile(r"(?i)[a-z][\w+.-]{0,40}%3a%2f%2f[^\s'\"<>&]*")
_PAIR = re.compile(
    rf"(?ix)(?<![\w%])(?P<name>(?:{_SECRET_NAME}))(?P<is>['\"]?\s*=\s*|['\"]\s*:\s*)"
    rf"(?!{_MASKED})(?P<value>{_QUOTED}|(?:\\.|[^\s&;,'\"])+)"
)
_WORD_AND_COLON = re.compile(
    rf"(?ix)(?<![\w%])(?P<name>[\w.-]{{0,40}}(?:password|passwd|passphrase|pwd|secret|api[_-]?key)[\w-]{{0,40}})"
    rf"(?P<is>:[ \t]*)(?!{_MASKED})(?P<value>{_QUOTED}|(?!\s)[^\s&;,]+)(?=\s*(?:$|[\n,;}}]))"
)
_SCHEME_AND_TOKEN = re.compile(r"(?i)\b(bearer|basic)\s+(?=[\w.~+/=-]*[\d=])[\w.~+/=-]{6,}")
_SIGNED = re.compile(r"[?#]")
_FILES = ("sqlite", "duckdb", "file")  # their paths may hold a `?` of their own


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the passwords, tokens and signed parameters in it.

    Hidden are the password before an `@` in an address (of a web address the user, too: it may be a
    token), every query parameter and fragment of an address but the harmless ones, `password=...`
    and its like in connection strings, JSON and YAML, `Bearer ...`; plain or percent-encoded.

    Args:
        secrets: what else must not be read, in any of its spellings (see `secrets_of`).
    """
    for secret in sorted({one for given in secrets for one in _spellings(given)}, key=len)[::-1]:
        text = text.replace(secret, MASK)
    text = _ENCODED_ADDRESS.sub(lambda found: _encoded_address(found[0]), text)
    text = _ADDRESS.sub(lambda found: _address(found[0]), text)
    text = _PAIR.sub(_pair, text)
    text = _WORD_AND_COLON.sub(_pair, text)
    return _SCHEME_AND_TOKEN.sub(rf"\1 {MASK}", text)


def masked_leaves(value: Any) -> Any:
    """Plain values with every text among them masked; keys and numbers stay as they are."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {name: masked_leaves(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked_leaves(one) for one in value]
    return value


def secrets_of(address: str) -> tuple[str, ...]:
    """What an address keeps to itself, so that it can be hidden in what a driver says about it."""
    found = [match["value"].strip("'\"{}") for match in _PAIR.finditer(address)]
    for one in _ADDRESS.findall(address):
        said = one.partition("://")[2] or one.partition(":")[2]
        authority = _authority(said)
        if "@" in authority:
            user, colon, password = authority.rpartition("@")[0].partition(":")
            found.append(password if colon else user if _is_web(one) else "")
        try:
            query = urlsplit(one).query
        except ValueError:
            query = one.partition("?")[2]
        found += [
            value
            for name, value in parse_qsl(query, keep_blank_values=False)
            if name.lower() not in _HARMLESS
        ]
    return tuple(dict.fromkeys(one for one in found if one and one != MASK))


def _address(said: str) -> str:
    """One address: who gets in, and what is signed, is hidden."""
    # Quotes and stops after an address belong to the sentence.
    whole, said = said, said.rstrip(")]}'\",.;:")
    ending = whole[len(said) :]
    scheme, slashes, rest = said.partition("://")
    if slashes:
        authority = _authority(rest)
        shown = authority
        if "@" in authority:
            who, _, host = authority.rpartition("@")
            user, colon, _ = who.partition(":")
            if colon:
                shown = f"{MASK if _is_web(said) else user}:{MASK}@{host}"
            elif _is_web(said):
                shown = f"{MASK}@{host}"
        said = f"{scheme}://{shown}{rest[len(authority) :]}"
    place, mark, query = _cut(said)
    in_a_path = scheme.lower().startswith(_FILES) and "=" not in query
    if not mark or in_a_path:
        return said + ending
    return f"{place}{mark}{_query(query)}{ending}"


def _authority(rest: str) -> str:
    """What stands before the path. A password may hold `/`, `?`, `#` or `@` that nobody encoded, so
    everything up to the last `@` counts as one: rather a path too much is hidden."""
    plain = re.match(r"[^/?#\s]*", rest)
    first = plain[0] if plain else ""
    colon, last = first.find(":"), rest.rfind("@")
    if "@" in first and "@" not in rest[len(first) :]:
        return first
    if last >= 0 and colon >= 0:
        tail = re.match(r"[^/?#\s]*", rest[last + 1 :])
        return rest[: last + 1 + (len(tail[0]) if tail else 0)]
    return first


def _cut(said: str) -> tuple[str, str, str]:
    found = _SIGNED.search(said)
    if found is None:
        return said, "", ""
    return said[: found.start()], found[0], said[found.end() :]


def _query(query: str) -> str:
    kept = []
    for pair in re.split(r"([&;#])", query):
        name, equals, _ = pair.partition("=")
        if pair in ("&", ";", "#", "") or (equals and unquote(name).lower() in _HARMLESS):
            kept.append(pair)
        else:
            kept.append(f"{name}={MASK}" if equals else MASK)
    return "".join(kept)


def _encoded_address(said: str) -> str:
    plain = unquote(said)
    told = _address(plain)
    return said if told == plain else quote(told, safe="*")


def _is_web(address: str) -> bool:
    scheme = address.partition(":")[0].lower()
    return scheme.rpartition("+")[2] in ("http", "https", "ws", "wss", "ftp", "ftps")


def _pair(found: re.Match[str]) -> str:
    return f"{found['name']}{found['is']}{MASK}"


def _spellings(secret: str) -> set[str]:
    plain = unquote(secret)
    quoted = {quote(plain, safe=""), quote(plain), quote_plus(plain), repr(plain)[1:-1]}
    # One letter is in every word.
    return {one for one in {secret, plain, *quoted} if len(one) > 1}
