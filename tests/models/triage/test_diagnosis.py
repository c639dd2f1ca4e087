"""One verdict a case type: none, A, B, C, mixed, unknown; and what it is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.triage import Cause, TriageEvidence, TriagePlan, diagnose, findings_of
from models.vocabulary import Costs, FeedbackPath
from tests.models.triage.worlds import evidence

COSTS = Costs(review_usd=4.0, false_positive_usd=40.0, false_negative_usd=400.0)


def misread(told: TriageEvidence, ring: str, share: float, seed: int = 1) -> TriageEvidence:
    here = (told.segments["ring"] == ring) & (
        np.random.default_rng(seed).random(len(told.margin)) < share
    )
    margin = np.where(here, -told.margin, told.margin)
    return TriageEvidence(margin, told.bad, told.contributions, told.raw, told.segments, told.notes)


def test_a_sound_score_has_no_cause() -> None:
    found = diagnose(evidence(61, 12_000))
    assert found.cause is Cause.NONE
    assert findings_of("case", evidence(61, 12_000), found, COSTS) == []


def test_a_biased_weight_is_a() -> None:
    told = evidence(62, 12_000, wrong={"age": 1.8})
    found = diagnose(told)
    assert found.cause is Cause.FEATURE_WEIGHT
    (finding,) = findings_of("case", told, found, COSTS)
    assert (finding.path, finding.subject, finding.slice) == (
        FeedbackPath.FEATURE_WEIGHT, "age", "all",
    )  # fmt: skip
    assert finding.fires
    assert "too high" in finding.sentence


def test_a_weight_reversed_in_one_segment_names_the_segment() -> None:
    told = evidence(63, 20_000, wrong={"speed": -1.0}, ring="south")
    (finding,) = findings_of("case", told, diagnose(told), COSTS)
    assert (finding.subject, finding.slice) == ("speed", "ring=south")
    assert "points the wrong way" in finding.sentence


def test_a_flattened_score_is_b() -> None:
    plain = evidence(64, 12_000)
    assert plain.contributions is not None
    told = TriageEvidence(
        0.6 * plain.margin + 0.5, plain.bad, plain.contributions * 0.6, plain.raw, plain.segments
    )
    found = diagnose(told)
    assert found.cause is Cause.THRESHOLD
    (finding,) = findings_of("case", told, found, COSTS)
    assert finding.subject == "score"
    assert not finding.fires


def test_a_misread_slice_is_c_and_blames_no_weight() -> None:
    """Three in ten cases of `west` read backwards: one pattern, found by its slice."""
    told = misread(evidence(65, 20_000), "west", 0.3)
    found = diagnose(told)
    assert found.cause is Cause.PROCEDURE, [one.told for one in found.gaps]
    (finding,) = findings_of("case", told, found, COSTS)
    assert finding.subject == "slice=ring=west"
    assert finding.effect > 1.5


def test_a_biased_weight_and_a_misread_slice_are_mixed() -> None:
    told = misread(evidence(66, 20_000, wrong={"age": 2.0}), "north", 0.3)
    found = diagnose(told)
    assert found.cause is Cause.MIXED
    paths = {one.path.value for one in findings_of("case", told, found, COSTS)}
    assert {"A", "C"} <= paths


def test_errors_that_nothing_explains_are_unknown() -> None:
    """One case in ten read backwards, and nothing else known about the cases: too many errors, and
    nowhere to look (with margins of interest wide enough to let A and B pass)."""
    plain = evidence(67, 20_000)
    flipped = np.random.default_rng(67).random(20_000) < 0.1
    told = TriageEvidence(
        np.where(flipped, -plain.margin, plain.margin), plain.bad, plain.contributions
    )
    lenient = TriagePlan(weight_margin=5.0, ignored_margin=5.0, calibration_margin=5.0)
    assert diagnose(told, lenient).cause is Cause.UNKNOWN


def test_money_is_what_the_blamed_errors_cost() -> None:
    """Every blamed error is a false positive or a false negative of the score."""
    told = evidence(68, 12_000, wrong={"age": 2.0})
    (finding,) = findings_of("case", told, diagnose(told), COSTS)
    false_positives = (finding.money_usd - 400.0 * finding.errors) / (40.0 - 400.0)
    assert false_positives == pytest.approx(round(false_positives))
    assert 0 <= false_positives <= finding.errors


def test_reviewers_who_mark_another_cause_are_named_as_disagreeing() -> None:
    plain = evidence(69, 12_000, wrong={"age": 2.0})
    wrong = (plain.margin >= 0) != plain.bad
    notes = pd.DataFrame({"feedback_path": np.where(wrong, "B", "none")})
    told = TriageEvidence(
        plain.margin, plain.bad, plain.contributions, plain.raw, plain.segments, notes
    )
    (finding,) = findings_of("case", told, diagnose(told), COSTS)
    assert finding.marks["B"] == finding.errors
    assert "The reviewers disagree" in finding.sentence


def test_a_clause_with_too_many_errors_is_named_beside_its_slice() -> None:
    """Reviewers cite C-7 on most of the misread cases, and any clause on the others."""
    plain = evidence(70, 20_000)
    told = misread(plain, "west", 0.3)
    flipped = told.margin != plain.margin
    generator = np.random.default_rng(70)
    clause = generator.choice(np.array(["C-1", "C-2", "C-3", "C-7"], dtype=object), 20_000)
    clause[flipped & (generator.random(20_000) < 0.8)] = "C-7"
    with_notes = TriageEvidence(
        told.margin, told.bad, told.contributions, told.raw, told.segments,
        pd.DataFrame({"sop_clause": clause}),
    )  # fmt: skip
    found = diagnose(with_notes)
    assert found.cause is Cause.PROCEDURE
    assert any("sop_clause C-7" in gap.also or gap.value == "C-7" for gap in found.gaps)


def test_without_contributions_type_a_is_not_estimable_and_the_rest_is_judged() -> None:
    plain = evidence(71, 12_000)
    told = TriageEvidence(0.6 * plain.margin + 0.5, plain.bad, None, plain.raw)
    found = diagnose(told)
    assert found.cause is Cause.THRESHOLD
    assert any("not estimable" in one.why for one in found.unjudged)


@pytest.mark.parametrize("bad", [np.zeros(300, bool), np.ones(300, bool), np.zeros(3, bool)])
def test_one_class_or_too_few_cases_are_said_and_not_judged(bad: np.ndarray) -> None:
    found = diagnose(TriageEvidence(np.zeros(len(bad)), bad))
    assert found.cause is Cause.NONE
    assert "labelled cases" in found.unjudged[0].why


def test_the_name_of_a_pattern_does_not_move_with_the_cases() -> None:
    """Two nights with other cases: the same planted pattern, the same ticket."""
    nights = [misread(evidence(seed, 20_000), "west", 0.3) for seed in (72, 73)]
    names = [
        {one.pattern_id for one in findings_of("case", told, diagnose(told), COSTS)}
        for told in nights
    ]
    assert names[0] == names[1]


def test_a_threshold_is_blamed_for_the_errors_that_recalibration_mends_and_no_others() -> None:
    """By hand: cases on the wrong side of even odds whose recalibrated odds are on the right one, at
    $40 a false positive and $400 a false negative."""
    plain = evidence(64, 12_000)
    told = TriageEvidence(
        plain.margin + 1.0, plain.bad, plain.contributions, plain.raw, plain.segments
    )
    diagnosis = diagnose(told)
    finding = next(
        one for one in findings_of("case", told, diagnosis, COSTS) if one.subject == "score"
    )
    assert diagnosis.calibration is not None
    middle = float(told.margin.mean())
    after = (
        (told.margin - middle) * diagnosis.calibration.slope + middle + diagnosis.calibration.shift
    )
    wrong, still = (told.margin >= 0.0) != told.bad, (after >= 0.0) != told.bad
    blamed = wrong & ~still
    assert 0 < blamed.sum() < min(wrong.sum(), (~still).sum())
    assert finding.errors == blamed.sum()
    assert (
        finding.money_usd == 40.0 * (blamed & ~told.bad).sum() + 400.0 * (blamed & told.bad).sum()
    )


def test_a_weight_that_points_the_wrong_way_tells_both_ends_of_its_interval() -> None:
    """Reversed: the share that is too much, from the nearer end of the interval to the farther."""
    told = evidence(65, 12_000, wrong={"age": -1.0})
    (finding,) = [
        one for one in findings_of("case", told, diagnose(told), COSTS) if one.subject == "age"
    ]
    ends = sorted((abs(finding.low), abs(finding.high)))
    assert ends[1] - ends[0] > 0.02
    assert f"95 % interval {ends[0]:.0%} to {ends[1]:.0%}" in finding.sentence
