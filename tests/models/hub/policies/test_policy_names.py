"""A policy names what it is for and what it decides by; an empty name is none."""

from dataclasses import replace

import pytest

from models.hub import Policy
from tests.hub import THIN


def test_a_policy_without_a_case_type_is_refused():
    with pytest.raises(ValueError, match="must name its case type"):
        replace(THIN, case_type="")


@pytest.mark.parametrize("name", ["model_name", "model_version"])
@pytest.mark.parametrize("said", ["", None, 1])
def test_a_policy_with_a_model_names_it_and_its_version(name, said):
    """An alias or an alarm would name nothing."""
    with pytest.raises(ValueError, match=f"must name its {name} as text"):
        replace(THIN, **{name: said})


def test_one_without_a_model_need_not():
    policy = Policy.review_everything("ato", 0.1)
    assert (policy.model_name, policy.model_version) == (None, None)
