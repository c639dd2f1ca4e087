"""Each rule of each contract has one row that breaks it and nothing else."""

import pandas as pd
import pytest

from data_contracts import CONTRACTS, admit
from data_contracts.digests import row_digests
from data_contracts.reviews import REVIEW_DIGEST_COLUMNS
from tests.data_contracts.builders import (
    BUILDERS,
    OPENED,
    QUEUED,
    RESOLVED,
    context,
    outcomes,
    reviews,
    spoil,
)

BEFORE = OPENED - pd.Timedelta(hours=1)
FUTURE = pd.Timestamp("2026-03-01 12:06", tz="UTC")  # now plus the five minutes' skew plus one
TWIN = {"row": 1, "case_id": "as row 0"}

# contract, rule, cells of row 0 (or of `row`) to replace, which rows of the pair are rejected
CASES = [
    ("decisions", "case_id_is_plain", {"case_id": "../../x"}, [0]),
    ("decisions", "known_case_type", {"case_type": "lottery"}, [0]),
    ("decisions", "stamps_are_present", {"opened_at": None}, [0]),
    ("decisions", "stamps_are_present", {"decided_at": None}, [0]),
    ("decisions", "decided_after_opened", {"decided_at": BEFORE}, [0]),
    ("decisions", "no_stamp_from_the_future", {"decided_at": FUTURE}, [0]),
    ("decisions", "score_is_a_probability", {"score": 1.01}, [0]),
    ("decisions", "score_is_a_probability", {"score": None}, [0]),
    ("decisions", "known_recommendation", {"recommendation": "escalate"}, [0]),
    ("decisions", "known_recommendation", {"recommendation": None}, [0]),
    ("decisions", "known_action", {"action": "maybe"}, [0]),
    ("decisions", "known_action", {"action": None}, [0]),
    ("decisions", "propensity_is_recorded", {"propensity": 0.0}, [0]),
    ("decisions", "propensity_is_recorded", {"propensity": None}, [0]),
    ("decisions", "propensity_is_recorded", {"action": "escalate"}, [0]),
    ("decisions", "audited_is_known", {"audited": None}, [0]),
    ("decisions", "key_user_was_escalated", {"priority": 75}, [0]),
    ("decisions", "key_user_was_escalated", {"priority": None}, [0]),
    ("decisions", "priority_in_range", {"priority": -1}, [0]),
    ("decisions", "known_arm", {"arm": "both"}, [0]),
    ("decisions", "known_queue", {"queue": "lobby"}, [0]),
    ("cases", "case_id_is_plain", {"case_id": "../../x"}, [0]),
    ("cases", "known_case_type", {"case_type": "reset"}, [0]),
    ("cases", "stamps_are_present", {"opened_at": None}, [0]),
    ("cases", "no_stamp_from_the_future", {"opened_at": FUTURE}, [0]),
    ("cases", "priority_in_range", {"priority": 101}, [0]),
    ("cases", "amount_is_not_negative", {"amount_usd": -1.0}, [0]),
    ("cases", "case_id_appears_once", TWIN, [0, 1]),
    ("decisions", "policy_is_named", {"policy_id": " "}, [0]),
    ("decisions", "model_is_named", {"model_version": None}, [0]),
    ("decisions", "amount_is_not_negative", {"amount_usd": -0.01}, [0]),
    ("decisions", "amount_is_not_negative", {"amount_usd": float("inf")}, [0]),
    ("decisions", "known_category", {"network": "tor"}, [0]),
    ("decisions", "known_category", {"network": None}, [0]),
    ("decisions", "features_are_present", {"session_age": None}, [0]),
    ("decisions", "features_are_present", {"new_device": None}, [0]),
    ("decisions", "features_are_present", {"email_age": float("inf")}, [0]),
    ("decisions", "case_id_appears_once", {**TWIN, "score": 0.01}, [0, 1]),
    ("decisions", "not_delivered_twice_in_one_batch", TWIN, [1]),
    ("reviews", "review_id_is_plain", {"review_id": "a/b"}, [0]),
    ("reviews", "case_id_is_plain", {"case_id": None}, [0]),
    ("reviews", "revision_is_known", {"revision": None}, [0]),
    ("reviews", "revision_is_a_count", {"revision": -1}, [0]),
    ("reviews", "reviewer_is_named", {"reviewer_id": ""}, [0]),
    ("reviews", "known_team", {"team": "outhouse"}, [0]),
    ("reviews", "known_kind", {"kind": "third"}, [0]),
    ("reviews", "blind_is_known", {"blind": None}, [0]),
    ("reviews", "stamps_are_present", {"queued_at": None}, [0]),
    ("reviews", "stamps_are_present", {"resolved_at": None}, [0]),
    ("reviews", "resolved_after_queued", {"resolved_at": BEFORE}, [0]),
    ("reviews", "no_stamp_from_the_future", {"resolved_at": FUTURE}, [0]),
    ("reviews", "known_verdict", {"verdict": "shrug"}, [0]),
    ("reviews", "known_label", {"label": "T"}, [0]),
    ("reviews", "known_path", {"feedback_path": "D"}, [0]),
    ("reviews", "known_language", {"language": "fr"}, [0]),
    ("reviews", "known_language", {"language": None}, [0]),
    ("reviews", "decision_is_known", {"case_id": "stranger"}, [0]),
    ("reviews", "label_agrees_with_verdict", {"label": "TP"}, [0]),
    ("reviews", "escalation_carries_no_label", {"verdict": "escalate"}, [0]),
    ("reviews", "misjudged_case_names_a_path", {"verdict": "block", "label": "FN"}, [0]),
    ("reviews", "misjudged_case_names_a_path", {"verdict": "block", "label": None}, [0]),
    ("reviews", "annotation_under_three_sentences", {"annotation": "One. Two. Three."}, [0]),
    ("reviews", "revision_appears_once", {"row": 1, "review_id": "as row 0"}, [0, 1]),
    ("outcomes", "case_id_is_plain", {"case_id": None}, [0]),
    ("outcomes", "known_source", {"source": "rumour"}, [0]),
    ("outcomes", "bad_is_known", {"bad": None}, [0]),
    ("outcomes", "stamps_are_present", {"observed_at": None}, [0]),
    ("outcomes", "no_stamp_from_the_future", {"observed_at": FUTURE}, [0]),
    ("outcomes", "decision_is_known", {"case_id": "stranger"}, [0]),
    ("outcomes", "observed_after_opened", {"observed_at": BEFORE}, [0]),
    ("outcomes", "outcome_does_not_contradict_itself", {**TWIN, "bad": False}, [0, 1]),
    ("outcomes", "not_delivered_twice_in_one_batch", TWIN, [1]),
    ("history", "case_id_is_plain", {"case_id": ".hidden"}, [0]),
    ("history", "known_case_type", {"case_type": None}, [0]),
    ("history", "stamps_are_present", {"opened_at": None}, [0]),
    ("history", "no_stamp_from_the_future", {"opened_at": FUTURE}, [0]),
    ("history", "bad_is_true_false_or_unknown", {"bad": "perhaps"}, [0]),
    ("history", "bad_is_true_false_or_unknown", {"bad": 2}, [0]),
    ("history", "amount_is_not_negative", {"amount_usd": -1.0}, [0]),
    ("history", "priority_in_range", {"priority": 101}, [0]),
    ("history", "known_category", {"network": "HOME"}, [0]),
    ("history", "features_are_present", {"session_age": float("nan")}, [0]),
    ("history", "case_id_appears_once", TWIN, [0, 1]),
]


PAIR = 2  # each case has two valid rows of its own, of which it spoils one


@pytest.fixture(scope="module")
def broken_rules():
    """By contract: what each row broke, all cases in one batch because each admission costs time."""
    return {name: _broken_rules(name) for name in CONTRACTS}


def _broken_rules(name):
    cases = [cells for contract, _, cells, _ in CASES if contract == name]
    batch = BUILDERS[name](PAIR * len(cases))
    for number, cells in enumerate(cases):
        first = batch.iloc[PAIR * number]
        row, values = cells.get("row", 0), {k: v for k, v in cells.items() if k != "row"}
        told = {k: first[k] if str(v) == "as row 0" else v for k, v in values.items()}
        batch = spoil(batch, PAIR * number + row, **told)
    admission = admit(batch, CONTRACTS[name], context())
    assert admission.failed == ()
    return admission.rejected["broken_rules"].to_dict()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_a_minimal_bad_row_breaks_exactly_one_rule(case, broken_rules):
    """One spoiled row, one reason; the valid row beside it goes on."""
    name, rule, _, positions = case
    number = [other for other in CASES if other[0] == name].index(case)

    broken = {row: broken_rules[name].get(PAIR * number + row) for row in range(PAIR)}

    assert broken == {row: rule if row in positions else None for row in range(PAIR)}


def test_an_identical_review_is_admitted_once():
    """The first of two identical rows goes on, its copy is named."""
    batch = pd.concat([reviews(2), reviews(1)])

    admission = admit(batch, CONTRACTS["reviews"], context())

    assert admission.rejected["broken_rules"].to_dict() == {2: "not_delivered_twice_in_one_batch"}


COVERED_ELSEWHERE = {("reviews", "not_delivered_twice_in_one_batch")}  # the test just above


def test_the_table_covers_every_row_rule_of_every_contract():
    """A new rule needs a case here, and a deleted rule leaves a red one behind."""
    covered = {(name, rule) for name, rule, _, _ in CASES} | COVERED_ELSEWHERE
    rules = {(name, rule.name) for name in CONTRACTS for rule in CONTRACTS[name].row_rules}
    assert covered == rules


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_valid_frame_is_admitted_whole(name):
    """The builders' frames break nothing."""
    admission = admit(BUILDERS[name](), CONTRACTS[name], context())
    assert (admission.admitted, admission.quarantined) == (4, 0)


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_promise_of_the_schema_has_a_rule_that_keeps_it(name):
    """An empty cell in a column that is never empty costs the row, whichever column it is."""
    contract = CONTRACTS[name]
    promised = [column.name for column in contract.schema if not column.nullable]
    batch = BUILDERS[name](len(promised) + 1)
    for position, column in enumerate(promised):
        batch = spoil(batch, position, **{column: None})

    admission = admit(batch, contract, context())

    assert admission.rejected.index.tolist() == list(range(len(promised)))


def test_a_key_user_is_never_decided_automatically():
    """74 may be automated, 75 and a missing priority may not."""
    batch = BUILDERS["decisions"](6).assign(
        priority=pd.array([74, 75, 75, 75, None, None], dtype="Int64"),
        action=["auto_pass", "auto_pass", "auto_block", "escalate", "auto_pass", "escalate"],
        propensity=[0.1, 0.1, 0.1, 1.0, 0.1, 1.0],
    )
    admission = admit(batch, CONTRACTS["decisions"], context())
    rule = "key_user_was_escalated"
    assert admission.rejected["broken_rules"].to_dict() == {1: rule, 2: rule, 4: rule}


def test_a_case_that_cannot_be_scored_is_admitted_as_an_escalation():
    """No score, no recommendation, an unseen category and a missing feature: escalated is fine."""
    batch = spoil(
        BUILDERS["decisions"](1),
        score=None,
        recommendation=None,
        action="escalate",
        propensity=1.0,
        network="tor",
        session_age=None,
    )
    assert admit(batch, CONTRACTS["decisions"], context()).admitted == 1


def test_a_plain_case_id_can_stand_in_a_path_a_query_and_a_log():
    """64 plain characters and no way up a folder."""
    plain = ["a" * 64, "A-1_b:2.c", "0"]
    others = ["a" * 65, "", "a..b", "../../x", "'; DROP", "a\n", "a\x00", "é", "ａ", "a b"]
    batch = BUILDERS["outcomes"](len(plain + others)).assign(case_id=plain + others)

    admission = admit(batch, CONTRACTS["outcomes"], context(decisions=None))

    assert admission.rows["case_id"].tolist() == plain
    assert set(admission.rejected["broken_rules"]) == {"case_id_is_plain"}


def test_the_label_follows_from_what_agent_and_reviewer_said():
    """Positive means block: of four labels only the derived one is admitted."""
    labels = ["TP", "TN", "FP", "FN"]
    said = [("c0", "pass"), ("c0", "block"), ("c1", "pass"), ("c1", "block")]
    told = [(case_id, verdict, label) for case_id, verdict in said for label in labels]
    batch = reviews(16).assign(feedback_path="B")
    batch[["case_id", "verdict", "label"]] = told

    admission = admit(batch, CONTRACTS["reviews"], context())

    # (pass, pass), (pass, block), (block, pass), (block, block)
    assert admission.rows["label"].tolist() == ["TN", "FN", "FP", "TP"]


def test_a_redelivered_review_passes_and_a_changed_one_is_named():
    """Same revision: the stored content again is fine, other content is a conflict."""
    stored = reviews(2)
    stored = stored[["review_id", "revision"]].assign(
        row_digest=row_digests(stored, REVIEW_DIGEST_COLUMNS)
    )
    batch = spoil(reviews(3), 1, annotation="Another story.")

    admission = admit(batch, CONTRACTS["reviews"], context(stored_revisions=stored))

    assert admission.rejected["broken_rules"].to_dict() == {1: "revision_appears_once"}


def test_a_redelivered_outcome_passes_and_one_that_says_the_opposite_is_named():
    """Row 0 again; row 1 the other way round; row 2 an hour later; row 3 of another source."""
    stored = outcomes(4)
    batch = spoil(spoil(spoil(outcomes(4), 1, bad=False), 2, bad=False), 3, bad=False)
    batch = spoil(batch, 2, observed_at=RESOLVED + pd.Timedelta(hours=1))
    batch = spoil(batch, 3, source="appeal")

    admission = admit(batch, CONTRACTS["outcomes"], context(stored_outcomes=stored))

    named = {1: "outcome_does_not_contradict_itself"}
    assert admission.rejected["broken_rules"].to_dict() == named


def test_a_digest_depends_on_what_a_row_says_and_not_on_how_it_is_stored():
    """int64 or Int64, bool or boolean, microseconds or nanoseconds, UTC or not: one digest."""
    plain = reviews(3)
    stored = plain.astype({"revision": "Int64", "blind": "boolean"}).assign(
        queued_at=plain["queued_at"].dt.as_unit("ns").dt.tz_convert("Asia/Shanghai")
    )
    as_delivered = row_digests(plain, REVIEW_DIGEST_COLUMNS)

    assert as_delivered.tolist() == row_digests(stored, REVIEW_DIGEST_COLUMNS).tolist()
    assert len(set(as_delivered.tolist())) == 3
    assert {QUEUED, RESOLVED} == {*plain["queued_at"], *plain["resolved_at"]}
