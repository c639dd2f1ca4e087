"""A label corrected after training: a new revision; the old run reproduces as of its time (FAULTS 19).

Injected: forty of the labels that a model learned from are turned round as revision 1, and half of them
back as revision 2, after it was trained; outcomes that overrule others come later still.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from configs.errors import GateRefused
from flows.verbs.evidence.truth import load_snapshot
from flows.verbs.learn.lineage import reproduced
from flows.verbs.learn.training_rows import training_rows
from tests.faults.corrected_past import NAME, NOW, corrected, delivered, fitted, opened

pytestmark = pytest.mark.slow  # a fit, twice, on each database

LATER = NOW + timedelta(days=1)


def truth(services, at):
    """By case, whether it counts as bad as of a moment."""
    rows = load_snapshot(services, at).mature(services, NAME)
    return rows.set_index("case_id")["bad"]


def test_the_old_run_is_fitted_again_bit_for_bit_and_a_new_one_sees_the_correction(
    tmp_path: Path, database_url: str | None
) -> None:
    services, said = opened(tmp_path, database_url)
    first, lineage = fitted(services)
    before = truth(services, NOW)
    turned = said[said["case_id"].isin(before.index[100:140])]
    batch = delivered(services, "reviews", corrected(turned), LATER)
    assert (batch.admitted, batch.quarantined) == (40, 0)
    back = corrected(corrected(turned.iloc[:20]), revision=2)
    assert delivered(services, "reviews", back, LATER + timedelta(hours=1)).admitted == 20
    late = pd.DataFrame(
        {
            "case_id": before.index[200:210],
            "observed_at": pd.Timestamp(LATER),
            "bad": ~before.iloc[200:210].astype(bool).to_numpy(),
            "source": "appeal",
        }
    )
    assert delivered(services, "outcomes", late, LATER + timedelta(hours=1)).admitted == 10

    pd.testing.assert_series_equal(truth(services, NOW), before)
    now = truth(services, LATER + timedelta(hours=2))[before.index]
    changed = set(turned["case_id"].iloc[20:]) | set(late["case_id"])
    assert set(now.index[now != before]) == changed
    assert len(services.store.read("reviews")) == len(said) + 40 + 20  # no word is overwritten

    assert training_rows(services, load_snapshot(services, NOW), NAME).present is not None
    assert reproduced(services, NAME, lineage).digest == first.digest
    _, since = fitted(services, LATER + timedelta(hours=2))
    assert since["rows"] != lineage["rows"]
    assert reproduced(services, NAME, lineage).digest == first.digest


def test_a_correction_that_was_stored_as_if_it_had_been_there_is_noticed(
    tmp_path: Path, database_url: str | None
) -> None:
    """Rows that claim an earlier receipt change what was learned from: the run says so by name, if they
    get that far."""
    services, said = opened(tmp_path, database_url)
    _, lineage = fitted(services)
    nothing = said.iloc[:0].assign(broken_rules=pd.Series(dtype="str"))
    services.store.append(
        "reviews", corrected(said.iloc[:40]), nothing, key=("review_id", "revision"),
        source="by hand", received_at=NOW - timedelta(days=1),
    )  # fmt: skip
    if (
        load_snapshot(services, NOW)
        .reviews["verdict"]
        .value_counts()
        .equals(said["verdict"].value_counts())
    ):  # stamped with its commit's time, it is not part of that past at all
        assert reproduced(services, NAME, lineage)
        return
    with pytest.raises(GateRefused, match=r"Changed: data\.reviews, rows\.learned"):
        reproduced(services, NAME, lineage)
