"""A boundary that is NaN, out of range or inverted: refused wherever it comes from (FAULTS 18).

Injected: seven unusable pairs of cuts, as values, in documents and through the commands.
"""

import json
import math

import pandas as pd
import pytest

from flows.cli import main
from models.hub import Policy
from models.vocabulary import Boundary
from tests.hub import THIN

UNUSABLE = {
    "NaN": (math.nan, 0.9),
    "NaN above": (0.1, math.nan),
    "negative": (-0.1, 0.9),
    "over one": (0.1, 1.1),
    "infinite": (0.1, math.inf),
    "inverted": (0.9, 0.1),
    "meeting": (0.5, 0.5),
}


@pytest.mark.parametrize("sides", UNUSABLE.values(), ids=UNUSABLE)
def test_no_such_value_exists(sides):
    """It cannot be made, so it cannot be passed on."""
    with pytest.raises(ValueError, match=r"must be a score in \[0, 1\]|must lie below"):
        Boundary(*sides)


@pytest.mark.parametrize("sides", UNUSABLE.values(), ids=UNUSABLE)
def test_no_policy_document_describes_one(sides):
    """Nor does JSON's own way of writing NaN and infinity get past."""
    document = THIN.document()
    document["boundary"] = dict(zip(("pass_at_or_below", "block_at_or_above"), sides, strict=True))
    with pytest.raises(ValueError, match=r"finite number|must be a score in|must lie below"):
        Policy.from_canonical(json.dumps(document))


@pytest.mark.parametrize("word", ["0.1", True, [0.1], {}])
def test_a_side_is_a_number(word):
    """Text, a truth value or a list is none."""
    document = THIN.document()
    document["boundary"] = {"pass_at_or_below": word, "block_at_or_above": 0.9}
    with pytest.raises(ValueError, match="must be a number"):
        Policy.from_document(document)


@pytest.mark.parametrize(
    "options",
    [
        ["--pass-below", "nan"],
        ["--block-above", "nan"],
        ["--pass-below", "1.5"],
        ["--pass-below", "-0.1"],
        ["--block-above", "inf"],
        ["--pass-below", "0.9", "--block-above", "0.1"],
    ],
)
def test_whatif_does_not_replay_one(options, tmp_path, monkeypatch, capsys):
    """Exit code 2 and a sentence that says what would work."""
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    said = exit_2(["whatif", "ato", *options], capsys)
    assert "[0, 1]" in said or "must lie below" in said or "0<=x<=1" in said, said


@pytest.mark.parametrize("sides", ["nan,.9", ".9,.1", ".1,2", "-.1,.9", ".1,inf", "a,b", ".1"])
def test_certify_does_not_judge_one(sides, tmp_path, capsys):
    """`--incumbent` says why not, and how it is written."""
    file = tmp_path / "evidence.csv"
    pd.DataFrame({"score": [0.1, 0.9], "bad": [0, 1], "propensity": [1.0, 1.0]}).to_csv(file)
    said = exit_2(["certify", str(file), f"--incumbent={sides}"], capsys)
    assert "is no boundary" in said
    assert "as in 0.02,0.97" in said


def exit_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2, said
    assert "Traceback" not in said
    return said
