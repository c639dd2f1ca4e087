"""Does the table of faults tell what the tests said?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.catalogue import CATALOGUE, Fault
from tests.faults.table import (
    FOLDER,
    POSTGRES,
    Ran,
    files_by_number,
    in_columns,
    injected,
    lines,
    read_report,
)

DUE, LATER = Fault(1, "S1", "a", sql=True), Fault(30, "S3", "b", "with servers")
OURS, OTHER = Path("test_01_a.py"), Path("test_01_b.py")


def test_every_fault_is_listed_once() -> None:
    """1 to 68, in order, each with a statement of its own."""
    assert [fault.number for fault in CATALOGUE] == list(range(1, 69))
    assert len({fault.statement for fault in CATALOGUE}) == 68


def test_every_fault_that_is_due_has_a_test_and_every_test_a_fault() -> None:
    files = files_by_number(FOLDER)
    due = {fault.number for fault in CATALOGUE if fault.later is None}
    assert due - set(files) == set()
    assert set(files) - {fault.number for fault in CATALOGUE} == set()


def test_what_is_left_to_a_later_part_is_fixed() -> None:
    """A fault cannot be put off by a word in the catalogue."""
    later = {fault.number for fault in CATALOGUE if fault.later is not None}
    assert later <= {30, *range(32, 39), *range(63, 67)}


@pytest.mark.parametrize(
    "path", [path for paths in files_by_number(FOLDER).values() for path in paths], ids=lambda p: p.stem
)  # fmt: skip
def test_every_module_says_how_its_fault_is_injected(path: Path) -> None:
    assert len(injected(path)) > 20


@pytest.mark.parametrize(
    ("files", "ran", "result", "databases"),
    [
        ([OURS], [Ran("test_01_a")], "pass", "SQLite"),
        ([OURS], [Ran("test_01_a"), Ran("test_01_a", on_postgres=True)], "pass", "SQLite, PostgreSQL"),
        ([OURS], [Ran("test_01_a"), Ran("test_01_a", failed=True)], "FAIL: 1 of 2 tests", "SQLite"),
        ([OURS], [Ran("test_01_a"), Ran("test_01_a", skipped="no server", on_postgres=True)],
         "skipped: no server", "SQLite"),
        ([OURS, OTHER], [Ran("test_01_a")], "FAIL: no test ran in test_01_b", "SQLite"),
        ([OURS], [Ran("test_02_a")], "FAIL: no test ran in test_01_a", "SQLite"),
        ([], [], "missing", "-"),
    ],
)  # fmt: skip
def test_one_test_that_did_not_pass_is_no_pass(
    tmp_path: Path, files: list[Path], ran: list[Ran], result: str, databases: str
) -> None:
    """Nor is a test that was skipped, or a file in which nothing ran."""
    written = [tmp_path / file.name for file in files]
    for file in written:
        file.write_text('"""A.\n\nInjected: by\nhand.\n"""\n', encoding="utf-8")
    (line,) = lines([DUE], {1: written}, ran)
    assert (line.result, line.databases, line.in_order) == (result, databases, result == "pass")
    assert line.injected == ("by hand." if files else "")


def test_what_is_not_due_is_in_order_until_it_has_a_file_that_fails(tmp_path: Path) -> None:
    (without,) = lines([LATER], {}, [])
    assert (without.result, without.in_order) == ("not yet: with servers", True)
    file = tmp_path / "test_30_a.py"
    file.write_text('"""A.\n\nInjected: b.\n"""\n', encoding="utf-8")
    (failing,) = lines([LATER], {30: [file]}, [Ran("test_30_a", failed=True)])
    assert not failing.in_order


def test_a_report_of_pytest_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Passed, failed, broken before it began, skipped, on PostgreSQL, and a module that is no Python."""
    (tmp_path / "test_01_a.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "@pytest.fixture\n"
        "def gone(): raise OSError\n"
        "def test_gone(gone): pass\n"
        "def test_skipped(): pytest.skip('no server')\n"
        f"def test_there(record_property): record_property({POSTGRES!r}, 'yes')\n",
        encoding="utf-8",
    )
    (tmp_path / "test_02_b.py").write_text("1 +\n", encoding="utf-8")
    told = tmp_path / "report.xml"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={told}",
         "--continue-on-collection-errors", str(tmp_path)],
        cwd=tmp_path, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert sorted(read_report(told), key=repr) == sorted(
        [
            Ran("test_01_a"),
            Ran("test_01_a", failed=True),
            Ran("test_01_a", failed=True),
            Ran("test_01_a", skipped="no server"),
            Ran("test_01_a", on_postgres=True),
            Ran("test_02_b", failed=True),
        ],
        key=repr,
    )


def test_columns_stand_under_one_another() -> None:
    assert in_columns([("#", "x"), ("10", "yy")]) == ["#   x", "10  yy"]
