"""Write docs/faults.md from the catalogue of faults that the suite injects; `--check` compares.

Usage: python .ci/faults_page.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults.catalogue import CATALOGUE  # noqa: E402 - the clone's own, found by the line above

PAGE = ROOT / "docs" / "faults.md"
MEANING = {
    "S1": "a wrong live boundary, or code that runs",
    "S2": "data or evidence lost",
    "S3": "availability and comfort",
}


def page() -> str:
    """One heading a fault, so that a citation ("FAULTS 39") has somewhere to lead."""
    lines = [
        "# Faults that must be survived",
        "",
        "Made from the catalogue in `tests/faults/catalogue.py` by `python .ci/faults_page.py`. Each is "
        "injected by the tests of its number; `make faults` prints what became of all of them. "
        + " ".join(f"{name}: {meaning}." for name, meaning in MEANING.items()),
    ]
    for fault in CATALOGUE:
        sql = " On SQLite and PostgreSQL." if fault.sql else ""
        sentence = fault.statement[0].upper() + fault.statement[1:]
        lines += ["", f"## FAULTS {fault.number}", "", f"{sentence}. ({fault.severity}){sql}"]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
