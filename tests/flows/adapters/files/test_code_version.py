"""Which code made a model: never fails, and never claims somebody else's commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.adapters.files.code_version import version_of


def git(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *named, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("x = 1\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "One line of code")
    return tmp_path


def test_a_clone_is_named_by_its_commit_and_a_changed_one_says_so(clone: Path) -> None:
    """The full hash; then an edit that nobody committed."""
    commit = git(clone, "rev-parse", "HEAD")
    assert version_of(clone) == f"git {commit}"
    (clone / "code.py").write_text("x = 2\n", encoding="utf-8")
    assert version_of(clone) == f"git {commit} and uncommitted changes"


def test_inside_somebody_elses_clone_the_packages_version_counts(clone: Path) -> None:
    """A folder of packages below another project's clone is not of that project's commit."""
    (clone / "packages").mkdir()
    assert version_of(clone / "packages").startswith("ratchet")


@pytest.mark.parametrize("broken", ["no clone", "no commit", "no git", "no folder"])
def test_it_never_fails(tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is missing, there is an answer."""
    if broken == "no commit":
        git(tmp_path, "init", "--quiet")
    if broken == "no git":
        monkeypatch.setenv("PATH", "")
    folder = tmp_path / "nowhere" if broken == "no folder" else tmp_path
    assert version_of(folder).startswith("ratchet")
