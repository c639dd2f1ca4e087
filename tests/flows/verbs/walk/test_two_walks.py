"""Two walks over different data in one process are the walks that two processes would have made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from flows.verbs.walk.evaluation import observed_list
from flows.verbs.walk.walk import Walk
from tests.builders import small_history, walked

PROJECT = Path(__file__).resolve().parents[4]
DAYS = 22


def longer_by_unknown_cases(history: pd.DataFrame) -> pd.DataFrame:
    """The same history after 31 cases whose truth never comes to light: every delivery of outcomes
    is the same to the last byte, and every case has another place among the decisions."""
    unknown = history.head(31).assign(bad=None)
    ids = [f"a{number:06d}" for number in range(len(unknown))]
    whole = pd.concat([unknown.assign(case_id=ids), history], ignore_index=True)
    return whole.assign(bad=whole["bad"].astype("boolean"))


def told(walk: Walk) -> dict[str, object]:
    """All that two walks must agree on, as plain values."""
    decided = pd.concat(walk.decisions, ignore_index=True)
    return {
        "head": walk.services.ledger.head()[1],
        "actions": decided["action"].value_counts().to_dict(),
        "scores": decided["score"].sum(),
        "observed": len(observed_list(walk)),
        "labels": [step["labels"] for step in walk.steps],
    }


def other_walk(home: Path) -> dict[str, object]:
    history = small_history(days=DAYS, per_day=100)
    history["bad"] = history["bad"].astype("boolean")
    return told(walked(home, longer_by_unknown_cases(history)))


@pytest.mark.slow
def test_a_second_walk_in_one_process_is_that_of_a_process_of_its_own(tmp_path: Path) -> None:
    """The first walk leaves decoded parts and case numbers in memory; the second reads its own."""
    first = small_history(days=DAYS, per_day=100)
    walked(tmp_path / "first", first.assign(bad=first["bad"].astype("boolean")))
    after = other_walk(tmp_path / "second")

    script = (
        "import json, sys\nfrom pathlib import Path\n"
        "from tests.flows.verbs.walk.test_two_walks import other_walk\n"
        "print(json.dumps(other_walk(Path(sys.argv[1]))))"
    )
    alone = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "alone")],
        cwd=PROJECT, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert json.loads(json.dumps(after)) == json.loads(alone.stdout.splitlines()[-1])
