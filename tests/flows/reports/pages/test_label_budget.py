"""A label budget as a table and as a page that needs nothing but itself."""

from __future__ import annotations

from datetime import UTC, datetime

from flows.reports.pages.label_budget import budget_page, budget_row
from flows.verbs.more_labels.label_budget import LabelBudget
from models.label_cost.label_budget import ranked
from tests.models.label_cost.test_label_budget import BEYOND, CHEAP, DEAR, FREE

AS_OF = datetime(2026, 5, 4, tzinfo=UTC)
BUDGET = LabelBudget(AS_OF, tuple(ranked([BEYOND, DEAR, FREE, CHEAP])), (("new", "It has no model yet."),))  # fmt: skip


def test_a_row_says_what_an_hour_buys_and_what_cannot_be_told_is_missing() -> None:
    row = budget_row(CHEAP)
    assert (row["hours"], row["a day per hour"], row["patience"], row["sprint"]) == (
        20,
        1.0,
        "40 days",
        "4 days",
    )
    nothing = budget_row(BEYOND)
    assert (nothing["labels"], nothing["hours"], nothing["patience"]) == (None, None, None)
    assert nothing["road"] == "better model"


def test_the_page_says_the_recommendation_first_and_every_side_in_a_sentence() -> None:
    page = budget_page(BUDGET)
    assert page.index("The next reviewer hour buys the most in cheap") < page.index("What an hour")
    assert page.index("<td>cheap") < page.index("<td>dear") < page.index("<td>free")
    assert "no number of labels within reach proves it" in page
    assert "It has no model yet." in page
    assert "20 days" in page


def test_a_page_without_a_figure_follows_the_readers_scheme() -> None:
    page = budget_page(BUDGET)
    assert "color-scheme: light dark;" in page
    assert "prefers-color-scheme: dark" in page
    assert "<script" not in page
    assert "src=" not in page


def test_a_budget_without_sides_still_says_why() -> None:
    page = budget_page(LabelBudget(AS_OF, (), (("new", "It has no model yet."),)))
    assert "No case type has a model and labels yet" in page
    assert "new: It has no model yet." in page
