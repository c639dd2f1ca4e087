"""Does another agent act by the boundary that is live, or beyond it?

The guard judges the live boundary on the scores that the agent delivers; a promise holds only for an
agent that acts by it (docs/adr/0026).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.verbs.certify.generation import scored_elsewhere
from flows.verbs.govern.case_type_state import Trial, case_type_state
from flows.verbs.ports import EvidenceStore, Ledger, ScoringServices
from flows.verbs.record.night_results import NightResults
from models.boundary.decision.decide import decide
from models.boundary.decision.decide_in_arms import TREATMENT, moved_rates
from models.hub.policies.deciding import rule_of, why_withheld
from models.hub.policies.exported import FETCH_WITHIN_HOURS
from models.hub.policies.policy import Policy
from models.hub.record.entries import CHANGES_THE_LIVE_POLICY, EntryKind
from models.vocabulary import Action, CaseType

BEYOND = "agent_beyond_its_boundary"
"""The kind of alert."""

LOOK_BACK = timedelta(days=7)
_NO_DRAW = "0" * 16
_CASE = [
    "case_id", "decided_at", "score", "action", "propensity", "arm", "model_version", "priority",
    "amount_usd",
]  # fmt: skip
_ACTS = (*CHANGES_THE_LIVE_POLICY, EntryKind.HALTED, EntryKind.RESUMED, EntryKind.AB_STARTED)


@dataclass(frozen=True, slots=True)
class Watched:
    """What another agent did since the ledger's last word on its case type, of the last week.

    Attributes:
        since: decisions from this moment on are looked at.
        decided: how many; `automatic` of them by the agent alone.
        beyond: automatic ones that the live policy would not have made.
        audited_less: automatic ones drawn for audit with a lower probability than planned.
    """

    case_type: str
    policy_id: str
    since: datetime
    decided: int
    automatic: int
    beyond: int
    audited_less: int

    @property
    def sentence(self) -> str:
        """What is wrong, or ""."""
        if not (self.beyond or self.audited_less):
            return ""
        said = []
        if self.beyond:
            said.append(f"{self.beyond:,} of them the live policy would have sent to people")
        if self.audited_less:
            said.append(f"{self.audited_less:,} had a lower chance of an audit than it plans")
        return (
            f"{self.case_type}: since {self.since:%Y-%m-%d %H:%M} the agent decided "
            f"{self.automatic:,} cases automatically; {' and '.join(said)}. Nothing is proven of "
            f"those. Give it `ratchet export-policy {self.case_type}`, or let it escalate everything."
        )

    def plain(self) -> dict[str, Any]:
        """For a dossier."""
        return {
            "case_type": self.case_type,
            "policy_id": self.policy_id,
            "since": self.since.isoformat(),
            "decided": self.decided,
            "automatic": self.automatic,
            "beyond": self.beyond,
            "audited_less": self.audited_less,
        }


def watch_agents(
    services: ScoringServices, as_of: datetime, results: NightResults
) -> list[Watched]:
    """Hold what other agents decided to the live policies; people are told, and the night is not
    green, where one acted beyond its own."""
    found = []
    for name in services.case_types:
        if scored_elsewhere(services.case_types, name):
            told = results.attempt(
                name,
                "the watch on its agent",
                partial(_watch, services.ledger, services.store, services.case_types, name, as_of),
            )
            found += [] if told is None else [told]
    for one in found:
        if one.sentence:
            results.case_type(one.case_type).failed.append(one.sentence)
            facts = {"policy_id": one.policy_id}
            services.alerts.send(BEYOND, one.case_type, one.sentence, as_of, **facts)
    return found


def replayed_actions(
    case_types: Mapping[str, CaseType], policy: Policy, cases: pd.DataFrame
) -> pd.Series:
    """What a policy does with cases by the score that was delivered with them; scores of another
    model than its own decide nothing. Indexed as `cases`."""
    return _replay(case_types, policy, cases)["action"]


def replay_columns(store: EvidenceStore, policies: list[Policy]) -> list[str]:
    """The columns of decisions that a replay of these policies reads (those that are stored)."""
    asked = {one.column for p in policies for each in p.overrides.senior_patterns for one in each.conditions}  # fmt: skip
    return [*_CASE, *sorted((asked & store.columns("decisions")) - set(_CASE))]


def _watch(
    ledger: Ledger,
    store: EvidenceStore,
    case_types: Mapping[str, CaseType],
    case_type: str,
    as_of: datetime,
) -> Watched | None:
    stands = case_type_state(ledger, case_type)
    if stands.live is None:
        return None
    moved = [one.at for one in ledger.history(case_type) if one.kind in _ACTS]
    known_by = max(moved) + timedelta(hours=FETCH_WITHIN_HOURS)
    since = max(known_by, as_of - LOOK_BACK)
    policies = [stands.live, *([stands.trial.policy] if stands.trial else [])]
    rows = store.read(
        "decisions",
        columns=replay_columns(store, policies),
        filters={"case_type": [case_type]},
        since=since,
        stamp="decided_at",
        as_of=as_of,
    )
    rows = rows[~rows["case_id"].duplicated(keep="last").to_numpy(dtype=np.bool_)]
    rows = rows.reset_index(drop=True)
    wanted = _wanted(case_types, stands.live, stands.trial, stands.halted, rows)
    automatic = (rows["action"] != Action.ESCALATE.value).to_numpy(dtype=np.bool_)
    beyond = automatic & (rows["action"] != wanted["action"]).to_numpy(dtype=np.bool_)
    rate = wanted["propensity"].to_numpy(dtype=np.float64)
    logged = rows["propensity"].to_numpy(dtype=np.float64)
    less = automatic & ~beyond & (logged < rate * (1.0 - 1e-9))
    return Watched(
        case_type=case_type,
        policy_id=stands.live.policy_id,
        since=since,
        decided=len(rows),
        automatic=int(automatic.sum()),
        beyond=int(beyond.sum()),
        audited_less=int(less.sum()),
    )


def _wanted(
    case_types: Mapping[str, CaseType],
    live: Policy,
    trial: Trial | None,
    halted: bool,
    rows: pd.DataFrame,
) -> pd.DataFrame:
    """`action` and `propensity` as planned for each decision, by the policy of its arm."""
    wanted = _replay(case_types, live, rows, "halted" if halted else "")
    treated = (rows["arm"] == TREATMENT).to_numpy(dtype=np.bool_)
    if trial is None or halted or not treated.any():
        return wanted
    tried = _replay(case_types, trial.policy, rows)
    days = (rows["decided_at"] - pd.Timestamp(trial.since)) / pd.Timedelta(days=1)
    moved = (tried["action"] != wanted["action"]) & (tried["action"] != Action.ESCALATE.value)
    rates = moved_rates(trial.plan, np.asarray(days, dtype=np.float64))
    tried = tried.assign(propensity=np.where(moved, rates, tried["propensity"]))
    return wanted.where(~treated, tried)


def _replay(
    case_types: Mapping[str, CaseType], policy: Policy, cases: pd.DataFrame, why: str = ""
) -> pd.DataFrame:
    own = (cases["model_version"] == policy.model_version).to_numpy(dtype=np.bool_)
    said: npt.NDArray[np.float64] = cases["score"].to_numpy(dtype=np.float64, na_value=np.nan)
    scores = np.where(own, said, np.nan)
    rule = rule_of(
        policy,
        scores,
        decided_at=cases["decided_at"],
        key=_NO_DRAW,
        costs=case_types[policy.case_type].costs,
        withheld=why_withheld(policy, cases["decided_at"], why),
    )
    decided = decide(cases, scores, np.full(len(cases), "", dtype="U1"), rule)
    return decided[["action", "propensity"]]
