"""A delivered "decision" that bears one of our policy ids, or precedes our own decision of the same
case: refused or recomputed; it overrides no halt, no senior pattern, no audit draw.

Injected: rows as a server or a forger delivers them (another policy id, stamp, propensity, draw,
score or action), admitted as a delivery and followed by a decision of our own under a halt.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from flows.verbs.decide.decide import decide_cases
from flows.verbs.decide.decide_file import decide_file
from flows.verbs.decide.decide_once import decide_once
from flows.verbs.govern.brakes import halt
from flows.verbs.intake.admit import admit_batch
from flows.verbs.services import Services
from models.hub import AuditPlan, Policy
from tests.flows.verbs.advised_desk import CASE_TYPE, Advised, advised_desk
from tests.flows.verbs.live_desk import live_desk, new_cases, promoted

ASKED = datetime.now(UTC).replace(microsecond=0)
LIVE_SINCE = ASKED - timedelta(hours=2)
AT = ASKED - timedelta(minutes=30)
"""When the delivered rows say they were decided."""


@pytest.fixture(scope="session")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Advised:
    return advised_desk(tmp_path_factory.mktemp("advised"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def services(advised: Advised, tmp_path: Path, request: pytest.FixtureRequest) -> Services:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    if url is not None:
        (tmp_path / "home" / "live").mkdir(parents=True)
    services = live_desk(advised, tmp_path / "home", url)
    return services


def served(services: Services, advised: Advised) -> pd.DataFrame:
    """What the live policy says of new cases, decided elsewhere: nothing of it is stored."""
    cases = new_cases(advised, AT).assign(decided_at=pd.Timestamp(AT))
    return decide_cases(services, CASE_TYPE, cases, AT).drop(columns=[])


def delivered(services: Services, rows: pd.DataFrame) -> dict[str, int]:
    told = admit_batch(services, "decisions", rows, ASKED, source="delivery")
    assert not told.failed, told.report
    return {"admitted": told.admitted, **told.rejections}


def of_ids(services: Services, ids: pd.Series) -> pd.DataFrame:
    rows = services.store.read("decisions", filters={"case_id": ids.tolist()})
    return rows.set_index("case_id").loc[ids]


def test_what_was_served_comes_home(services: Services, advised: Advised) -> None:
    """Every row agrees: passed, blocked, escalated, audited, key users; delivered twice, once stored."""
    promoted(services, advised, LIVE_SINCE)
    rows = served(services, advised)
    assert set(rows["action"]) == {"auto_pass", "auto_block", "escalate"}
    assert rows["audited"].any()
    assert (rows["queue"] == "senior").any()
    assert delivered(services, rows) == {"admitted": len(rows)}
    before = services.store.digest("decisions")
    again = admit_batch(services, "decisions", rows, ASKED, source="once more")
    assert (again.admitted, again.already_stored) == (len(rows), len(rows))
    assert services.store.digest("decisions") == before


def superseded(services: Services, advised: Advised, rows: pd.DataFrame) -> pd.DataFrame:
    promoted(services, advised, AT - timedelta(minutes=5), audit=AuditPlan(0.5))
    return rows


def halted(services: Services, advised: Advised, rows: pd.DataFrame) -> pd.DataFrame:
    halt(
        services.ledger,
        services.case_types,
        CASE_TYPE,
        "olga",
        "a wave of takeovers",
        AT - timedelta(minutes=1),
    )
    return rows


def of_another_type(services: Services, advised: Advised, rows: pd.DataFrame) -> pd.DataFrame:
    other = Policy.review_everything("withdrawal_anomaly", 0.1)
    return rows.assign(policy_id=services.ledger.record_policy(other), model_version="none")


def changed(**said: object) -> Callable[[Services, Advised, pd.DataFrame], pd.DataFrame]:
    return lambda services, advised, rows: rows.assign(**said)


ALL = 120
FORGERIES: dict[str, tuple[str, Callable[[Services, Advised, pd.DataFrame], pd.DataFrame]]] = {
    "its policy was superseded": ("policy_was_in_force", superseded),
    "its policy decides another case type": ("policy_was_in_force", of_another_type),
    "decided before its promotion": (
        "policy_was_in_force",
        lambda services, advised, rows: rows.assign(
            decided_at=rows["decided_at"] - pd.Timedelta(hours=2),
            opened_at=rows["opened_at"] - pd.Timedelta(hours=3),
        ),
    ),
    "the id in capitals": (
        "policy_was_in_force",
        lambda services, advised, rows: rows.assign(policy_id=rows["policy_id"].str.upper()),
    ),
    "on the arm of a test that never was": ("policy_was_in_force", changed(arm="treatment")),
    "halted at the time": ("agrees_with_its_policy", halted),
    "another model": ("agrees_with_its_policy", changed(model_version="0")),
    "another score": (
        "agrees_with_its_policy",
        lambda services, advised, rows: rows.assign(score=rows["score"] * 0.99),
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_does_not_agree_is_quarantined_by_name(
    services: Services, advised: Advised, forgery: str
) -> None:
    """Not one automatic decision of them is admitted."""
    rule, forge = FORGERIES[forgery]
    promoted(services, advised, LIVE_SINCE)
    rows = forge(services, advised, served(services, advised))
    found = delivered(services, rows)
    assert found[rule] == ALL, found
    assert found["admitted"] == 0


ONE_RESPECT: dict[str, tuple[str, dict[str, object]]] = {
    "a lower propensity": ("automatic", {"propensity": 0.01}),
    "not audited, where the draw says so": ("audited", {"audited": False}),
    "audited, where the draw does not": ("not audited", {"audited": True}),
    "passed, where people were to look": ("escalated", {"action": "auto_pass", "propensity": 0.25}),
    "a senior's case in the desk's queue": ("senior", {"queue": "desk"}),
    "another reason": ("escalated", {"override": "never_auto_pass_above_usd"}),
    "leaning the other way": ("passed", {"recommendation": "block"}),
}


@pytest.mark.parametrize("respect", ONE_RESPECT)
def test_every_respect_counts(services: Services, advised: Advised, respect: str) -> None:
    """Only the rows that were changed are quarantined."""
    promoted(services, advised, LIVE_SINCE)
    rows = served(services, advised)
    which, said = ONE_RESPECT[respect]
    automatic = rows["action"] != "escalate"
    touched = {
        "automatic": automatic,
        "audited": automatic & rows["audited"],
        "not audited": automatic & ~rows["audited"],
        "escalated": ~automatic & (rows["queue"] == "desk") & (rows["priority"] < 75),
        "senior": rows["queue"] == "senior",
        "passed": rows["action"] == "auto_pass",
    }[which]
    assert 0 < touched.sum() < len(rows)
    for name, value in said.items():
        rows[name] = rows[name].mask(touched, value)
    found = delivered(services, rows)
    assert found["agrees_with_its_policy"] == touched.sum(), found
    assert found["admitted"] == len(rows) - touched.sum()


def test_a_row_delivered_first_decides_nothing_of_ours(
    services: Services, advised: Advised, tmp_path: Path
) -> None:
    """Admitted first as another agent's, then asked of `ratchet decide` under a halt: escalated, both
    facts stored, and every later read tells ours."""
    promoted(services, advised, LIVE_SINCE)
    rows = served(services, advised)
    forged = rows.assign(
        policy_id="another agent's", model_version="theirs", action="auto_pass", propensity=0.1,
        audited=False, override="", queue="", recommendation="pass", score=0.001,
    )  # fmt: skip
    forged = forged[forged["priority"] < 75]
    assert delivered(services, forged) == {"admitted": len(forged)}
    halt(
        services.ledger,
        services.case_types,
        CASE_TYPE,
        "olga",
        "a wave of takeovers",
        ASKED - timedelta(minutes=10),
    )
    file, out = tmp_path / "cases.parquet", tmp_path / "out.parquet"
    cases = new_cases(advised, AT)
    cases.to_parquet(file)
    told = decide_file(services, file, CASE_TYPE, out)
    assert (told.decided, told.already_decided) == (len(cases), 0)
    for found in (pd.read_parquet(out), of_ids(services, cases["case_id"])):
        assert set(found["action"]) == {"escalate"}
        assert set(found["override"]) == {"halted"}
    assert services.store.counts("decisions")[1] >= len(cases) + len(forged)
    # Once ours, it stays ours: neither their row again nor a new one of theirs is read.
    assert delivered(services, forged.assign(score=0.002)) == {"admitted": len(forged)}
    assert set(of_ids(services, cases["case_id"])["action"]) == {"escalate"}
    again = decide_file(services, file, CASE_TYPE, None)
    assert (again.decided, again.already_decided) == (0, len(cases))


def test_what_agrees_and_is_delivered_first_overrides_no_later_halt(
    services: Services, advised: Advised
) -> None:
    """A served decision is true, and still no decision made here."""
    promoted(services, advised, LIVE_SINCE)
    rows = served(services, advised)
    assert delivered(services, rows) == {"admitted": len(rows)}
    halt(
        services.ledger,
        services.case_types,
        CASE_TYPE,
        "olga",
        "a wave of takeovers",
        ASKED - timedelta(minutes=10),
    )
    told = decide_once(services, CASE_TYPE, new_cases(advised, AT), None, source="x")
    assert (told.decided, told.already_decided) == (len(rows), 0)
    assert set(told.decisions["action"]) == {"escalate"}


def test_the_same_bytes_delivered_before_do_not_keep_ours_from_being_stored(
    services: Services, advised: Advised
) -> None:
    """Under the same source's name, too."""
    promoted(services, advised, LIVE_SINCE)
    cases = new_cases(advised, AT)
    first = decide_once(services, CASE_TYPE, cases.head(5), AT, source="same")
    stored = services.store.read(
        "decisions", filters={"case_id": cases["case_id"].head(5).tolist()}
    )
    told = admit_batch(
        services, "decisions", stored.drop(columns="received_at"), ASKED, source="same"
    )
    assert (told.admitted, told.already_stored) == (5, 5)
    assert first.decided == 5
    assert len(of_ids(services, cases["case_id"].head(5))) == 5
