"""What a demo plants and plans, by the settings, and what of it a smaller demo leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from configs.settings import Settings, load_settings
from flows.verbs.walk.open_walk import OpenedWalk, _days_learned_from, open_demo
from tests.builders import with_mlflow

DEFAULT = load_settings(env={})
DEMO = DEFAULT.demo
EVERY = ("kyc_audit", "ato", "reset_2fa", "poa_review", "withdrawal_anomaly")


def settings(**changed: Any) -> Settings:
    return DEFAULT.model_copy(update={"demo": DEMO.model_copy(update=changed)})


def opened(home: Path, nights: int, **changed: Any) -> OpenedWalk:
    return open_demo(settings(**changed), nights, with_mlflow(home / "home"))


def test_the_whole_demo_has_its_bias_its_draw_and_its_wave(tmp_path: Path) -> None:
    """Each stands among what the page says was planted or planned."""
    demo = opened(tmp_path, DEMO.nights)
    assert [(one.case_type, one.step, one.days) for one in demo.walk.planted] == [
        (DEMO.past_bias.case_type, 0, 0),
        (DEMO.wave.case_type, DEMO.wave.night, DEMO.wave.days),
    ]
    assert [one.night for one in demo.walk.people.draws] == [DEMO.sprint.night]
    said = " ".join(demo.facts)
    for words in (DEMO.past_bias.feature, f"night {DEMO.sprint.night}", f"night {DEMO.wave.night}"):
        assert words in said


def test_what_a_shorter_demo_does_not_reach_does_not_happen(tmp_path: Path) -> None:
    """A demo of three nights has no draw and no wave, and says nothing of them."""
    demo = opened(tmp_path, 3)
    assert [one.case_type for one in demo.walk.planted] == [DEMO.past_bias.case_type]
    assert demo.walk.people.draws == ()
    assert "wave" not in " ".join(demo.facts)


def test_all_five_case_types_may_take_part_and_one_alone_has_no_one_elses_story(
    tmp_path: Path,
) -> None:
    """What is planned for a case type that is left out does not happen."""
    assert tuple(opened(tmp_path / "all", 3, case_types=EVERY).walk.services.case_types) == EVERY
    calm = opened(tmp_path / "one", DEMO.nights, case_types=("kyc_audit",))
    assert calm.walk.planted == ()
    assert calm.walk.people.draws == ()


def test_a_name_that_the_exchange_does_not_know_is_refused_with_those_it_does(
    tmp_path: Path,
) -> None:
    """A slip would plant nothing and say so nowhere."""
    wave = DEMO.wave.model_copy(update={"case_type": "reset_2fx"})
    with pytest.raises(UserError, match=r"no case type reset_2fx; it has kyc_audit, ato"):
        opened(tmp_path / "wave", 3, wave=wave)
    bias = DEMO.past_bias.model_copy(update={"feature": "failed_2fa_cont"})
    with pytest.raises(UserError, match=r"ato has no such feature; it has new_device"):
        opened(tmp_path / "bias", 3, past_bias=bias)


@pytest.mark.parametrize(
    ("history", "hold_back", "days"),
    [(40, 0.5, 12), (64, 0.5, 24), (15, 0.9, 0)],
)
def test_the_bias_ends_a_day_before_what_certifies_begins(
    history: int, hold_back: float, days: int
) -> None:
    """ato matures in 14 days: (40 - 14) x .5 - 1 = 12, (64 - 14) x .5 - 1 = 24, and never below 0."""
    kind = DEFAULT.load_case_types()["ato"]
    changed = settings(history_days=history, hold_back_share=hold_back).demo
    assert _days_learned_from(changed, kind) == days
