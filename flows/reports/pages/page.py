"""How does a dossier read as one page that needs nothing but itself?"""

from __future__ import annotations

import html
import math
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from configs.errors import UserError

LARGEST_PAGE_BYTES = 3_000_000
NOTHING = "–"
LONGEST_LINE = 80
"""A cell's text with more characters is broken into lines."""


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of a report and what stands under it; the first section is the verdict.

    Attributes:
        title: the heading.
        text: plain text; an empty line starts a new paragraph.
        table: rows with the same meaning of keys; columns are the keys in order of appearance.
        svg: a figure from `flows.reports.pages.plots`. narrow_svg: the same figure for a narrow screen.
        note: small print under table and figure.
        formats: column -> format specification (".1%", ",.0f") for its numbers.
    """

    title: str
    text: str = ""
    table: Sequence[Mapping[str, Any]] | None = None
    svg: str | None = None
    narrow_svg: str | None = None
    note: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)


def page(title: str, sections: Sequence[Section]) -> str:
    """One self-contained HTML document, verdict first: no script and no request to anywhere.

    Every text is escaped; a figure is admitted only if it is plain, self-contained SVG.

    Raises:
        ValueError: there is no section, or a figure is not self-contained SVG.
        UserError: the page would be 3 MB or more.
    """
    _need_verdict(sections)
    verdict, *others = sections
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        f"<head>{_head(title, figures=any(one.svg is not None for one in sections))}</head>",
        "<body>",
        f"<header><h1>{html.escape(title)}</h1></header>",
        "<main>",
        _section_html(verdict, 1, "verdict"),
        _contents(others),
        *(_section_html(section, number, "") for number, section in enumerate(others, start=2)),
        "</main>",
        "</body>",
        "</html>",
    ]
    document = "\n".join(part for part in parts if part) + "\n"
    size = len(document.encode())
    if size >= LARGEST_PAGE_BYTES:
        raise UserError(
            f"The page {title!r} would be {size / 1e6:.1f} MB, and {LARGEST_PAGE_BYTES / 1e6:.0f} "
            "MB is the most a browser's frame shows at ease. Report fewer nights or case types, or "
            "use --json for the full table."
        )
    return document


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The same report as markdown, without figures, for Prefect artifacts and MLflow notes.

    Raises:
        ValueError: there is no section.
    """
    _need_verdict(sections)
    blocks = [f"# {_markdown_text(title)}"]
    for section in sections:
        blocks.append(f"## {_markdown_text(section.title)}")
        blocks.extend(_markdown_text(paragraph) for paragraph in _paragraphs(section.text))
        if section.table:
            blocks.append(_table_markdown(section.table, section.formats))
        if section.note:
            blocks.append(f"*{_markdown_text(' '.join(section.note.split()))}*")
    return "\n\n".join(blocks) + "\n"


def _section_html(section: Section, number: int, kind: str) -> str:
    paragraphs = "\n".join(
        f"<p>{html.escape(paragraph).replace(chr(10), '<br>')}</p>"
        for paragraph in _paragraphs(section.text)
    )
    parts = [
        f'<section id="s{number}"' + (f' class="{kind}">' if kind else ">"),
        f"<h2>{html.escape(section.title)}</h2>",
        paragraphs,
        _figure(section) if section.svg is not None else "",
        _table_html(section.table, section.formats) if section.table else "",
        f'<p class="note">{html.escape(section.note)}</p>' if section.note else "",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _contents(sections: Sequence[Section]) -> str:
    """Links within the page, where there are enough sections to get lost."""
    if len(sections) < 3:
        return ""
    links = "\n".join(
        f'<a href="#s{number}">{html.escape(section.title)}</a>'
        for number, section in enumerate(sections, start=2)
    )
    return f'<nav aria-label="Sections">\n{links}\n</nav>'


def _figure(section: Section) -> str:
    assert section.svg is not None
    _check_self_contained(section.svg, section.title)
    if section.narrow_svg is None:
        return f'<figure class="wide">{section.svg}</figure>'
    _check_self_contained(section.narrow_svg, section.title)
    return (
        f'<figure class="wide on-wide">{section.svg}</figure>\n'
        f'<figure class="on-narrow">{section.narrow_svg}</figure>'
    )


def _check_self_contained(svg: str, where: str) -> None:
    """Refuse a figure that could run code or load anything (it is the one text not escaped)."""
    if "<!" in re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL) or "<?" in svg:
        raise ValueError(
            f"the figure of {where!r} has a document header; give the svg element only"
        )
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"the figure of {where!r} is not well-formed SVG: {error}") from error
    if _local(root.tag) != "svg":
        raise ValueError(f"the figure of {where!r} is a {_local(root.tag)!r} element, not an svg")
    for element in root.iter():
        if _local(element.tag) in ("script", "foreignObject", "image", "iframe", "a"):
            raise ValueError(f"the figure of {where!r} holds a {_local(element.tag)!r} element")
        for name, value in element.attrib.items():
            _check_attribute(_local(name), value, where)
        if _local(element.tag) == "style" and _loads(element.text or ""):
            raise ValueError(f"the figure of {where!r} loads something from its style sheet")


def _check_attribute(name: str, value: str, where: str) -> None:
    if name.lower().startswith("on"):
        raise ValueError(f"the figure of {where!r} has a script in its attribute {name!r}")
    outside = name in ("href", "src") and not value.startswith("#")
    if outside or _loads(value):
        raise ValueError(f"the figure of {where!r} loads {value[:60]!r} from outside the page")


def _loads(style: str) -> bool:
    return "@import" in style or re.search(r"url\(\s*['\"]?(?!#)", style) is not None


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]


def _table_html(rows: Sequence[Mapping[str, Any]], formats: Mapping[str, str]) -> str:
    columns = _columns(rows)
    numeric = {name: _is_numeric(rows, name) for name in columns}

    def cell(tag: str, name: str, text: str) -> str:
        kind = ' class="number"' if numeric[name] else ""
        if not numeric[name] and len(text) > LONGEST_LINE:
            kind = ' class="long"'
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}{kind}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th", name, _heading(name)) for name in columns)
    body = "\n".join(
        "<tr>"
        + "".join(
            cell("td", name, _value(row.get(name), formats.get(name, ""))) for name in columns
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _table_markdown(rows: Sequence[Mapping[str, Any]], formats: Mapping[str, str]) -> str:
    columns = _columns(rows)
    lines = [
        [_heading(name) for name in columns],
        ["---:" if _is_numeric(rows, name) else "---" for name in columns],
        *([_value(row.get(name), formats.get(name, "")) for name in columns] for row in rows),
    ]
    rule = lines[1]
    return "\n".join(
        "| "
        + " | ".join(
            text if line is rule else _markdown_text(" ".join(text.split())) for text in line
        )
        + " |"
        for line in lines
    )


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _heading(name: str) -> str:
    return str(name).replace("_", " ")


def _is_numeric(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether a column holds numbers and nothing else (besides what is not known)."""
    values = [row.get(name) for row in rows]
    known = [value for value in values if not _is_nothing(value)]
    return bool(known) and all(
        isinstance(value, numbers.Real) and not _is_truth(value) for value in known
    )


def _value(value: Any, specification: str) -> str:
    """A cell as people read it: what is not known is a dash, a truth is yes or no."""
    if _is_nothing(value):
        return NOTHING
    if _is_truth(value):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return format(int(value), specification or ",d")
    if isinstance(value, numbers.Real):
        return format(float(value), specification) if specification else _plain(float(value))
    return str(value)


def _plain(value: float) -> str:
    """Four significant digits, thousands apart, never in scientific notation unless tiny."""
    if value and abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _is_nothing(value: Any) -> bool:
    # A missing timestamp, like NaN, is the value that differs from itself.
    if value is None:
        return True
    if isinstance(value, float) and math.isnan(value):
        return True
    return type(value).__name__ in ("NaTType", "NAType")


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or type(value).__name__ == "bool"  # numpy's own bool


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _markdown_text(text: str) -> str:
    """Text that markdown shows as it is: no markup, no HTML, no new column."""
    text = html.escape(text, quote=False)
    text = re.sub(r"([\\`*\[\]|~$])", r"\\\1", text)
    # Inside a word an underscore is only an underscore; at its edge it would start emphasis.
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    # A number or a sign at the start of a line would turn it into a list, a rule or a heading.
    text = re.sub(r"^(\s*)([#+\-=]|(?=\d+[.)]\s))", _defuse, text, flags=re.MULTILINE)
    return re.sub(r"^(\s*\d+)([.)])(\s)", r"\1\\\2\3", text, flags=re.MULTILINE)


def _defuse(match: re.Match[str]) -> str:
    sign = match.group(2)
    return match.group(1) + (f"\\{sign}" if sign else "")


def _need_verdict(sections: Sequence[Section]) -> None:
    if not sections:
        raise ValueError("a report needs at least one section, and the first is the verdict")


def _head(title: str, *, figures: bool) -> str:
    css = _CSS if figures else _CSS.replace(_LIGHT_ONLY, _AS_THE_READER_HAS_IT) + _DARK
    return (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{css}</style>"
    )


# Figures are drawn for a white page; what has none follows the reader's own scheme.
_LIGHT_ONLY, _AS_THE_READER_HAS_IT = "color-scheme: light;", "color-scheme: light dark;"
_DARK = """@media (prefers-color-scheme: dark) {
body, table { background: #16191d; color: #dfe3e8; }
.verdict { background: #1d2731; border-left-color: #56b4e9; }
a { color: #7cc4f2; }
th, td { border-bottom-color: #33393f; }
th { border-bottom-color: #6b737b; }
tbody tr:hover { background: #20262c; }
.note { color: #a7aeb6; }
}
"""
_CSS = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #222;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
header, main { max-width: 980px; margin: 0 auto; padding: 0 20px; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 1.4rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 0 0 .5rem; }
p { margin: 0 0 .8rem; max-width: 75ch; overflow-wrap: anywhere; }
section { margin: 0 0 2.2rem; }
.verdict { border-left: 6px solid #0072b2; background: #f1f6fa; padding: 1rem 1.2rem .4rem; }
.verdict > p { font-size: 1.08rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 0 0 2rem; font-size: .92rem; }
a { color: #005a8f; }
.wide { overflow-x: auto; margin: 0 0 .9rem; }
figure svg { display: block; width: 100%; min-width: 820px; max-width: 940px; height: auto; }
.on-narrow { display: none; margin: 0 0 .9rem; }
@media (max-width: 820px) {
.on-wide { display: none; }
.on-narrow { display: block; }
.on-narrow svg { min-width: 0; max-width: 620px; }
}
table { border-collapse: collapse; font-size: .88rem; background: #fff; }
th, td { padding: .32rem .7rem; border-bottom: 1px solid #e1e1e1; text-align: left; white-space: nowrap; }
th { border-bottom: 2px solid #9a9a9a; vertical-align: bottom; white-space: normal; line-height: 1.25; }
.long { white-space: normal; min-width: 19rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
tbody tr:hover { background: #f6f8fa; }
.note { color: #555; font-size: .85rem; }
@media print { nav { display: none; } section { break-inside: avoid; } }
"""
