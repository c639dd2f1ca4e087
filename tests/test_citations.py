"""What the code, the tests and the docs cite is there: methods, faults, design, decisions and links."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACES = (
    "flows",
    "models",
    "data_contracts",
    "configs",
    "tests",
    "benchmarks",
    "docs",
    "README.md",
)
CITED = {
    "METHODS": (ROOT / "docs" / "methods.md", re.compile(r"METHODS (\d+(?:\.\d)?)(?!\d)")),
    "FAULTS": (ROOT / "docs" / "faults.md", re.compile(r"FAULTS (\d+)")),
    "DESIGN": (ROOT / "docs" / "architecture.md", re.compile(r"DESIGN (?:section )?(\d+)")),
}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def texts(*suffixes: str) -> list[Path]:
    """Sources, tests and pages; the CHANGELOG tells of what was, and results are data."""
    folders = [file for place in PLACES for file in (ROOT / place).rglob("*")]
    files = [*folders, *ROOT.glob("*.md"), ROOT / "pyproject.toml"]
    return [
        file
        for file in files
        if file.name.endswith(suffixes)
        and file.name != "CHANGELOG.md"
        and "results" not in file.parts
    ]


def headings(page: Path) -> str:
    lines = page.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("#"))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: small letters, blanks as hyphens, punctuation left out."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found]
    return set(plain)


@pytest.mark.parametrize("name", CITED)
def test_every_cited_section_has_a_heading(name: str) -> None:
    page, cited = CITED[name]
    there = set(cited.findall(headings(page)))
    missing = {
        f"{file.relative_to(ROOT)}: {name} {number}"
        for file in texts(".py", ".md")
        for number in cited.findall(file.read_text(encoding="utf-8"))
        if number not in there
    }
    assert not missing


def test_every_decision_that_is_cited_was_written() -> None:
    """`ADR 12` and `docs/adr/0012`."""
    there = {int(file.name[:4]) for file in (ROOT / "docs" / "adr").glob("*.md")}
    cited = re.compile(r"ADRs? (\d+)|docs/adr/(\d{4})")
    missing = {
        f"{file.relative_to(ROOT)}: ADR {number}"
        for file in texts(".py", ".md", ".toml")
        for pair in cited.findall(file.read_text(encoding="utf-8"))
        for number in pair
        if number and int(number) not in there
    }
    assert not missing


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = set()
    for file in texts(".md"):
        for link in LINK.findall(file.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            page = (file.parent / path).resolve() if path else file
            if not page.exists() or (anchor and anchor not in anchors(page)):
                broken.add(f"{file.relative_to(ROOT)}: {link}")
    assert not broken


def test_the_page_of_faults_says_what_the_catalogue_says() -> None:
    check = [sys.executable, ROOT / ".ci" / "faults_page.py", "--check"]
    assert subprocess.run(check, check=False).returncode == 0
