"""How does a dossier read as one page that needs nothing but itself?"""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import UserError
from flows.reports.pages.page import Section, markdown, page
from flows.reports.pages.plots import automation_by_night, reliability
from models.vocabulary import Boundary

VOID = {"meta", "br", "link", "img", "input", "hr"}
NIGHTS = [
    {
        "step": night,
        "date": f"2025-03-{night + 1:02d}",
        "case_type": case_type,
        "promoted": night == 3,
        "cases": 100,
        "auto_passed": 10 * night,
        "auto_blocked": night,
    }
    for night in range(8)
    for case_type in ("kyc_audit", "ato")
]


class Reader(HTMLParser):
    """Reads a document, insists on proper nesting, and keeps what it saw."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(document):
    reader = Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def figures():
    """Two figures for one page: their ids must not meet."""
    scores = np.linspace(0.01, 0.99, 200)
    bad = (np.arange(200) % 3 == 0).astype(float)
    return automation_by_night(NIGHTS), reliability(scores, bad, Boundary(0.1, 0.9))


@pytest.fixture(scope="module")
def document(figures):
    return page(
        "The night of 7 March",
        [
            Section("Verdict", "Two proposals wait.\n\nNothing was rolled back."),
            Section("Automation", svg=figures[0], table=NIGHTS),
            Section("Reliability", svg=figures[1], note="Labelled cases only."),
            Section("Queue", "No case broke the SLA."),
        ],
    )


def test_a_page_nests_properly_and_asks_nobody_for_anything(document):
    """No address, no script, no style sheet, no picture: it opens without a network."""
    reader = read(document)
    assert "http://" not in document
    assert "https://" not in document
    assert not {tag for tag, _ in reader.seen} & {"script", "link", "img", "iframe", "image"}
    for _, attributes in reader.seen:
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    assert re.findall(r"url\((?!#)|@import", document) == []


def test_a_page_has_one_doctype_its_own(document):
    """The figures' XML headers and DOCTYPEs are gone."""
    assert document.startswith("<!DOCTYPE html>")
    assert document.count("<!DOCTYPE") == 1
    assert "<?xml" not in document
    assert "<metadata" not in document


def test_ids_are_unique_on_the_page_and_every_reference_finds_its_own(document):
    """Several figures in one document do not steal each other's clip paths."""
    attributes = [found for _, found in read(document).seen]
    ids = [found["id"] for found in attributes if "id" in found]
    assert len(ids) == len(set(ids))
    referred = set(re.findall(r"url\(#([^)]+)\)", document))
    referred |= {found["href"][1:] for found in attributes if "href" in found}
    assert referred
    assert referred <= set(ids)


def test_the_verdict_comes_first(document):
    """The first section is marked as the verdict and precedes the contents."""
    assert document.index('class="verdict"') < document.index("<nav") < document.index("Automation")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_every_text_is_shown_as_it_was_written(first, second):
    """Titles, paragraphs, cells, column names and notes: whatever is in them stays text."""
    written = page(
        first,
        [Section(second, first, [{second: first}], note=second), Section(first, second)],
    )
    reader = read(written)
    shown = "".join(reader.text)
    assert first in shown
    assert second in shown
    assert {tag for tag, _ in reader.seen} <= {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "div"),
        *("h1", "h2", "p", "br", "table", "thead", "tbody", "tr", "th", "td"),
    }


def test_markup_in_a_text_is_escaped():
    """A hostile case type neither closes its cell nor runs."""
    hostile = '</td><script>alert("x")</script>&'
    written = page(hostile, [Section(hostile, hostile, [{hostile: hostile}], note=hostile)])
    assert "<script" not in written
    # title, h1, h2, p, th, td, note
    assert written.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;") == 7


@pytest.mark.parametrize(
    ("svg", "message"),
    [
        ("<svg><script>alert(1)</script></svg>", "script"),
        ('<svg onload="alert(1)"></svg>', "onload"),
        ('<svg><use href="https://example.org/x.svg#a"/></svg>', "outside"),
        ('<svg><rect style="fill: url(http://example.org/a)"/></svg>', "outside"),
        ("<svg><style>@import 'x.css';</style></svg>", "style sheet"),
        ("<?xml version='1.0'?><svg></svg>", "header"),
        ("<!DOCTYPE svg><svg></svg>", "header"),
        ("<svg><g></svg>", "well-formed"),
        ("<p>hello</p>", "not an svg"),
    ],
)
def test_a_figure_that_is_not_self_contained_is_refused(svg, message):
    """Figures are the one text that is not escaped, so they are read before they go in."""
    with pytest.raises(ValueError, match=message):
        page("t", [Section("Figure", svg=svg)])


def test_a_figure_may_have_a_narrow_drawing_and_each_screen_shows_one():
    """Which one is the style sheet's word; the narrow one is held to the same rule."""
    wide, narrow = "<svg><title>wide</title></svg>", "<svg><title>narrow</title></svg>"
    html = page("t", [Section("Figure", svg=wide, narrow_svg=narrow)])
    assert html.index("on-wide") < html.index("wide</title>") < html.index("narrow</title>")
    assert ".on-narrow { display: none;" in html
    assert ".on-wide { display: none; }" in html[html.index("@media (max-width: 820px)") :]
    with pytest.raises(ValueError, match="script"):
        page("t", [Section("Figure", svg=wide, narrow_svg="<svg><script/></svg>")])


@pytest.mark.parametrize(("characters", "broken"), [(80, False), (81, True)])
def test_a_long_text_in_a_table_is_broken_into_lines(characters, broken):
    """A sentence of several clauses would push its table off the page."""
    html = page("t", [Section("Table", table=[{"what": "x" * characters, "night": 3}])])
    assert ('<td class="long">' in html) is broken


def test_cells_read_as_people_write_them():
    """Thousands apart, shares as asked, unknown as a dash, truths as yes and no."""
    rows = [
        {"case_type": "ato", "cases": 12345, "rate": 0.98765, "limit": None, "promoted": True},
        {"case_type": "kyc", "cases": np.int64(7), "rate": np.nan, "limit": 0.5, "seen": pd.NaT},
        {"case_type": "poa", "promoted": np.bool_(False)},
    ]
    written = page("t", [Section("s", table=rows, formats={"rate": ".1%"})])
    cells = re.findall(r"<td[^>]*>(.*?)</td>", written)
    assert cells[:6] == ["ato", "12,345", "98.8%", "–", "yes", "–"]
    assert cells[6:12] == ["kyc", "7", "–", "0.5", "–", "–"]
    assert cells[12:] == ["poa", "–", "–", "–", "no", "–"]
    assert '<th scope="col" class="number">cases</th>' in written
    assert '<th scope="col">case type</th>' in written


def test_a_page_too_large_to_show_is_refused_with_a_way_out():
    """3 MB is the limit, and the message names what to do."""
    rows = [{"case": "x" * 1_000}] * 3_100
    with pytest.raises(UserError, match=r"3\.\d MB.*--json"):
        page("t", [Section("s", table=rows)])


def test_half_a_year_of_five_case_types_fits(figures):
    """900 steps of twenty columns and six figures stay under half the limit."""
    row = {f"column_{number}": 0.123456 * number for number in range(20)}
    sections = [Section("Steps", table=[row] * 900)]
    sections += [Section(str(number), svg=figures[number % 2]) for number in range(6)]
    assert len(page("t", sections).encode()) < 1_500_000


@pytest.mark.parametrize("render", [page, markdown])
def test_a_report_without_a_section_is_refused(render):
    """There is no report without a verdict."""
    with pytest.raises(ValueError, match="verdict"):
        render("t", [])


def test_markdown_says_the_same_without_figures(figures):
    """Headings, paragraphs, a table with aligned numbers, a note."""
    sections = [
        Section("Verdict", "All is well.", svg=figures[0]),
        Section("Table", table=[{"case_type": "ato", "rate": 0.5}], formats={"rate": ".0%"}),
        Section("End", note="simulated"),
    ]
    assert markdown("Night", sections) == (
        "# Night\n\n## Verdict\n\nAll is well.\n\n## Table\n\n"
        "| case type | rate |\n| --- | ---: |\n| ato | 50% |\n\n## End\n\n*simulated*\n"
    )


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("kyc_audit", "kyc_audit"),
        ("_kyc_", "\\_kyc\\_"),
        ("a | b", "a \\| b"),
        ("<b>*x*</b>", "&lt;b&gt;\\*x\\*&lt;/b&gt;"),
        ("# 3", "\\# 3"),
        ("1. first", "1\\. first"),
        ("- 4 %", "\\- 4 %"),
        ("--- one | two", "\\--- one \\| two"),
    ],
)
def test_markdown_text_keeps_its_signs(written, shown):
    """What would become markup is defused, plain names stay readable."""
    assert f"\n{shown}\n" in markdown("t", [Section("s", written)])


def test_a_cell_cannot_open_a_new_row_in_markdown():
    """Line breaks and bars inside a cell stay inside it."""
    table = markdown("t", [Section("s", table=[{"a": "x\ny | z"}])])
    assert "| x y \\| z |" in table
