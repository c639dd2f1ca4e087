"""Which new cases may be decided here?"""

from __future__ import annotations

import pyarrow as pa

from data_contracts.contract import STAMP, Contract
from data_contracts.row_rules import (
    amount_is_not_negative,
    case_id_appears_once,
    is_plain,
    known_case_type,
    no_stamp_from_the_future,
    priority_in_range,
    stamps_are_present,
)

SCHEMA = pa.schema(
    [
        pa.field("case_id", pa.string(), nullable=False),
        pa.field("case_type", pa.string(), nullable=False),
        pa.field("opened_at", STAMP, nullable=False),
        pa.field("priority", pa.int64()),
        pa.field("amount_usd", pa.float64()),
    ]
)

# No rule about features: a case whose features cannot be scored is decided too, by a person.
CASES = Contract(
    name="cases",
    schema=SCHEMA,
    required=tuple(SCHEMA.names),
    key=("case_id",),
    carries_features=True,
    row_rules=(
        is_plain("case_id_is_plain", "case_id"),
        known_case_type(),
        stamps_are_present("opened_at"),
        no_stamp_from_the_future("opened_at"),
        priority_in_range(),
        amount_is_not_negative(),
        case_id_appears_once(),
    ),
)
