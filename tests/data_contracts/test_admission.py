"""A batch splits into admitted rows and explained rejects, and fails closed."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import CONTRACTS, Trailing, admission, admit, reject_report
from data_contracts.admission import engine
from data_contracts.contract import BatchRule, RowRule
from tests.data_contracts.builders import (
    BUILDERS,
    OPENED,
    context,
    decisions,
    history,
    outcomes,
    reviews,
    spoil,
)

REVIEWS, HISTORY = CONTRACTS["reviews"], CONTRACTS["history"]
SECRET = "passport-X1234567"


def with_rule(contract, rule):
    """The contract with one more row rule."""
    return replace(contract, row_rules=(*contract.row_rules, rule))


def assert_nothing_admitted(result, rule, rows):
    """Every row is quarantined under the batch rule, and a sentence says why."""
    assert (result.rows_in, result.admitted, result.quarantined) == (rows, 0, rows)
    assert set(result.rejected["broken_rules"]) == ({f"batch:{rule}"} if rows else set())
    assert result.batch_judgements[rule].startswith("failed: ")
    assert len(result.failed) == 1


def test_ten_kinds_of_bad_rows_have_ten_named_reasons():
    """One file, ten broken rows, ten names; the two good rows go on."""
    batch = reviews(12)
    for row, cells in enumerate(
        [
            {"case_id": "../x", "verdict": "escalate", "label": None},
            {"label": "FN", "feedback_path": "A"},
            {"verdict": "escalate"},
            {"verdict": "pass", "label": "FP"},
            {"annotation": "One. Two. Three."},
            {"resolved_at": OPENED},
            {"team": "outhouse"},
            {"reviewer_id": None},
            {"language": "fr"},
            {"revision": -1},
        ]
    ):
        batch = spoil(batch, row, **cells)

    result = admit(batch, REVIEWS, context())

    assert result.rejected["broken_rules"].tolist() == [
        "case_id_is_plain; decision_is_known",
        "label_agrees_with_verdict",
        "escalation_carries_no_label",
        "misjudged_case_names_a_path",
        "annotation_under_three_sentences",
        "resolved_after_queued",
        "known_team",
        "reviewer_is_named",
        "known_language",
        "revision_is_a_count",
    ]
    assert result.admitted == 2


def test_a_row_carries_every_rule_it_broke():
    """Five things wrong with one row are five names, in the contract's order."""
    batch = spoil(
        reviews(2), case_id="no/pe", team="x", verdict="y", language="fr", annotation="A. B. C."
    )
    result = admit(batch, REVIEWS, context())
    assert result.rejected["broken_rules"].tolist() == [
        "case_id_is_plain; known_team; known_verdict; known_language; decision_is_known; "
        "annotation_under_three_sentences"
    ]
    assert sum(result.rejections.values()) == 6


def test_rejects_keep_their_cells_and_a_returned_reject_file_is_read_anew():
    """Rejects stand as delivered; an old `broken_rules` column is no cell of the source."""
    batch = spoil(reviews(2), team="x").assign(ticket="T-1")
    rejected = admit(batch, REVIEWS, context()).rejected
    assert rejected[batch.columns].iloc[0].dropna().to_dict() == batch.iloc[0].dropna().to_dict()

    repaired = admit(rejected.assign(team="bpo"), REVIEWS, context())
    assert (repaired.admitted, "ticket" in repaired.rows.columns) == (1, False)


def test_admitted_rows_have_the_types_of_the_schema():
    """Whatever the source stored, admitted columns have one type each; features stay."""
    batch = decisions().assign(audited=0, case_type=pd.Categorical(["ato"] * 4), priority=10.0)
    rows = admit(batch, CONTRACTS["decisions"], context()).rows
    assert {name: str(rows[name].dtype) for name in ("case_id", "opened_at", "audited")} == {
        "case_id": "str",
        "opened_at": "datetime64[us, UTC]",
        "audited": "bool",
    }
    assert str(rows["priority"].dtype) == "Int64"
    assert rows["session_age"].tolist() == [3.5, 3.5, 3.5, 3.5]
    assert rows["region"].tolist() == ["eu", "eu", "eu", "eu"]


def test_history_fills_what_it_may_leave_out_and_leaves_truth_unknown():
    """No amount and no priority column: both 0; an empty `bad` stays empty."""
    batch = spoil(history(2), bad=None).drop(columns=["amount_usd", "priority"])
    rows = admit(batch, CONTRACTS["history"], context()).rows
    assert rows[["amount_usd", "priority"]].to_numpy().tolist() == [[0, 0], [0, 0]]
    assert rows["bad"].isna().tolist() == [True, False]


def test_missing_columns_are_all_named_with_those_that_are_there():
    """One sentence, every missing column, what there is and how to map it."""
    batch = outcomes(2).rename(columns={"bad": "fraud", "source": "origin"})
    result = admit(batch, CONTRACTS["outcomes"], context())
    assert_nothing_admitted(result, "columns_are_there", 2)
    assert result.failed == (
        "2 columns are missing from outcomes: 'bad', 'source'. There are: 'case_id', "
        "'observed_at', 'fraud', 'origin'. Map them under `columns:` in the source file.",
    )


@pytest.mark.parametrize(
    ("name", "column", "values"),
    [
        ("outcomes", "observed_at", pd.Series(pd.Timestamp("2026-02-27"), index=range(4))),
        ("outcomes", "observed_at", ["2026-02-27", "x", "y", "z"]),
        ("outcomes", "bad", ["ja", "nein", "ja", "nein"]),
        ("outcomes", "bad", [0, 1, 2, 3]),
        ("outcomes", "case_id", [1.5, 2.5, 3.5, 4.5]),
        ("decisions", "score", ["high"] * 4),
        ("decisions", "priority", [1.5] * 4),
        ("decisions", "session_age", ["long"] * 4),
        ("decisions", "reasoning", [1, 2, 3, 4]),
        ("decisions", "amount_usd", pd.Series([10**400, 1, 2, 3], dtype=object)),
        ("decisions", "session_age", pd.Series([10**400, 1, 2, 3], dtype=object)),
        ("outcomes", "source", pd.Series(["\ud800 high"] * 4, dtype=object)),  # half a character
    ],
)
def test_a_column_of_the_wrong_type_fails_the_batch(name, column, values):
    """The column is named; its values are not."""
    batch = BUILDERS[name]().assign(**{column: values})
    result = admit(batch, CONTRACTS[name], context())
    assert_nothing_admitted(result, "types_fit", 4)
    assert column in result.failed[0]
    assert "high" not in result.failed[0]


@pytest.mark.parametrize("name", CONTRACTS)
def test_an_empty_batch_fails(name):
    """Great Expectations would pass it."""
    result = admit(BUILDERS[name]().iloc[:0], CONTRACTS[name], context())
    assert_nothing_admitted(result, "batch_is_not_empty", 0)


def test_a_contract_without_rules_admits_nothing():
    """What checks nothing proves nothing."""
    result = admit(reviews(), replace(REVIEWS, row_rules=()), context())
    assert_nothing_admitted(result, "contract_has_rules", 4)


def raising(frame, _context):
    raise RuntimeError(f"cannot judge {frame['reviewer_id'].iloc[0]}")


@pytest.mark.parametrize(
    "holds",
    [
        raising,
        lambda frame, _: pd.Series([True, None, True, True], dtype="boolean"),
        lambda frame, _: pd.Series([True]),
        lambda frame, _: frame["revision"],
    ],
)
def test_a_rule_that_does_not_answer_fails_the_batch(holds):
    """Raised, null, too short or no boolean: never zero bad rows."""
    contract = with_rule(REVIEWS, RowRule("odd_rule", ("revision",), "Odd.", holds))
    assert_nothing_admitted(admit(reviews(), contract, context()), "odd_rule", 4)


def test_two_roads_that_disagree_fail_the_batch():
    """A mask that lets everything through is caught by the native expectation."""
    rules = {rule.name: rule for rule in REVIEWS.row_rules}
    deaf = replace(rules["known_team"], holds=lambda frame, _: pd.Series(True, index=frame.index))
    contract = replace(REVIEWS, row_rules=tuple({**rules, "known_team": deaf}.values()))
    result = admit(spoil(reviews(), team="outhouse"), contract, context())
    assert_nothing_admitted(result, "known_team", 4)
    assert "disagree (0 against 1 failing rows)" in result.failed[0]


def test_an_expectation_that_raises_inside_fails_the_batch(monkeypatch):
    """Great Expectations hides exceptions inside `success: False`; here the column is not there."""
    original = engine._expectation

    def on_a_missing_column(rule):
        expectation = original(rule)
        if rule.name == "known_team":
            expectation.column = "nowhere"
        return expectation

    monkeypatch.setattr(engine, "_expectation", on_a_missing_column)
    result = admit(reviews(), REVIEWS, context())
    assert_nothing_admitted(result, "known_team", 4)
    assert "raised inside" in result.failed[0]


def test_great_expectations_itself_raising_fails_the_batch(monkeypatch):
    """The engine's own failure is a failed batch, by its type only."""

    def broken():
        raise OSError(SECRET)

    monkeypatch.setattr(engine, "_batch_definition", broken)
    result = admit(reviews(), REVIEWS, context())
    assert_nothing_admitted(result, "great_expectations", 4)
    assert "OSError" in result.failed[0]
    assert SECRET not in result.failed[0]


def test_an_expectation_that_gives_no_answer_fails_the_batch(monkeypatch):
    """One missing result is not one passed rule."""
    original = engine._run_suite
    monkeypatch.setattr(engine, "_run_suite", lambda judged, rules: original(judged, rules)[1:])
    assert_nothing_admitted(admit(reviews(), REVIEWS, context()), "great_expectations", 4)


@pytest.mark.parametrize("kind", ["row", "rule", "type"])
def test_a_secret_in_a_bad_row_stays_in_the_rejected_row(kind, caplog, capfd):
    """No message, judgement, repr, log or console line holds it; the rejects do."""
    batch = spoil(reviews(), team=SECRET, case_id=SECRET + "/", reviewer_id=SECRET)
    contract = REVIEWS
    if kind == "rule":
        contract = with_rule(REVIEWS, RowRule("odd_rule", ("team",), "Odd.", raising))
    if kind == "type":
        batch = spoil(batch, revision=SECRET)
    with caplog.at_level(logging.DEBUG):
        result = admit(batch, contract, context())
    console = capfd.readouterr()
    told = [
        repr(result), reject_report(result), *result.failed, *result.batch_judgements.values(),
        *result.rejections, *result.rejected["broken_rules"], caplog.text, console.out, console.err,
    ]  # fmt: skip
    assert not [text for text in told if SECRET in text]
    assert result.rejected["team"].iloc[0] == SECRET


def test_the_report_names_rules_by_how_many_rows_broke_them():
    """Most frequent first, with what would work."""
    batch = spoil(spoil(reviews(), 0, team="x"), 1, team="y", kind="z")
    lines = reject_report(admit(batch, REVIEWS, context())).splitlines()
    assert lines == [
        "2 rows: known_team: team must be one of in_house, bpo.",
        "1 row: known_kind: kind must be one of escalation, audit, second, senior, gold.",
    ]


def past(rate=0.5, rows=400.0, deliveries=5):
    return {"ato": Trailing(base_rate=rate, rows_expected=rows, deliveries=deliveries)}


def one_class(rows):
    even = reviews(2 * rows).iloc[::2]
    return even.assign(reviewer_id=[f"p{number % 5}" for number in range(rows)])


def bad_in(bad, rows):
    return reviews(rows).assign(verdict=["block"] * bad + ["pass"] * (rows - bad))


def one_reviewer_has(share, rows=200, others=5):
    number = np.arange(rows)
    names = np.where(number < share * rows, "busy", "p" + pd.Series(number % others).astype(str))
    return reviews(rows).assign(reviewer_id=names)


@pytest.mark.parametrize(
    ("batch", "trailing", "rule", "verdict"),
    [
        (one_class(200), None, "more_than_one_class", "failed"),
        (one_class(199), None, "more_than_one_class", "too_few_to_judge"),
        (reviews(400), past(rate=0.2), "base_rate_near_trailing", "failed"),
        (reviews(400), past(rate=0.3), "base_rate_near_trailing", "passed"),  # within a factor of 2
        # Above a factor of 2: 4 standard deviations of 2 % in 200 rows are 4 points.
        (bad_in(9, 200), past(rate=0.02), "base_rate_near_trailing", "passed"),
        # An exact tail: 14 or more of 200 at 2 % come once in 17,000.
        (bad_in(14, 200), past(rate=0.02), "base_rate_near_trailing", "passed"),
        (bad_in(15, 200), past(rate=0.02), "base_rate_near_trailing", "failed"),
        (bad_in(1, 200), past(rate=0.02), "base_rate_near_trailing", "passed"),
        (bad_in(191, 200), past(rate=0.98), "base_rate_near_trailing", "passed"),
        (reviews(199), past(rate=0.01), "base_rate_near_trailing", "too_few_to_judge"),
        (reviews(400), None, "base_rate_near_trailing", "too_few_to_judge"),
        (reviews(101), past(rows=20.0), "volume_near_trailing", "failed"),
        (reviews(100), past(rows=20.0), "volume_near_trailing", "passed"),
        (reviews(10), past(rows=60.0), "volume_near_trailing", "failed"),
        (reviews(10), past(rows=60.0, deliveries=4), "volume_near_trailing", "too_few_to_judge"),
        (one_reviewer_has(0.30), None, "no_reviewer_above_cap", "failed"),
        (one_reviewer_has(0.25), None, "no_reviewer_above_cap", "passed"),
        (one_reviewer_has(0.9, rows=199), None, "no_reviewer_above_cap", "too_few_to_judge"),
        (one_reviewer_has(0.4, others=2), None, "no_reviewer_above_cap", "passed"),
        (one_reviewer_has(0.9, others=2), None, "no_reviewer_above_cap", "failed"),
        (one_reviewer_has(1.0), None, "no_reviewer_above_cap", "failed"),
    ],
)
def test_batch_rules_find_what_is_far_from_usual_and_say_when_they_cannot_judge(
    batch, trailing, rule, verdict
):
    """Each limit from both sides."""
    judged = {known.name: known for known in REVIEWS.batch_rules}[rule]
    typed = admission.read_types(batch.reset_index(drop=True), REVIEWS)
    assert judged.judge(typed, context(trailing=trailing)).verdict == verdict


def test_a_strange_population_is_admitted_and_said():
    """One class only: the rows are admitted, and what they say waits (issue 12)."""
    admitted = admit(one_class(200), REVIEWS, context())
    assert (admitted.admitted, admitted.quarantined, admitted.failed) == (200, 0, ())
    assert admitted.held == ("All 200 observed rows have one label.",)


def test_a_batch_rule_that_raises_admits_nothing():
    """What could not be judged is never sound."""

    def judge(frame, _):
        raise KeyError(frame["reviewer_id"].iloc[0])

    broken = replace(REVIEWS, batch_rules=(BatchRule("raises", "It raises.", judge),))
    judged = admit(reviews(3), broken, context())
    assert (judged.admitted, judged.quarantined) == (0, 3)
    assert set(judged.rejected["broken_rules"]) == {"batch:raises"}
    assert judged.failed == (
        "The rule 'raises' raised KeyError; nothing is admitted until it is repaired.",
    )


def test_history_is_admitted_without_a_look_at_its_labels():
    """All good is no reason to refuse a past, and no judgement of it looks at a label."""
    contract = CONTRACTS["history"]
    known = admit(history(400), contract, context())
    hidden = admit(history(400).assign(bad=False), contract, context())
    assert known.rejections == hidden.rejections == {}
    assert known.batch_judgements == hidden.batch_judgements
    assert contract.batch_rules == ()


def test_no_verdict_on_a_past_row_depends_on_its_label():
    """Turning every label around changes no reject, not even among rows of one case."""
    batch = pd.concat([history(4), history(2).assign(bad=True)])
    batch = spoil(batch, 3, network="tor")
    turned = batch.assign(bad=~batch["bad"])
    rejects = [
        admit(told, CONTRACTS["history"], context()).rejected["broken_rules"].to_dict()
        for told in (batch, turned)
    ]
    assert rejects[0] == rejects[1] != {}


WORDS = [None, "", "x", "../..", "TN", "escalate", "block", "pass", "c0", "一。二。三。"]
NUMBERS = [None, -1, 0, 1, 75, 101]
STAMPS = [None, OPENED, OPENED - pd.Timedelta(days=1), OPENED + pd.Timedelta(days=9)]
STRANGE = [True, 2, 1e308, float("inf"), "x", OPENED]


def corruptions(column):
    """Mostly values that fit the column's type, so that rules and not only types are tried."""
    fitting = WORDS
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        fitting = STAMPS
    elif pd.api.types.is_bool_dtype(column.dtype):
        fitting = [None, True, False]
    elif pd.api.types.is_numeric_dtype(column.dtype):
        fitting = NUMBERS
    return st.integers(0, 9).flatmap(lambda die: st.sampled_from(STRANGE if die == 9 else fitting))


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_rows_in_are_rows_admitted_plus_rows_quarantined(data):
    """Whatever is done to whichever cells, no row is lost and none is made."""
    name = data.draw(st.sampled_from(sorted(CONTRACTS)))
    batch = BUILDERS[name](4)
    for _ in range(data.draw(st.integers(0, 4))):
        column = data.draw(st.sampled_from(sorted(batch.columns)))
        cell = {column: data.draw(corruptions(BUILDERS[name](4)[column]))}
        batch = spoil(batch, data.draw(st.integers(0, len(batch) - 1)), **cell)
    batch = batch.iloc[data.draw(st.lists(st.integers(0, 3), max_size=8))]

    result = admit(batch, CONTRACTS[name], context())

    assert result.rows_in == len(batch) == len(result.rows) + len(result.rejected)
    assert result.rejected["broken_rules"].ne("").all()
    whole_batch = result.rejected["broken_rules"].str.startswith("batch:")
    assert whole_batch.all() if result.failed else not whole_batch.any()


PROMISED = [
    pytest.param(contract, column.name, id=f"{contract.name}-{column.name}")
    for contract in CONTRACTS.values()
    for column in contract.schema
    if not column.nullable
]


@pytest.mark.parametrize(("contract", "column"), PROMISED)
def test_a_contract_that_lost_a_columns_rules_admits_nothing(contract, column):
    """No rule looks at a column that must not be empty: the batch fails and says so."""
    others = tuple(rule for rule in contract.row_rules if column not in rule.columns)
    batch = spoil(BUILDERS[contract.name](3), 1, **{column: None})

    result = admit(batch, replace(contract, row_rules=others), context())

    assert_nothing_admitted(result, "admitted_rows_fit_the_schema", 3)
    assert f"{column!r} cannot be empty" in result.failed[0]


def test_a_stray_value_that_no_rule_rejects_fails_the_batch():
    """`bad` holds a word, and the rule that names such rows is gone."""
    rules = tuple(r for r in HISTORY.row_rules if r.name != "bad_is_true_false_or_unknown")
    result = admit(spoil(history(3), bad=SECRET), replace(HISTORY, row_rules=rules), context())
    assert_nothing_admitted(result, "admitted_rows_fit_the_schema", 3)
    assert SECRET not in result.failed[0]


def test_rules_beyond_the_limit_are_named_without_their_reasons():
    """A row that breaks many rules shows the first ones whole."""
    rules = {"known_verdict": 3, "decision_is_known": 2, "score_is_probability": 1}
    judged = SimpleNamespace(
        rejections=rules, failed=(), contract=SimpleNamespace(explain=lambda rule: "why")
    )
    assert reject_report(judged, limit=1).splitlines() == [
        "3 rows: known_verdict: why",
        "and 2 more rules: decision_is_known, score_is_probability",
    ]
