"""Which faults does the project survive tonight, and how was each of them injected?

Run as `python -m tests.faults.table` (or `make faults`): runs every test of this folder once, slow
ones too, and prints a line a fault; with numbers (`python -m tests.faults.table 34 65`) those faults
alone. Ends with 0 when every fault that is due passes; 1 otherwise; 2 for what is no number of a fault.
A skipped test is no pass.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.catalogue import CATALOGUE, Fault

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
POSTGRES = "postgresql"
"""Property of a test's record (see conftest.py): it ran on PostgreSQL."""

_PATIENCE_SECONDS = 5_400
"""Some of the tests start every server there is; on two cores all of them take half an hour."""
_HEADING = ("#", "", "result", "statement", "injected", "databases", "tests")


@dataclass(frozen=True)
class Ran:
    """One test: its module's name, and what became of it ("" = it passed)."""

    module: str
    failed: bool = False
    skipped: str = ""
    on_postgres: bool = False


@dataclass(frozen=True)
class Line:
    """What the table says of one fault."""

    fault: Fault
    result: str
    injected: str
    databases: str
    files: tuple[str, ...]

    @property
    def in_order(self) -> bool:
        return self.result == "pass" or self.result.startswith("not yet")

    def cells(self) -> tuple[str, ...]:
        fault = self.fault
        return (
            str(fault.number), fault.severity, self.result, fault.statement, self.injected or "-",
            self.databases, " ".join(self.files) or "-",
        )  # fmt: skip


def main(numbers: Sequence[str] = ()) -> int:
    """Run the tests, print the table; 1 where a fault that is due did not pass."""
    wrong = [one for one in numbers if one not in {str(fault.number) for fault in CATALOGUE}]
    if wrong:
        print(f"No fault has the number {', '.join(wrong)}; there are 1 to {len(CATALOGUE)}.")  # noqa: T201
        return 2
    asked = [fault for fault in CATALOGUE if not numbers or str(fault.number) in numbers]
    files = files_by_number(FOLDER)
    # The whole folder, or the files of those that were asked for: a fault of a later part has none.
    chosen = (
        [path for fault in asked for path in files.get(fault.number, ())] if numbers else [FOLDER]
    )
    ended, ran = _run(chosen) if chosen else (0, [])
    table = lines(asked, files, ran)
    print("\n".join(in_columns([_HEADING, *(line.cells() for line in table)])))  # noqa: T201
    bad = [line for line in table if not line.in_order]
    print(f"\n{sum(line.result == 'pass' for line in table)} of {len(table)} pass; "  # noqa: T201
          f"{len(table) - len(bad) - sum(line.result == 'pass' for line in table)} are not yet due; "
          f"not in order: {', '.join(str(line.fault.number) for line in bad) or 'none'}.")  # fmt: skip
    return 1 if bad or ended != 0 else 0


def files_by_number(folder: Path) -> dict[int, list[Path]]:
    """Every `test_NN_*.py`, by NN; a fault may have several."""
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.glob("test_*.py")):
        named = re.match(r"test_(\d\d)_", path.name)
        if named:
            found.setdefault(int(named[1]), []).append(path)
    return found


def injected(path: Path) -> str:
    """The paragraph of a module's docstring that begins with `Injected:`, in one line; "" = none."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    for paragraph in re.split(r"\n\s*\n", said):
        if paragraph.lstrip().startswith("Injected:"):
            return " ".join(paragraph.split()).removeprefix("Injected:").strip()
    return ""


def lines(
    catalogue: Sequence[Fault], files: Mapping[int, Sequence[Path]], ran: Sequence[Ran]
) -> list[Line]:
    """One line a fault, in the catalogue's order."""
    return [_line(fault, files.get(fault.number, ()), ran) for fault in catalogue]


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells under one another, each column as wide as its widest cell."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def read_report(file: Path) -> list[Ran]:
    """The tests in a JUnit report; a module that could not be collected counts as a failed one."""
    return [_read(case) for case in ET.parse(file).getroot().iter("testcase")]


def _line(fault: Fault, paths: Sequence[Path], ran: Sequence[Ran]) -> Line:
    if not paths:
        result = "missing" if fault.later is None else f"not yet: {fault.later}"
        return Line(fault, result, "", "-", ())
    modules = {path.stem for path in paths}
    mine = [one for one in ran if one.module in modules]
    silent = modules - {one.module for one in mine}
    told = " ".join(dict.fromkeys(filter(None, map(injected, paths))))
    names = tuple(path.name for path in paths)
    return Line(fault, _result(mine, silent), told, _databases(fault, mine), names)


def _result(ran: Sequence[Ran], silent: set[str]) -> str:
    failed = sum(one.failed for one in ran)
    skipped = list(dict.fromkeys(one.skipped for one in ran if one.skipped))
    if failed:
        return f"FAIL: {failed} of {len(ran)} tests"
    if silent:
        return f"FAIL: no test ran in {', '.join(sorted(silent))}"
    return f"skipped: {'; '.join(skipped)}" if skipped else "pass"


def _databases(fault: Fault, ran: Sequence[Ran]) -> str:
    on_postgres = [one for one in ran if one.on_postgres]
    if not fault.sql and not on_postgres:
        return "-"
    passed = [one for one in on_postgres if not one.failed and not one.skipped]
    own = [] if ran and len(on_postgres) == len(ran) else ["SQLite"]
    return ", ".join(own + (["PostgreSQL"] if passed else []))


def _run(paths: Sequence[Path]) -> tuple[int, list[Ran]]:
    """pytest's exit code and every test's result; the failures are shown as pytest shows them."""
    with tempfile.TemporaryDirectory() as work:
        report = Path(work) / "report.xml"
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *map(str, paths), "-q", "-n", "2", "--dist", "loadfile",
             "--tb=short", f"--junitxml={report}"],
            cwd=ROOT,
            stdout=sys.stderr,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )  # fmt: skip
        return ended.returncode, read_report(report) if report.exists() else []


def _read(case: ET.Element) -> Ran:
    where = f"{case.get('classname', '')}.{case.get('name', '')}"
    module = re.search(r"\btest_\d\d_\w+", where)
    skipped = case.find("skipped")
    bad = case.find("failure") is not None or case.find("error") is not None
    return Ran(
        module=module[0] if module else where,
        failed=bad,
        skipped="" if skipped is None or bad else skipped.get("message") or "without a reason",
        on_postgres=any(one.get("name") == POSTGRES for one in case.iter("property")),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
