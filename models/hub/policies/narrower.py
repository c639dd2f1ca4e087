"""Does one boundary, or one policy, decide less than another?"""

from __future__ import annotations

import math
from datetime import datetime
from itertools import chain

import numpy as np

from models.hub.policies.policy import Overrides, Policy
from models.vocabulary import Boundary
from models.vocabulary.pattern import PatternCondition


def is_narrower(boundary: Boundary, than: Boundary) -> bool:
    """Whether a boundary automates strictly less: no side further out, at least one further in."""
    passes, blocks = _reach(boundary)
    passed, blocked = _reach(than)
    return passes <= passed and blocks >= blocked and (passes, blocks) != (passed, blocked)


def why_wider(policy: Policy, than: Policy, at: datetime) -> tuple[str, ...]:
    """In which respects a policy decides more, or is watched less, than another at a moment.

    Empty only where that is shown not to be so: a policy that decides nothing (no boundary, or its
    certificate has expired) is wider than none; one of another model, or of another calibration of
    the same one, cannot be compared on the scale of the scores, and is taken for wider.

    Args:
        than: the policy that decides now.
        at: tz-aware.
    """
    if decides_nothing(policy, at):
        return ()
    if decides_nothing(than, at):
        return ("it decides cases by itself, and today every case is reviewed",)
    scale = _another_scale(policy, than)
    found = (
        scale or _further_out(policy.boundary, than.boundary),
        _lasts_longer(policy.valid_until, than.valid_until),
        *_looser(policy.overrides, than.overrides),
        "" if scale else _audited_less(policy, than),
    )
    return tuple(said for said in found if said)


def decides_nothing(policy: Policy, at: datetime) -> bool:
    """Whether every case goes to a person under this policy at a moment (tz-aware)."""
    expired = policy.valid_until is not None and policy.valid_until <= at
    return expired or policy.boundary.automates_nothing


def _another_scale(policy: Policy, than: Policy) -> str:
    if policy.model_digest != than.model_digest:
        return "its scores are another model's, which nothing here can compare with today's"
    if dict(policy.calibration) != dict(than.calibration):
        return "its scores are calibrated in another way"
    return ""


def _further_out(boundary: Boundary, than: Boundary) -> str:
    (passes, blocks), (passed, blocked) = _reach(boundary), _reach(than)
    sides = [
        *(["passes more"] if passes > passed else []),
        *(["blocks more"] if blocks < blocked else []),
    ]
    return f"it {' and '.join(sides)}" if sides else ""


def _lasts_longer(until: datetime | None, than: datetime | None) -> str:
    if than is None or (until is not None and until <= than):
        return ""
    return "its certificate never expires" if until is None else "its certificate lasts longer"


def _looser(overrides: Overrides, than: Overrides) -> tuple[str, ...]:
    """What today goes to a person whatever its score, and would not."""
    limit, today = overrides.never_auto_pass_above_usd, than.never_auto_pass_above_usd
    patterns = {frozenset(one.conditions) for one in overrides.senior_patterns}
    lost = [one.name for one in than.senior_patterns if not _is_met(one.conditions, patterns)]
    return (
        "fewer people are key users to it"
        if overrides.key_user_priority > than.key_user_priority
        else "",
        "it passes larger amounts"
        if today is not None and (limit is None or limit > today)
        else "",
        f"it sends fewer patterns to a senior ({', '.join(lost)})" if lost else "",
    )


def _is_met(
    conditions: tuple[PatternCondition, ...], patterns: set[frozenset[PatternCondition]]
) -> bool:
    """Whether every case of a pattern is one of another pattern that asks for no more."""
    return any(other <= set(conditions) for other in patterns)


def _audited_less(policy: Policy, than: Policy) -> str:
    """Compared at the end of every step of either plan and just above it, on both sides, once the
    sprints of both have ended: a sprint buys labels and guards nothing, and what leaves it early (a
    rollback by the guard) must not have to wait for a second person."""
    tops = [top for top, _ in chain(policy.audit.steps, than.audit.steps)]
    cuts = [cut for cut in _reach(policy.boundary) if math.isfinite(cut)]
    scores = np.array(
        sorted({0.0, 1.0, *tops, *cuts, *(float(np.nextafter(one, 2.0)) for one in tops)})
    )
    passes, blocks = _reach(policy.boundary)
    decided = scores[(scores <= passes) | (scores >= blocks)]
    less = policy.audit.rates(decided, policy.boundary) < than.audit.rates(decided, than.boundary)
    return "fewer of its decisions are audited" if bool(less.any()) else ""


def _reach(boundary: Boundary) -> tuple[float, float]:
    passes, blocks = boundary.pass_at_or_below, boundary.block_at_or_above
    return (-math.inf if passes is None else passes, math.inf if blocks is None else blocks)
