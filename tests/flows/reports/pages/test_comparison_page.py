"""How a challenger beside its champion reads as one page, verdict first."""

from __future__ import annotations

import re

import pytest

from flows.reports.pages.comparison_page import comparison_page, comparison_verdict
from models.comparison import gate
from tests.flows.reports.comparisons import CONTRIBUTIONS, mixed_fortunes, nothing_to_compare

NAMES = {"case_type": "ato<script>", "champion": "3", "challenger": "4"}


@pytest.fixture(scope="module")
def document():
    """The whole page of a challenger that is better overall and worse on new accounts."""
    found = mixed_fortunes()
    return comparison_page(found, gate(found), contributions=CONTRIBUTIONS, simulated=True, **NAMES)


def test_the_verdict_comes_first_and_the_gates_after_it(document):
    """One sentence with its figures, then why the challenger is not put under test."""
    verdict = document[document.index('class="verdict"') : document.index("<nav")]
    assert "The challenger is better overall, worse on account_age=new: log loss " in verdict
    assert "The challenger is not put under test (1 of 7 rules failed)." in verdict
    assert "Champion: model 3. Challenger: model 4." in verdict


def test_every_part_has_its_section(document):
    """In the order in which a lead asks."""
    titles = re.findall(r"<h2>(.*?)</h2>", document)
    assert titles == [
        "Verdict", "Regressions", "Metrics", "By slice", "Ranking and reliability",
        "Corrected features before and after", "How it was compared",
    ]  # fmt: skip
    assert document.count("<svg") == 4


def test_names_and_labels_are_escaped(document):
    """A case type and a slice that are markup stay text, in tables and in figures."""
    assert "<script" not in document
    assert "<b>" not in document
    assert "channel=&lt;b&gt;web" in document


def test_simulated_figures_say_so(document):
    """In the title and in the verdict; a page of real cases does not."""
    assert "(simulated)</title>" in document
    assert "labels and costs here are simulated" in document
    found = mixed_fortunes()
    assert "simulated" not in comparison_verdict(found, gate(found), **NAMES)


def test_a_slice_that_was_not_judged_is_named(document):
    """With the others that have too few cases."""
    assert "Too few cases to judge: channel=rare." in document


def test_what_is_not_estimable_is_said_in_words(document):
    """The challenger has no certified boundary; no NaN anywhere."""
    assert "not estimable" in document
    assert "no certified boundary yet (challenger)" in document
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", document, flags=re.DOTALL).lower()


def test_a_comparison_that_could_not_be_made_still_has_its_page():
    """Twenty cases: the verdict says what is needed; no figure, no table of metrics."""
    found = nothing_to_compare()
    written = comparison_page(found, gate(found), **NAMES)
    assert "cannot be compared yet" in written
    assert "<svg" not in written
    assert re.findall(r"<h2>(.*?)</h2>", written) == ["Verdict", "How it was compared"]


def test_the_markdown_says_the_same_without_figures():
    """For a Prefect artifact: heading, verdict, regressions, one table row a metric."""
    found = mixed_fortunes()
    written = comparison_verdict(found, gate(found), **NAMES)
    assert written.startswith("# Champion and challenger: ato&lt;script&gt;\n\n## Verdict\n\n")
    assert "Worse on account_age=new" in written
    assert len(re.findall(r"^\| ", written, flags=re.MULTILINE)) == 2 + len(found.metrics)
    assert "<svg" not in written
