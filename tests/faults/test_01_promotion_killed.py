"""A promotion killed at each step: readers see wholly the old or wholly the new policy, and a second
attempt converges on one champion (FAULTS 1).

Injected: a process that promotes is killed (SIGKILL) at every kill point it passes, one home a point.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# MLflow's first start and a home for each of some twenty points: twenty seconds on an idle machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROJECT = Path(__file__).resolve().parents[2]
STEPS = {
    "ledger.policy_kept:1": "old",
    "ledger.policy_kept:2": "old",
    "ledger.before_commit:1": "old",
    "ledger.before_commit:2": "old",
    "ledger.after_commit:1": "old",
    "ledger.after_commit:2": "new",
    "files.before_rename:1": "old",
    "files.before_rename:2": "new",
    "ledger.head_written:1": "old",
    "ledger.head_written:2": "new",
    "promote.approved:1": "old",
    "promote.before_alias:1": "new",
    "aliases.champion:1": "new",
    "aliases.previous:1": "new",
    "promote.after_alias:1": "new",
}
"""Which policy a reader sees after each death: the promotion's commit is the second one (the
approval's is the first), and everything after it belongs to the new policy."""


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def lines(request, hub_template, tmp_path):
    arguments = [str(hub_template), str(tmp_path / "work")]
    if request.param == "PostgreSQL":
        arguments.append(str(request.getfixturevalue("postgres_server")))
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.promotion_sweep", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_at_any_step_a_promotion_happened_or_did_not(lines):
    """Every step that exists was tried; no reader saw a half; one champion came of it each time."""
    assert all(line["killed"] for line in lines)
    seen = {line["point"]: line["seen"] for line in lines}
    assert STEPS.items() <= seen.items()
    for line in lines:
        assert line["whole"], line
        assert all(note.startswith("The head is behind by 1 entry") for note in line["notes"]), line
        assert line["live"] == "new", line
        assert line["whole_after"], line
        assert line["kinds"] == ["proposed", "approved", "promoted"], line
        assert line["champion_is_live"], line
