"""What would somebody watch from outside: how old is the last good night, what decides, what waits?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from configs.errors import GateRefused
from flows.verbs.govern.history import HALTED, LIVE, SHADOW, UNTRUSTED, states_of
from flows.verbs.house.doctor_of_house import last_good_nights
from flows.verbs.ports import EvidenceStore, HouseServices, Ledger, SharedStore
from flows.verbs.record.dossier_files import last_dossier
from models.hub import holds_of, open_proposals
from models.vocabulary import CaseType

AUTOMATION_DAYS = 7
_STATES = (SHADOW, LIVE, HALTED, "expired", UNTRUSTED)


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One number: its name, what it says, and what it is about."""

    name: str
    says: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)


def samples(services: HouseServices, now: datetime) -> list[MetricSample]:
    """Everything there is to watch, as of now. None of it is a row or an id of a case."""
    whole = services.ledger.verify().ok
    return [
        MetricSample(
            "ratchet_ledger_verified", "1 when the ledger is as it was written", float(whole)
        ),
        MetricSample(
            "ratchet_ledger_entries", "Entries of the ledger", float(services.ledger.head()[0])
        ),
        MetricSample(
            "ratchet_alerts_undelivered",
            "Alerts that the webhook or the mailbox did not take",
            float(services.alerts.waiting()),
        ),
        *_of_nights(services.case_types, services.home, services.shared, now),
        *_of_case_types(services.ledger, services.case_types, now),
        *_automation(services.store, now),
        *_waiting(services.ledger, services.case_types),
    ]


def _of_nights(
    case_types: Mapping[str, CaseType], home: Path, shared: SharedStore | None, now: datetime
) -> Iterator[MetricSample]:
    for name, at in last_good_nights(case_types, home, shared).items():
        about = {"case_type": name}
        says = "When the last night was run in which everything of this case type was done"
        yield MetricSample("ratchet_last_good_night_timestamp_seconds", says, at.timestamp(), about)
        age = (now - at).total_seconds()
        yield MetricSample(
            "ratchet_last_good_night_age_seconds", "How long ago that was, when asked", age, about
        )
    night = last_dossier(home, shared)
    if night is None:
        return
    rows: dict[tuple[str, str], int] = {}
    for batch in night.get("batches", []):
        new = max(int(batch["admitted"]) - int(batch["already_stored"]), 0)
        for outcome, count in (("new", new), ("quarantined", int(batch["quarantined"]))):
            key = (str(batch["table"]), outcome)
            rows[key] = rows.get(key, 0) + count
    for (table, outcome), count in rows.items():
        about = {"table": table, "outcome": outcome}
        says = "Rows that the last night took in, or put aside"
        yield MetricSample("ratchet_last_night_rows", says, float(count), about)
    for name, one in night["results"]["case_types"].items():
        if one.get("guard"):
            about = {"case_type": name, "state": str(one["guard"])}
            yield MetricSample("ratchet_guard_state", "1 for what the guard last said", 1.0, about)


def _of_case_types(
    ledger: Ledger, case_types: Mapping[str, CaseType], now: datetime
) -> Iterator[MetricSample]:
    for one in states_of(ledger, case_types, now):
        about = {"case_type": str(one["case_type"])}
        for state in _STATES:
            says, value = "1 for the state a case type is in", float(one["state"] == state)
            yield MetricSample("ratchet_state", says, value, {**about, "state": state})
        for side, name in (("pass", "pass_at_or_below"), ("block", "block_at_or_above")):
            if one[name] is not None:
                says = "The live boundary; a side that is reviewed has none"
                yield MetricSample(
                    "ratchet_boundary", says, float(one[name]), {**about, "side": side}
                )


def _automation(store: EvidenceStore, now: datetime) -> Iterator[MetricSample]:
    if not store.counts("decisions")[1]:
        return
    rows = store.read(
        "decisions",
        columns=["case_type", "action"],
        since=now - timedelta(days=AUTOMATION_DAYS),
        stamp="decided_at",
        categories=("case_type", "action"),
    )
    automatic = rows["action"].astype("str") != "escalate"
    for name, share in automatic.groupby(rows["case_type"].astype("str")).mean().items():
        says = f"Share of the decisions of {AUTOMATION_DAYS} days that nobody reviewed first"
        yield MetricSample("ratchet_automation_rate", says, float(share), {"case_type": str(name)})


def _waiting(ledger: Ledger, case_types: Mapping[str, CaseType]) -> Iterator[MetricSample]:
    try:
        history = ledger.history()
    except GateRefused:
        return  # said by `ratchet_ledger_verified`
    for name in case_types:
        about = {"case_type": name}
        held = sum(one.waits for one in holds_of(history, name))
        yield MetricSample("ratchet_holds_open", "Holds that wait", float(held), about)
        waits = len(open_proposals(history, name))
        yield MetricSample(
            "ratchet_proposals_waiting", "Proposals nobody has judged", float(waits), about
        )
