"""Does a portable certificate prove what it says? One file; it needs Python and nothing else.

    python certificate_verifier.py CERTIFICATE.json [--key HEX] [--at MOMENT]

Everything that can be computed again is: the table of looks with exact binomials, which promise each
count keeps, the policy's name, the digests. The signature is Ed25519 (RFC 8032); `--key` is the issuer's
public key, which must come by another way than the certificate. Exit code 0: it holds; 3: it does not,
and each reason is a sentence; 2: there was nothing to verify. Copy this file wherever it is needed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

FORMAT = "ratchet.certificate/1"
_KEYS = frozenset(
    [
        "format",
        "case_type",
        "issued_at",
        "valid_until",
        "speaks_of",
        "policy",
        "policy_id",
        "boundary",
        "model_digest",
        "targets",
        "delta",
        "growth",
        "proofs",
        "evidence",
        "ledger",
        "digest",
        "signature",
    ]
)
_SIDES = {
    "recall": ("pass", "pass_at_or_below"),
    "false_omission_rate": ("pass", "pass_at_or_below"),
    "precision": ("block", "block_at_or_above"),
}
_TINY = 1e-9
_MOST_LOOKS, _MOST_CASES, _MOST_WORK = 400, 10_000_000, 100_000_000
"""Beyond it, which no honest certificate comes near, a file is refused rather than computed for hours."""
_MOST_PLACES = 10_000
"""Powers of the growth that are tried for a table's sizes; 400 looks by 1.05 need some 420."""
_LASTS = timedelta(days=90)
_LONGEST = 500
"""Signs of a line: what a file says reaches a terminal only so far."""
_DEVIATIONS, _COUNTS = 9.0, 30
"""Errors farther from their mean, in standard deviations and counts, together have a probability below 1e-17."""


class NotOne(ValueError):
    """The text is no certificate of this format; the message says why."""


def verify(text: str, now: datetime, key: str | None = None) -> list[str]:
    """Why a certificate must not be relied on at a moment, a sentence each; empty: it holds.

    Args:
        text: the file. now: tz-aware.
        key: the issuer's public key in hex; None: any key, so that nothing says who signed.
    """
    try:
        told = _read(text)
        checks = (_digest, _signature, _policy, _proofs, _forms)
        wrong = [why for check in checks for why in check(told)]
        wrong = [*wrong, *_issuer(told, key), *_time(told, now)]
    except NotOne as why:
        wrong = [f"This is no certificate of the format {FORMAT}: {why}."]
    except RecursionError:
        wrong = [f"This is no certificate of the format {FORMAT}: it is nested too deeply."]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as odd:
        wrong = [f"This is no certificate of the format {FORMAT}: {type(odd).__name__} ({odd})."]
    return [_plain(why) for why in wrong]


def report(text: str, now: datetime, key: str | None = None) -> tuple[bool, list[str]]:
    """Whether it may be relied on, and the lines that say why not, or what it proves.

    Args: as of `verify`.
    """
    wrong = verify(text, now, key)
    if wrong:
        return False, [f"Not to be relied on: {why}" for why in wrong]
    unknown = "No --key was given: compare that key with the issuer's, got by another way."
    return True, ["It holds.", *summary(text), *[unknown] * (key is None)]


def key_of(text: str) -> str:
    """A public key as it is compared.

    Raises:
        ValueError: it is not 64 hex digits.
    """
    key = text.strip().lower()
    if not _is_sha256(key):
        raise ValueError(f"{_plain(text)!r} is no public key, which has 64 hex digits")
    return key


def summary(text: str) -> list[str]:
    """What a certificate says, for people; read it only once it is verified."""
    told = _read(text)
    bounds, looks = (
        told["boundary"],
        [step["looks"] for one in told["proofs"] for step in one["steps"]],
    )
    lines = [
        f"{told['case_type']}: pass at or below {bounds['pass_at_or_below']}, block at or above "
        f"{bounds['block_at_or_above']}, by model {told['model_digest'][:12]} and policy {told['policy_id'][:12]}.",
        f"Promised: {', '.join(f'{name} {limit:g}' for name, limit in told['targets'].items())}, at an error "
        f"probability of {told['delta']['promised']:g}; {sum(len(one) for one in looks):,} looks recomputed.",
    ]
    for one in told["proofs"]:
        size, allowed, _, errors = _passed(one["steps"][-1]["looks"])
        lines.append(f"{one['risk']}: {errors:,} errors among {size:,} cases, {allowed:,} allowed.")
    lines += [
        f"Valid until {told['valid_until']}. {told['speaks_of']}",
        f"Signed with the key {told['signature']['public_key']}.",
    ]
    return [_plain(line) for line in lines]


def _plain(line: str) -> str:
    """As one line in which nothing moves a terminal's cursor or looks like a line of ours."""
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."


# ---- reading


def _read(text: str) -> dict[str, Any]:
    def no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise NotOne("a key stands in it twice")
        return dict(pairs)

    def no_constant(name: str) -> None:
        raise NotOne(f"{name} is no number")

    try:
        told = json.loads(text, object_pairs_hook=no_doubles, parse_constant=no_constant)
    except RecursionError:
        raise NotOne("it is nested too deeply") from None
    except json.JSONDecodeError as wrong:
        raise NotOne(f"it is no JSON ({wrong})") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise NotOne("its format is another one")
    if set(told) != _KEYS:
        raise NotOne(f"keys are missing or unknown: {', '.join(sorted(set(told) ^ _KEYS))}")
    return told


def canonical(document: object) -> bytes:
    """Sorted keys, no spaces, floats by shortest round trip, ASCII."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def digest_of(told: dict[str, Any]) -> str:
    """SHA-256 of a certificate without its digest and signature."""
    rest = {name: value for name, value in told.items() if name not in ("digest", "signature")}
    return hashlib.sha256(canonical(rest)).hexdigest()


def message_of(told: dict[str, Any]) -> bytes:
    """What is signed."""
    return f"{FORMAT}\n{told['digest']}".encode("ascii")


# ---- what is checked


def _digest(told: dict[str, Any]) -> list[str]:
    if told["digest"] == digest_of(told):
        return []
    return ["It was changed after it was made: its digest is not that of its content."]


def _signature(told: dict[str, Any]) -> list[str]:
    one = told["signature"]
    if set(one) != {"algorithm", "public_key", "value"} or one["algorithm"] != "Ed25519":
        return ["It has no Ed25519 signature."]
    public, value = bytes.fromhex(one["public_key"]), bytes.fromhex(one["value"])
    if is_signed(public, message_of(told), value):
        return []
    return ["Its signature is not that of its content by its public key."]


def _issuer(told: dict[str, Any], key: str | None) -> list[str]:
    if key is None or told["signature"]["public_key"] == key.strip().lower():
        return []
    return [f"It is signed by another key than the issuer's: {told['signature']['public_key']}."]


def _time(told: dict[str, Any], now: datetime) -> list[str]:
    issued, until = _moment(told["issued_at"]), _moment(told["valid_until"])
    wrong = []
    if until <= now:
        wrong.append(f"It expired at {told['valid_until']}.")
    if not issued < until <= issued + _LASTS:
        wrong.append(
            f"It is to be valid from {told['issued_at']} until {told['valid_until']}; one of this format "
            f"lasts {_LASTS.days} days at most."
        )
    if issued - timedelta(days=1) > now:
        wrong.append(f"It was issued at {told['issued_at']}, which is still to come.")
    ends = told["policy"]["valid_until"]
    if ends is not None and until > _moment(ends):
        wrong.append(f"It outlasts its policy, which expires at {ends}.")
    return wrong


def _policy(told: dict[str, Any]) -> list[str]:
    wrong, policy = [], told["policy"]
    if hashlib.sha256(canonical(policy)).hexdigest() != told["policy_id"]:
        wrong.append("Its policy id is not the SHA-256 of its policy, so another policy is meant.")
    for name in ("boundary", "case_type", "model_digest"):
        if policy[name] != told[name]:
            wrong.append(f"Its {name.replace('_', ' ')} is not the one of its policy.")
    return wrong


def _proofs(told: dict[str, Any]) -> list[str]:
    proven = [one["risk"] for one in told["proofs"]]
    wrong = [
        f"{name} is proven twice." for name in sorted({n for n in proven if proven.count(n) > 1})
    ]
    wrong += _sides(told["boundary"])
    for risk, target in told["targets"].items():
        if risk not in _SIDES:
            wrong.append(f"It promises {risk}, of which this format has no proof.")
            continue
        if not 0.0 < target < 1.0:
            wrong.append(f"It promises {risk} {target}, which is no share between 0 and 1.")
        side, cut = _SIDES[risk]
        if told["boundary"][cut] is not None and risk not in proven:
            wrong.append(
                f"It promises {risk} and decides on its {side} side without a proof of it."
            )
    for cut in ("pass_at_or_below", "block_at_or_above"):
        about = {risk for risk, (_, name) in _SIDES.items() if name == cut}
        if told["boundary"][cut] is not None and not about & set(told["targets"]):
            wrong.append(f"Nothing is promised of {cut}, and it decides there.")
    wrong += _deltas(told)
    left = [_MOST_WORK]
    return [*wrong, *(why for one in told["proofs"] for why in _proof(told, one, left))]


def _sides(boundary: dict[str, float | None]) -> list[str]:
    low, high = boundary["pass_at_or_below"], boundary["block_at_or_above"]
    if low is None and high is None:
        return ["It decides on neither side, so it proves nothing."]
    if low is not None and high is not None and not low < high:
        return [f"It passes up to {low} and blocks from {high} on, and a score can be both."]
    return []


def _deltas(told: dict[str, Any]) -> list[str]:
    delta = told["delta"]
    shares = delta["shares"]
    fits = (
        0.0 < delta["spendable"] <= delta["promised"] * (1.0 + _TINY) < 1.0
        and all(share > 0.0 for share in shares.values())
        and math.fsum(shares.values()) <= delta["spendable"] * (1.0 + _TINY)
        and all(0.0 < one["delta"] <= shares[one["risk"]] * (1.0 + _TINY) for one in told["proofs"])
    )
    return [] if fits else ["Its proofs spend more error probability than it promises."]


def _proof(told: dict[str, Any], one: dict[str, Any], left: list[int]) -> list[str]:
    risk = one["risk"]
    side, cut = _SIDES[risk]
    target = told["targets"][risk]
    limit = target if risk == "false_omission_rate" else 1.0 - target
    if not math.isclose(one["limit"], limit, rel_tol=_TINY):
        return [
            f"{risk}: its proof allows an error share of {one['limit']}, the promise {limit:g}."
        ]
    cuts = [step["cut"] for step in one["steps"]]
    outward = sorted(cuts, reverse=side == "block")
    if (
        not cuts
        or cuts[-1] != told["boundary"][cut]
        or cuts != outward
        or len(set(cuts)) < len(cuts)
    ):
        return [f"{risk}: its proof is not of the boundary's cut {told['boundary'][cut]}."]
    return [why for step in one["steps"] for why in _step(told, one, step, left)]


def _step(
    told: dict[str, Any], one: dict[str, Any], step: dict[str, Any], left: list[int]
) -> list[str]:
    named = f"{one['risk']} at {step['cut']}"
    looks = step["looks"]
    if not 0 < len(looks) <= _MOST_LOOKS or not 1 <= step["first"] <= _MOST_CASES:
        raise NotOne(f"{named} has {len(looks)} looks from {step['first']} cases on")
    sizes, allowed, spent = look_table(
        step["first"], one["limit"], one["delta"], told["growth"], step["phi"], len(looks), left
    )
    for place, (size, most, so_far, errors) in enumerate(looks):
        if (size, most) != (sizes[place], allowed[place]) or not math.isclose(
            so_far, spent[place], rel_tol=_TINY, abs_tol=1e-15
        ):
            return [
                f"{named}: look {place + 1} says {most} errors of {size} at {so_far:.6g} spent; computed "
                f"again it allows {allowed[place]} of {sizes[place]} at {spent[place]:.6g}."
            ]
        before = looks[place - 1][3] if place else 0
        if isinstance(errors, bool) or not isinstance(errors, int) or errors < before:
            return [f"{named}: look {place + 1} counts {errors} errors, which cannot be."]
    if _passed(looks) is None:
        return [f"{named}: no look shows as few errors as it may, so it is not proven."]
    return []


def _passed(looks: list[Any]) -> Any:
    return next((look for look in looks if look[3] <= look[1]), None)


def _forms(told: dict[str, Any]) -> list[str]:
    evidence, ledger = told["evidence"], told["ledger"]
    digests = {
        "model_digest": told["model_digest"],
        "policy_id": told["policy_id"],
        "evidence_sha256": evidence["evidence_sha256"],
        "cohort_sha256": evidence["cohort_sha256"],
        "entry_sha256": ledger["entry_sha256"],
        "head_sha256": ledger["head_sha256"],
    }
    return [
        f"Its {name} is no SHA-256." for name, value in digests.items() if not _is_sha256(value)
    ]


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    if at.utcoffset() is None:
        raise NotOne(f"the moment {text} has no time zone")
    return at


# ---- the table of looks


def look_table(
    first: int,
    share: float,
    delta: float,
    growth: float,
    phi: float,
    looks: int,
    left: list[int] | None = None,
) -> tuple[list[int], list[int], list[float]]:
    """The exact group-sequential table: cases of each look, errors allowed (-1: none), and the
    probability of having passed by then where the true error share is `share` (METHODS 1.2).

    Up to look i it may spend `delta * (1 - (1 - phi) * first / size_i)`.

    Args:
        left: one number, how many multiplications may still be made; it is counted down.
    """
    left = [_MOST_WORK] if left is None else left
    if not (0.0 < share < 1.0 and 0.0 < delta < 1.0 and 1.0 < growth < 10.0 and 0.0 < phi <= 1.0):
        raise NotOne("a number of its table is out of range")
    sizes, allowed, by_look = _sizes(first, growth, looks), [], []
    start, law, spent, before = 0, [1.0], 0.0, 0
    for size in sizes:
        low, more = _binomial(size - before, share)
        left[0] -= len(law) * len(more) + len(more)
        if left[0] < 0:
            raise NotOne("its looks are too large to be computed again")
        start, law = start + low, _convolved(law, more)
        may_spend, least = delta * (1.0 - (1.0 - phi) * first / size), 0
        passing = spent
        while least < len(law) and passing + law[least] <= may_spend:
            passing += law[least]
            least += 1
        spent, before = passing, size
        start, law = start + least, law[least:]
        allowed.append(start - 1)
        by_look.append(spent)
    return sizes, allowed, by_look


def _sizes(first: int, growth: float, looks: int) -> list[int]:
    sizes: list[int] = []
    place = 0
    while len(sizes) < looks:
        if place > _MOST_PLACES:
            raise NotOne("its looks grow too slowly to be computed again")
        size = math.ceil(first * growth**place - 1e-9)
        if size > _MOST_CASES:
            raise NotOne(f"a look of {size} cases is too large to be computed again")
        if not sizes or size > sizes[-1]:
            sizes.append(size)
        place += 1
    return sizes


def _binomial(cases: int, share: float) -> tuple[int, list[float]]:
    """The law of the number of errors, from its mode outward by ratios of neighbours, and scaled to a sum
    of one: no factorial loses digits."""
    mode = min(int((cases + 1) * share), cases)
    reach = int(_DEVIATIONS * math.sqrt(cases * share * (1.0 - share))) + _COUNTS
    low, high, odds = max(mode - reach, 0), min(mode + reach, cases), share / (1.0 - share)
    below, above = [1.0], [1.0]
    for n in range(mode, low, -1):
        below.append(below[-1] * n / (cases - n + 1) / odds)
    for n in range(mode, high):
        above.append(above[-1] * (cases - n) / (n + 1) * odds)
    law = [*reversed(below), *above[1:]]
    total = math.fsum(law)
    return low, [one / total for one in law]


def _convolved(one: list[float], other: list[float]) -> list[float]:
    found = [0.0] * (len(one) + len(other) - 1)
    for place, weight in enumerate(one):
        if weight > 0.0:
            for step, part in enumerate(other, start=place):
                found[step] += weight * part
    return found


# ---- Ed25519 (RFC 8032, section 5.1), in extended coordinates

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, PRIME) % PRIME
_ROOT = pow(2, (PRIME - 1) // 4, PRIME)
Point = tuple[int, int, int, int]


def added(one: Point, other: Point) -> Point:
    """The sum of two points of the curve."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c, d = 2 * one[3] * other[3] * _D % PRIME, 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def multiplied(scalar: int, point: Point) -> Point:
    """A point so many times. Its time depends on the scalar: sign where nobody measures it."""
    found: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            found = added(found, point)
        point, scalar = added(point, point), scalar >> 1
    return found


def compressed(point: Point) -> bytes:
    """A point as its 32 bytes."""
    inverse = pow(point[2], -1, PRIME)
    x, y = point[0] * inverse % PRIME, point[1] * inverse % PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decompressed(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if len(data) != 32 or y >= PRIME:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * _ROOT % PRIME
    if (x * x - square) % PRIME or (x == 0 and sign):
        return None
    x = PRIME - x if x & 1 != sign else x
    return x, y, 1, x * y % PRIME


def hashed(*parts: bytes) -> int:
    """SHA-512 of the parts as a scalar."""
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ORDER


def _base() -> Point:
    found = _decompressed((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little"))
    assert found is not None
    return found


BASE = _base()


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is that of a message by the owner of a public key."""
    key, half = _decompressed(public), _decompressed(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or half is None or len(signature) != 64 or scalar >= ORDER:
        return False
    challenge = hashed(signature[:32], public, message)
    left, right = multiplied(scalar, BASE), added(half, multiplied(challenge, key))
    return compressed(left) == compressed(right)


def main(arguments: list[str] | None = None) -> int:
    """Verify a file and say what it proves, or why it does not."""
    asked = argparse.ArgumentParser(description="Verify a portable certificate of Ratchet.")
    asked.add_argument("file", type=Path)
    asked.add_argument("--key", help="the issuer's public key, in hex, got by another way")
    asked.add_argument(
        "--at", help="the moment it is relied on, as 2026-05-04T02:00:00Z; default: now"
    )
    told = asked.parse_args(arguments)
    try:
        key = None if told.key is None else key_of(told.key)
        # The alias `datetime.UTC` is not in Python 3.10, which may read this.
        now = datetime.now(timezone.utc) if told.at is None else _moment(told.at)  # noqa: UP017
        text = told.file.read_text(encoding="utf-8")
    except (OSError, ValueError) as wrong:
        asked.error(_plain(f"nothing was verified: {wrong}"))
    holds, lines = report(text, now, key)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if holds else 3


if __name__ == "__main__":
    sys.exit(main())
