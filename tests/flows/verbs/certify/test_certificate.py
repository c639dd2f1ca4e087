"""A portable certificate of a live boundary: what is in it, and when there is none."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from configs.errors import GateRefused, UserError
from flows.adapters.ledger.certificate_verifier import verify
from flows.verbs.certify.certificate import LASTS, export_certificate
from flows.verbs.govern.brakes import halt
from flows.verbs.govern.promote import force
from flows.verbs.services import Services
from models.boundary.sequence.look_table import look_table
from models.hub import EntryKind
from models.vocabulary import Boundary
from tests.flows.verbs.certified_desk import LATER, Certified, certified_desk
from tests.flows.verbs.hub_desk import ANA, BEN, DAY, NAME, NOW, made_live, policy, store


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return certified_desk(tmp_path / "certified")


def test_what_the_night_proved_verifies_elsewhere(certified: Certified) -> None:
    """The live policy, the table of its looks as the ledger keeps them, and where the ledger stands;
    exporting it twice takes no look and gives the same document."""
    services, now = certified.services, certified.now
    before = services.ledger.history()
    told = export_certificate(services, NAME, now)
    assert export_certificate(services, NAME, now) == told
    assert services.ledger.history() == before
    text = json.dumps(told)
    assert verify(text, now, told["signature"]["public_key"]) == []
    assert told["policy_id"] == certified.live.policy_id
    promoted = next(one for one in reversed(before) if one.kind is EntryKind.PROMOTED)
    assert (told["ledger"]["entry"], told["ledger"]["entry_sha256"]) == (
        promoted.seq,
        promoted.own_hash,
    )
    assert (told["ledger"]["head"], told["ledger"]["head_sha256"]) == services.ledger.head()
    look = next(one for one in before if one.kind is EntryKind.LOOK_TAKEN).dossier["sequence"]
    (recall,) = [one for one in told["proofs"] if one["risk"] == "recall"]
    (step,) = recall["steps"]
    assert [one[:2] for one in step["looks"]] == [one[:2] for one in look["looks"]]
    table = look_table(look["first"], recall["limit"], recall["delta"], phi=look["phi"])
    assert [one[2] for one in step["looks"]] == list(table.spent_by_look[: len(step["looks"])])
    assert told["evidence"]["cohort_sha256"] == look["cohort_sha256"]
    assert verify(text, now + LASTS) == [f"It expired at {told['valid_until']}."]


def test_no_row_and_no_person_is_in_it(certified: Certified) -> None:
    """Counts and digests alone."""
    text = json.dumps(export_certificate(certified.services, NAME, certified.now))
    assert "1-0504-" not in text
    assert not any(f'"{name}"' in text for name in (ANA, BEN))
    assert certified.services.secrets.in_force() not in text


def test_nothing_live_halted_or_forced_has_no_certificate(
    certified: Certified, services: Services
) -> None:
    """Each with its reason, exit code 3."""
    with pytest.raises(GateRefused, match="nothing is automated"):
        export_certificate(services, NAME, NOW)
    made_live(services, policy(), NOW)
    with pytest.raises(GateRefused, match="the ledger has no look at a cohort of the live model"):
        export_certificate(services, NAME, NOW + DAY)
    with pytest.raises(UserError, match="there is no case type"):
        export_certificate(services, "nothing", NOW)

    wide = policy(Boundary(0.5, 0.6), "2")
    for person in (ANA, BEN):
        force(
            certified.services.ledger,
            certified.services.registry,
            certified.services.alerts,
            wide,
            person,
            "an emergency",
            certified.now,
        )
    with pytest.raises(GateRefused, match=r"no look on record proves a recall of 0\.9"):
        export_certificate(certified.services, NAME, certified.now)
    halt(
        certified.services.ledger,
        certified.services.case_types,
        NAME,
        "ola",
        "odd passes",
        certified.now,
    )
    with pytest.raises(GateRefused, match="it is halted"):
        export_certificate(certified.services, NAME, certified.now)


def test_labels_that_turned_since_are_counted_as_they_are(certified: Certified) -> None:
    """Every audited pass turns out bad: the look stays taken, and nothing is shown to anybody."""
    rows = certified.services.store.read("decisions")
    turned = rows[(rows["action"].astype("str") == "auto_pass") & rows["audited"]]
    facts = pd.DataFrame(
        {
            "case_id": turned["case_id"],
            "case_type": NAME,
            "observed_at": turned["opened_at"] + pd.Timedelta(days=5),
            "bad": True,
            "source": "chargeback",
        }
    )
    store(certified.services, "outcomes", facts, ["case_id", "observed_at"], LATER + DAY)
    with pytest.raises(GateRefused, match="by the labels as they are now"):
        export_certificate(certified.services, NAME, certified.now + timedelta(days=2))
