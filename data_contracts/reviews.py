"""Which labels of reviewers may come in?"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from data_contracts.annotation import MOST_SENTENCES, count_sentences
from data_contracts.batch_rules import (
    base_rate_near_trailing,
    more_than_one_class,
    volume_near_trailing,
)
from data_contracts.contract import (
    STAMP,
    AdmissionContext,
    BatchJudgement,
    BatchRule,
    Contract,
    RowRule,
)
from data_contracts.digests import row_digests
from data_contracts.row_rules import (
    decision_is_known,
    has_rival,
    in_order,
    is_between,
    is_known,
    is_named,
    is_one_of,
    is_plain,
    no_stamp_from_the_future,
    not_delivered_twice_in_one_batch,
    stamps_are_present,
    stored_decision,
)
from models.drift.levels import FEWEST_TO_JUDGE
from models.truth.reviewer_share import REVIEWER_CAP, share_limit
from models.vocabulary import FeedbackPath, Recommendation, ReviewLabel, ReviewVerdict

TEAMS = ("in_house", "bpo")
KINDS = ("escalation", "audit", "second", "senior", "gold")
LANGUAGES = ("en", "zh")
LAST_REVISION = 2**31 - 1

SCHEMA = pa.schema(
    [
        pa.field("review_id", pa.string(), nullable=False),
        pa.field("case_id", pa.string(), nullable=False),
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("reviewer_id", pa.string(), nullable=False),
        pa.field("team", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("blind", pa.bool_(), nullable=False),
        pa.field("queued_at", STAMP, nullable=False),
        pa.field("resolved_at", STAMP, nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("feedback_path", pa.string()),
        pa.field("root_cause", pa.string()),
        pa.field("feature_ref", pa.string()),
        pa.field("sop_clause", pa.string()),
        pa.field("annotation", pa.string()),
        pa.field("language", pa.string(), nullable=False),
    ]
)
REVIEW_DIGEST_COLUMNS = tuple(SCHEMA.names)
"""What `stored_revisions.row_digest` is made of (row_digests over these columns)."""

_KEY = ("review_id", "revision")
_LABELS = {
    (Recommendation.BLOCK.value, ReviewVerdict.BLOCK.value): ReviewLabel.TRUE_POSITIVE.value,
    (Recommendation.PASS.value, ReviewVerdict.PASS.value): ReviewLabel.TRUE_NEGATIVE.value,
    (Recommendation.BLOCK.value, ReviewVerdict.PASS.value): ReviewLabel.FALSE_POSITIVE.value,
    (Recommendation.PASS.value, ReviewVerdict.BLOCK.value): ReviewLabel.FALSE_NEGATIVE.value,
}
_MISJUDGED = (ReviewLabel.FALSE_POSITIVE.value, ReviewLabel.FALSE_NEGATIVE.value)
_PATHS = tuple(path.value for path in FeedbackPath if path is not FeedbackPath.NONE)


def derived_label(recommendation: pd.Series, verdict: pd.Series) -> pd.Series:
    """TP, TN, FP or FN from what the agent said and what the reviewer said; positive means block.

    Null where the verdict leaves the case open or either word is not known.
    """
    spoken = recommendation.astype("str") + "|" + verdict.astype("str")
    return spoken.map({f"{agent}|{person}": label for (agent, person), label in _LABELS.items()})


def _derived(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    return derived_label(stored_decision(frame, context, "recommendation"), frame["verdict"])


def _label_agrees_with_verdict(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    # A label outside the vocabulary is known_label's to reject; a missing one can be derived.
    stated, derived = frame["label"], _derived(frame, context)
    comparable = derived.notna() & stated.isin([label.value for label in ReviewLabel])
    return ~comparable | stated.eq(derived).fillna(False).astype(bool)


def _escalation_carries_no_label(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
    return ~frame["verdict"].eq(ReviewVerdict.ESCALATE.value) | frame["label"].isna()


def _misjudged_case_names_a_path(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    closed = ~frame["verdict"].eq(ReviewVerdict.ESCALATE.value)
    label = frame["label"].fillna(_derived(frame, context))
    # A word outside the vocabulary is known_path's to reject.
    named = frame["feedback_path"].notna() & frame["feedback_path"].ne(FeedbackPath.NONE.value)
    return ~(closed & label.isin(_MISJUDGED)) | named.fillna(False).astype(bool)


def _annotation_under_three_sentences(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
    return count_sentences(frame["annotation"], frame["language"]).le(MOST_SENTENCES)


def _revision_appears_once(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    rivals = has_rival(frame, _KEY, REVIEW_DIGEST_COLUMNS)
    if context.stored_revisions is not None:
        rivals |= _differs_from_store(frame, context.stored_revisions)
    return ~rivals


def _differs_from_store(frame: pd.DataFrame, stored: pd.DataFrame) -> pd.Series:
    keys = list(_KEY)
    whole = frame[keys].dropna()
    arrived = whole.astype({"revision": "int64"}).assign(_position=whole.index)
    known = stored[[*keys, "row_digest"]].astype({"review_id": "str", "revision": "int64"})
    meets = arrived.merge(known, on=keys)
    digests = row_digests(frame.loc[meets["_position"]], REVIEW_DIGEST_COLUMNS)
    changed = meets["row_digest"].to_numpy() != digests
    return pd.Series(frame.index.isin(meets.loc[changed, "_position"]), index=frame.index)


def _bad(frame: pd.DataFrame) -> pd.Series:
    verdict = frame["verdict"]
    closed = verdict.ne(ReviewVerdict.ESCALATE.value)
    return verdict.eq(ReviewVerdict.BLOCK.value).astype("boolean").where(closed)


def _no_reviewer_above_cap(frame: pd.DataFrame, context: AdmissionContext) -> BatchJudgement:
    if len(frame) < FEWEST_TO_JUDGE:
        return BatchJudgement.too_few(f"{len(frame)} rows")
    shares = frame["reviewer_id"].value_counts(normalize=True)
    largest, limit = float(shares.iloc[0]), share_limit(len(shares), context.reviewer_share_cap)
    if largest > limit or len(shares) == 1:
        return BatchJudgement.failed(
            f"One of {len(shares)} reviewers supplies {largest:.0%} of {len(frame)} reviews; "
            f"at most {limit:.0%} are allowed."
        )
    return BatchJudgement.passed()


REVIEWS = Contract(
    name="reviews",
    schema=SCHEMA,
    required=tuple(SCHEMA.names),
    key=_KEY,
    row_rules=(
        is_plain("review_id_is_plain", "review_id"),
        is_plain("case_id_is_plain", "case_id"),
        is_known("revision_is_known", "revision", "revision is empty; number revisions from 0."),
        is_between(
            "revision_is_a_count",
            "revision",
            0,
            LAST_REVISION,
            "revision must be 0 for the first delivery and count up with each correction.",
        ),
        is_named(
            "reviewer_is_named",
            "reviewer_id",
            "reviewer_id is empty; deliver the (pseudonymous) id of who reviewed the case.",
        ),
        is_one_of("known_team", "team", TEAMS),
        is_one_of("known_kind", "kind", KINDS),
        is_known("blind_is_known", "blind", "blind must be true or false."),
        stamps_are_present("queued_at", "resolved_at"),
        in_order("resolved_after_queued", "queued_at", "resolved_at"),
        no_stamp_from_the_future("queued_at", "resolved_at"),
        is_one_of("known_verdict", "verdict", ReviewVerdict),
        is_one_of("known_label", "label", ReviewLabel, nulls_pass=True),
        is_one_of("known_path", "feedback_path", FeedbackPath, nulls_pass=True),
        is_one_of("known_language", "language", LANGUAGES),
        decision_is_known(without_decisions=False),
        RowRule(
            "label_agrees_with_verdict",
            ("case_id", "verdict", "label"),
            "label contradicts the agent's recommendation and the verdict it is derived from; "
            "correct whichever is wrong, or leave label empty.",
            _label_agrees_with_verdict,
        ),
        RowRule(
            "escalation_carries_no_label",
            ("verdict", "label"),
            "An escalated review leaves the case open; deliver it without a label.",
            _escalation_carries_no_label,
        ),
        RowRule(
            "misjudged_case_names_a_path",
            ("label", "feedback_path"),
            f"A false positive or false negative needs a feedback_path: {', '.join(_PATHS)}.",
            _misjudged_case_names_a_path,
        ),
        RowRule(
            "annotation_under_three_sentences",
            ("annotation", "language"),
            "annotation has three sentences or more; tell the root cause in one or two.",
            _annotation_under_three_sentences,
        ),
        RowRule(
            "revision_appears_once",
            _KEY,
            "This revision exists with other content; deliver a correction as the next revision.",
            _revision_appears_once,
        ),
        not_delivered_twice_in_one_batch(*_KEY),
    ),
    batch_rules=(
        more_than_one_class(_bad),
        base_rate_near_trailing(_bad),
        volume_near_trailing(),
        BatchRule(
            REVIEWER_CAP,
            "One reviewer supplies too large a share; spread the reviews over more people.",
            _no_reviewer_above_cap,
        ),
    ),
)
