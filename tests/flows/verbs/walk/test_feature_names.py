"""A feature may be called as anything is: the loop decides as if it were called otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.verbs.walk.evaluation import evaluate_walk
from flows.verbs.walk.open_walk import OpenedWalk, open_backtest
from flows.verbs.walk.walk import Walk
from models.vocabulary.names import RESERVED, column_of
from tests.builders import small_history, small_settings, with_mlflow

pytestmark = pytest.mark.slow

ODD = [
    "phi_x", "phi_signal", "_digest", "_position", "__key_hash", "__content_hash",
    "holds:every_other_rule", "feature(score)", "amount [usd]", "a<b", "]", "a.b", "a", "f0",
    "Größe", "Gro\u0308ße 2", "金额", "=1+1", "it's \"x\"", "no", "1", "true", "seen_at", "my_id",
    "x" * 300,
]  # fmt: skip
NAMES = [*sorted(RESERVED), *ODD]


def opened(folder: Path, names: dict[str, str], text: str = "") -> OpenedWalk:
    """A backtest ready to go over a small simulated history whose features have these names: the
    one that matters, the categorical one, and as many others as there are, all noise."""
    folder.mkdir()
    history = small_history(days=16, per_day=80, seed=5).drop(columns="case_type")
    history = history.rename(columns={"case_id": "ID", "opened_at": "T", "bad": "BAD?"})
    history = history.rename(columns={"amount_usd": "AMOUNT", "priority": "PRIORITY"})
    noise = np.random.default_rng(3).normal(size=(len(history), len(names))).round(2)
    table = pd.DataFrame(noise, columns=list(names))
    for place, inside in enumerate(names):
        table[inside] = history.get(inside, table[inside])
        if place % 5 == 3:
            table[inside] = np.where(table[inside] > 0.3, "much", "little")
    table = pd.concat([history[["ID", "T", "BAD?", "AMOUNT", "PRIORITY"]], table], axis=1)
    table.rename(columns=names).to_csv(folder / "cases [1].csv", index=False)
    file = folder / "source.yaml"
    file.write_text(
        "name: small\nkind: history\npath: cases [1].csv\ncase_type: small_case\n"
        'columns: {case_id: ID, opened_at: T, bad: "BAD?", amount_usd: AMOUNT, priority: PRIORITY}\n'
        f"features: {json.dumps(list(names.values()))}\n"
        f"monotone: {json.dumps({names['signal']: 1})}\nsegments: {json.dumps([names['channel']])}\n"
        "label_delay_days: 2\nwarm_up_days: 8\nstep_days: 4\nretrain_days: 4\naudit_rate: 0.2\n"
        "targets: {precision: 0.6, recall: 0.8, delta: 0.2}\nseed: 3\n" + text,
        encoding="utf-8",
    )
    return open_backtest(small_settings(), file, with_mlflow(folder / "home"))


def walked(walk: Walk) -> Walk:
    walk.warm_up()
    for step in range(walk.upstream.steps):
        walk.night_and_day(step)
    walk.last_night()
    return walk


def decisions_of(walk: Walk) -> pd.DataFrame:
    decided = pd.concat(walk.decisions, ignore_index=True)
    return decided[["case_id", "score", "action", "propensity", "audited"]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Features of ordinary names."""
    inside = ["signal", "channel", *(f"noise{place}" for place in range(len(NAMES)))]
    folder = tmp_path_factory.mktemp("plain") / "walk"
    return walked(opened(folder, {name: name for name in inside}).walk)


def test_features_called_as_our_columns_decide_as_others_do(plain: Walk, tmp_path: Path) -> None:
    """Every reserved name and every odd one at once, the telling feature called `score`, the
    category `audited`: the same scores, actions and audits to the last bit."""
    theirs = ["score", "audited", *(name for name in NAMES if name not in ("score", "audited"))]
    inside = ["signal", "channel", *(f"noise{place}" for place in range(len(theirs) - 2))]
    extra = {f"noise{place}": f"more{place}" for place in range(len(theirs) - 2, len(NAMES))}
    names = dict(zip(inside, theirs, strict=True)) | extra
    odd = opened(tmp_path / "odd", names)
    walked(odd.walk)
    pd.testing.assert_frame_equal(decisions_of(odd.walk), decisions_of(plain))
    evaluation = evaluate_walk(odd.walk, 0.0, staffed=False)
    assert evaluation.summary["labels_used"] > 600
    assert all(one.version is not None for _, one in odd.walk.fits)
    kept = odd.walk.services.store.read("decisions").columns
    assert {column_of(name) for name in theirs} <= set(kept)
    assert {"feature(score)", "feature(feature(score))"} <= set(kept)
