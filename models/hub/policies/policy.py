"""By which one rule is a kind of case decided, and what is that rule's name?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any

from models.hub.policies.audit_plan import AuditPlan
from models.hub.policies.canonical import canonical_json, in_utc, is_sha256, sha256_of, utc_stamp
from models.hub.record.checked import check_names, number
from models.vocabulary import KEY_USER_PRIORITY, AbPlan, Boundary, Pattern


@dataclass(frozen=True, slots=True)
class Overrides:
    """Cases a person decides whatever the score says.

    `key_user_priority`: at or above it (0 to 100) a case goes to a senior; it may be lowered, never
    raised over the promised 75. `never_auto_pass_above_usd`: an amount in US dollars.
    `senior_patterns`: high-risk patterns, each with a name of its own, that go to a senior.

    Raises:
        ValueError: a value is outside its range.
    """

    key_user_priority: int = KEY_USER_PRIORITY
    never_auto_pass_above_usd: float | None = None
    senior_patterns: tuple[Pattern, ...] = ()

    def __post_init__(self) -> None:
        priority = self.key_user_priority
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise ValueError(f"key_user_priority must be a whole number, got {priority!r}")
        if not 0 <= priority <= KEY_USER_PRIORITY:
            raise ValueError(
                f"key_user_priority must lie in 0..{KEY_USER_PRIORITY}, got {priority}: users at "
                f"{KEY_USER_PRIORITY} or above are never decided automatically"
            )
        limit = self.never_auto_pass_above_usd
        if limit is not None:
            amount = number("never_auto_pass_above_usd", limit)
            if amount < 0.0:
                raise ValueError(f"never_auto_pass_above_usd must be zero or more, got {limit!r}")
            object.__setattr__(self, "never_auto_pass_above_usd", amount)
        patterns = tuple(self.senior_patterns)
        if not all(isinstance(pattern, Pattern) for pattern in patterns):
            raise ValueError(f"senior_patterns must be patterns, got {patterns!r}")
        names = [pattern.name for pattern in patterns]
        if len(set(names)) < len(names):
            raise ValueError(f"senior_patterns must have names of their own, got {names}")
        object.__setattr__(self, "senior_patterns", patterns)


@dataclass(frozen=True, slots=True)
class Policy:
    """One model and one boundary for one case type; named by the SHA-256 of its canonical JSON.

    `model_digest` is the SHA-256 (hex) of the model's files; without one the policy must review
    everything. `calibration` holds the named numbers that turn a raw score into a probability.
    `valid_until` is when its certificate expires (None: it rests on no certificate). `ab_plan`: how
    it must be tried against the live policy before it may take its place (None: approval is enough);
    a policy without one is written as it was before there were such plans, and keeps its name.

    Raises:
        ValueError: a number is not finite, a digest is malformed, a stamp has no time zone, or a
            policy without a model would decide by itself.
    """

    case_type: str
    model_name: str | None
    model_version: str | None
    model_digest: str | None
    audit: AuditPlan
    calibration: Mapping[str, float] = field(default_factory=dict)
    boundary: Boundary = field(default_factory=Boundary.everything_reviewed)
    overrides: Overrides = field(default_factory=Overrides)
    valid_until: datetime | None = None
    ab_plan: AbPlan | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.case_type, str) and self.case_type):
            raise ValueError("a policy must name its case type")
        self._check_model()
        calibration = {
            name: number(f"calibration {name!r}", value) for name, value in self.calibration.items()
        }
        object.__setattr__(self, "calibration", MappingProxyType(calibration))
        object.__setattr__(self, "boundary", _in_floats(self.boundary))
        if self.ab_plan is not None and not self.ab_plan.targets.named():
            raise ValueError("a policy's A/B plan must name the promises that it tests")
        if self.valid_until is not None:
            object.__setattr__(self, "valid_until", in_utc(self.valid_until))

    def __hash__(self) -> int:
        return hash(self.policy_id)

    @classmethod
    def review_everything(
        cls, case_type: str, audit_rate: float, overrides: Overrides | None = None
    ) -> Policy:
        """The policy before there is a model: every case goes to a person."""
        return cls(
            case_type=case_type,
            model_name=None,
            model_version=None,
            model_digest=None,
            audit=AuditPlan(audit_rate),
            overrides=overrides or Overrides(),
        )

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Policy:
        """The policy a document describes.

        Raises:
            ValueError: a key is unknown or missing, or a value cannot be used.
        """
        plan = document.get("ab_plan")
        if plan is None and "ab_plan" in document:
            raise ValueError("policy ab_plan is empty; a policy without one does not name it")
        _check_keys("policy", {"ab_plan": None, **document}, cls)
        boundary, overrides, audit = (
            _section(document, name) for name in ("boundary", "overrides", "audit")
        )
        _check_keys("policy boundary", boundary, Boundary)
        _check_keys("policy overrides", overrides, Overrides)
        until = document["valid_until"]
        if until is not None and not isinstance(until, str):
            raise ValueError(f"policy valid_until must be a UTC stamp as text, got {until!r}")
        sides = {
            name: None if side is None else number(name, side) for name, side in boundary.items()
        }
        if not isinstance(overrides["senior_patterns"], list | tuple):
            raise ValueError("policy senior_patterns must be a list of patterns")
        patterns = tuple(Pattern.from_document(one) for one in overrides["senior_patterns"])
        return cls(
            **{
                **document,
                "calibration": _section(document, "calibration"),
                "boundary": Boundary(**sides),
                "overrides": Overrides(**{**overrides, "senior_patterns": patterns}),
                "audit": AuditPlan.from_document(audit),
                "valid_until": None if until is None else datetime.fromisoformat(until),
                "ab_plan": None if plan is None else AbPlan.from_document(plan),
            }
        )

    @classmethod
    def from_canonical(cls, text: str) -> Policy:
        """The policy a canonical JSON text describes (raises as `from_document`)."""
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("a policy document must be a JSON object")
        return cls.from_document(document)

    def document(self) -> dict[str, Any]:
        """The policy as plain JSON values; every field is spelled out, so defaults may change."""
        plan = {} if self.ab_plan is None else {"ab_plan": self.ab_plan.document()}
        return {
            **plan,
            "audit": self.audit.document(),
            "boundary": {
                "block_at_or_above": self.boundary.block_at_or_above,
                "pass_at_or_below": self.boundary.pass_at_or_below,
            },
            "calibration": dict(self.calibration),
            "case_type": self.case_type,
            "model_digest": self.model_digest,
            "model_name": self.model_name,
            "model_version": self.model_version,
            "overrides": {
                "key_user_priority": self.overrides.key_user_priority,
                "never_auto_pass_above_usd": self.overrides.never_auto_pass_above_usd,
                "senior_patterns": [one.document() for one in self.overrides.senior_patterns],
            },
            "valid_until": None if self.valid_until is None else utc_stamp(self.valid_until),
        }

    def canonical(self) -> str:
        """The one text of this policy: sorted keys, no spaces, floats that round-trip, UTC stamps."""
        return canonical_json(self.document())

    @property
    def policy_id(self) -> str:
        """The SHA-256 (hex) of the canonical text."""
        return sha256_of(self.canonical())

    def _check_model(self) -> None:
        if self.model_digest is None:
            if not self.boundary.automates_nothing:
                raise ValueError(
                    "a policy without a model digest must review everything; name the model's "
                    "digest, or use Boundary.everything_reviewed()"
                )
            return
        if not is_sha256(self.model_digest):
            raise ValueError(
                f"model_digest must be 64 lower-case hex characters, got {self.model_digest!r}"
            )
        for name in ("model_name", "model_version"):
            if not (isinstance(getattr(self, name), str) and getattr(self, name)):
                raise ValueError(f"a policy with a model digest must name its {name} as text")


def _in_floats(boundary: Boundary) -> Boundary:
    sides = (boundary.pass_at_or_below, boundary.block_at_or_above)
    return Boundary(*(None if side is None else float(side) + 0.0 for side in sides))


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document[name]
    if not isinstance(section, Mapping):
        raise ValueError(f"policy {name} must be a mapping, got {section!r}")
    return section


def _check_keys(what: str, document: Mapping[str, Any], kind: type) -> None:
    check_names(what, document, [item.name for item in fields(kind)])
