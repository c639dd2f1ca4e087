"""Which decisions of the agent may come in?"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from data_contracts.batch_rules import volume_near_trailing
from data_contracts.contract import STAMP, AdmissionContext, Contract, RowRule
from data_contracts.row_rules import (
    amount_is_not_negative,
    case_id_tells_one_story,
    features_are_present,
    in_order,
    is_known,
    is_named,
    is_one_of,
    is_plain,
    known_case_type,
    known_category,
    no_stamp_from_the_future,
    not_delivered_twice_in_one_batch,
    priority_in_range,
    stamps_are_present,
)
from models.vocabulary import Action, Recommendation

AUTOMATIC = (Action.AUTO_PASS.value, Action.AUTO_BLOCK.value)

SCHEMA = pa.schema(
    [
        pa.field("case_id", pa.string(), nullable=False),
        pa.field("case_type", pa.string(), nullable=False),
        pa.field("opened_at", STAMP, nullable=False),
        pa.field("decided_at", STAMP, nullable=False),
        pa.field("score", pa.float64()),
        pa.field("recommendation", pa.string()),
        pa.field("action", pa.string(), nullable=False),
        pa.field("propensity", pa.float64(), nullable=False),
        pa.field("audited", pa.bool_(), nullable=False),
        pa.field("arm", pa.string(), nullable=False),
        pa.field("policy_id", pa.string(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("priority", pa.int64()),
        pa.field("amount_usd", pa.float64()),
        pa.field("override", pa.string()),
        pa.field("queue", pa.string()),
        pa.field(
            "reasoning",
            pa.list_(pa.struct([("step", pa.string()), ("sop_clause", pa.string())])),
        ),
    ]
)

OPTIONAL = ("override", "queue", "reasoning")
"""What an agent need not say: which rule sent a case to a person, to whose queue, and why."""


def _score_is_a_probability(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
    score, action = frame["score"], frame["action"]
    unscorable = score.isna() & ~action.isin(AUTOMATIC)
    return score.between(0.0, 1.0) | unscorable


def _known_recommendation(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
    known = frame["recommendation"].isin([side.value for side in Recommendation])
    return known | (frame["recommendation"].isna() & frame["score"].isna())


def _propensity_is_recorded(frame: pd.DataFrame, _: AdmissionContext) -> pd.Series:
    propensity = frame["propensity"]
    designed = propensity.gt(0.0) & propensity.le(1.0)
    return designed & (propensity.eq(1.0) | ~frame["action"].eq(Action.ESCALATE.value))


def _key_user_was_escalated(frame: pd.DataFrame, context: AdmissionContext) -> pd.Series:
    # Who cannot be shown to be an ordinary user is treated as a key user.
    ordinary = frame["priority"].lt(context.key_user_priority).fillna(False).astype(bool)
    return ordinary | ~frame["action"].isin(AUTOMATIC)


DECISIONS = Contract(
    name="decisions",
    schema=SCHEMA,
    required=tuple(name for name in SCHEMA.names if name not in OPTIONAL),
    key=("case_id",),
    carries_features=True,
    row_rules=(
        is_plain("case_id_is_plain", "case_id"),
        known_case_type(),
        stamps_are_present("opened_at", "decided_at"),
        in_order("decided_after_opened", "opened_at", "decided_at"),
        no_stamp_from_the_future("opened_at", "decided_at"),
        RowRule(
            "score_is_a_probability",
            ("score", "action"),
            "score must lie in [0, 1]; only an escalated case may come without one.",
            _score_is_a_probability,
        ),
        RowRule(
            "known_recommendation",
            ("recommendation", "score"),
            "recommendation must be pass or block wherever there is a score.",
            _known_recommendation,
        ),
        is_one_of("known_action", "action", Action),
        RowRule(
            "propensity_is_recorded",
            ("propensity", "action"),
            "propensity must lie in (0, 1], and be 1 for an escalated case; log the designed "
            "probability of review when the case is decided.",
            _propensity_is_recorded,
        ),
        is_known(
            "audited_is_known",
            "audited",
            "audited must be true or false; log whether the case was drawn for an audit.",
        ),
        RowRule(
            "key_user_was_escalated",
            ("priority", "action"),
            "A key user's case, or one without a priority, was decided automatically; send it to "
            "a senior and deliver the escalation.",
            _key_user_was_escalated,
        ),
        priority_in_range(),
        is_one_of("known_arm", "arm", ("control", "treatment")),
        is_one_of("known_queue", "queue", ("senior", "desk", ""), nulls_pass=True),
        is_named("policy_is_named", "policy_id", "policy_id is empty; log the policy that acted."),
        is_named(
            "model_is_named",
            "model_version",
            "model_version is empty; log the version that scored the case.",
        ),
        amount_is_not_negative(),
        known_category(scored_only=True),
        features_are_present(scored_only=True),
        case_id_tells_one_story(),
        not_delivered_twice_in_one_batch("case_id"),
    ),
    # Decisions bring no labels; how they split is the policy's affair, not the delivery's.
    batch_rules=(volume_near_trailing(),),
)
