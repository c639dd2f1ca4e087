"""A certificate on rows the model or the candidate saw, or on labels after the cut-off: refused
(FAULTS 17).

Injected: proposals whose evidence begins an hour too early or ends an hour too late, on a walked desk.

The hub's rule alone is tested in tests/models/hub/record/test_evidence.py.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from flows.verbs.certify.certify import certify_case_type, policy_for
from flows.verbs.certify.generation import current_generation, last_version
from flows.verbs.certify.inputs import certification_inputs, evidence_digest
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.govern.promote import approve_and_promote
from models.hub import Entry, EntryKind, Propose
from models.vocabulary import Boundary
from tests.builders import small_history, small_walk
from tests.hub import rule

NAME = "small_case"
NARROW = Boundary(0.001, None)
"""Not the boundary that is live by then, which the hub would refuse to propose again."""
NIGHTS = 6


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    walk = small_walk(tmp_path_factory.mktemp("seen"), small_history(days=24))
    walk.warm_up()
    for step in range(NIGHTS):
        walk.night_and_day(step)
    return walk


def at_night(walk, number):
    return datetime.fromisoformat(walk.nights[number]["as_of"])


def cohort_at(walk, as_of):
    """What certifies, read as of that night."""
    generation = current_generation(walk.services.ledger, walk.services.case_types, NAME)
    return certification_inputs(
        walk.services, load_snapshot(walk.services, as_of), generation
    ).frame


def started(walk):
    history = walk.services.ledger.history(NAME)
    return next(one for one in history if one.kind is EntryKind.GENERATION_STARTED)


def ask(walk, since, until, at, boundary=NARROW):
    """A proposal of the newest model on evidence from `since` to `until`."""
    judged = certify_case_type(walk.services, load_snapshot(walk.services, at), NAME)
    command = Propose(
        case_type=NAME,
        policy=replace(
            policy_for(
                walk.services.ledger, walk.services.registry, walk.services.case_types, judged
            ),
            boundary=boundary,
        ),
        actor="ana",
        base_version=last_version(walk.services.ledger, NAME),
        evidence_digest=judged.evidence_digest,
        evidence_since=since,
        evidence_until=until,
    )
    return walk.services.ledger.submit(command, at)


def test_a_nights_cohort_begins_where_the_model_stopped_learning(walk):
    """Not one row that it learned from or was compared on, and no truth of one that is not mature."""
    as_of = at_night(walk, -1)
    frame = cohort_at(walk, as_of)
    trained_before = datetime.fromisoformat(started(walk).dossier["trained_before"])
    assert len(frame) > 100
    assert frame["opened_at"].min() >= trained_before
    known = frame[frame["bad"].notna()]
    assert known["opened_at"].max() < as_of - timedelta(days=3)  # the case type's maturity
    older = load_snapshot(walk.services, as_of).decisions
    learned = set(older["case_id"][older["opened_at"] < trained_before])
    assert len(learned) >= started(walk).dossier["rows"]
    assert not learned & set(frame["case_id"])


def test_a_nights_truth_ends_with_the_night(walk):
    """Labels that came later change nothing about an earlier night's certificate."""
    early, late = at_night(walk, 2), at_night(walk, -1)
    then, now = cohort_at(walk, early), cohort_at(walk, late)
    assert then["bad"].notna().sum() < now["bad"].notna().sum()
    told = next(one for one in walk.nights[2]["certificates"] if one["case_type"] == NAME)
    digest = current_generation(walk.services.ledger, walk.services.case_types, NAME).digest
    assert told["evidence_digest"] == evidence_digest(then, digest)
    assert told["evidence_digest"] != evidence_digest(now, digest)


@pytest.mark.parametrize("hours", [(-1, 0), (0, 1)], ids=["a row it saw", "a label of tomorrow"])
def test_a_proposal_on_such_rows_is_refused_and_the_refusal_kept(walk, hours):
    """One hour too early or too late is enough."""
    generation, now = (
        current_generation(walk.services.ledger, walk.services.case_types, NAME),
        at_night(walk, -1),
    )
    early, late = (timedelta(hours=one) for one in hours)
    said = ask(walk, generation.cohort_since + early, now + late, now)
    assert rule(said) == "evidence_is_unseen"
    assert walk.services.ledger.refusals(NAME)[-1].rule == "evidence_is_unseen"


def test_a_promotion_spends_no_evidence_and_opens_no_row_the_model_saw(walk):
    """One table of looks serves a model's whole life (METHODS 1.2): after a promotion its cohort
    begins with the same cases, and the hub refuses the earlier ones still."""
    services, now = walk.services, at_night(walk, -1)
    since, cut = (
        current_generation(services.ledger, services.case_types, NAME).cohort_since,
        now - timedelta(days=4),
    )
    proposal = ask(walk, since, cut, now)
    assert isinstance(proposal, Entry), proposal
    before = cohort_at(walk, now)
    approve_and_promote(services, NAME, str(proposal.policy_id), "ben", now)
    assert current_generation(services.ledger, services.case_types, NAME).cohort_since == since
    assert list(cohort_at(walk, now)["case_id"]) == list(before["case_id"])
    again = ask(walk, since - timedelta(hours=1), now, now, Boundary(0.002, None))
    assert rule(again) == "evidence_is_unseen"
