"""The house keeps its walls: import arrows, names, lengths, and nothing that must not be committed."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flows", "models", "data_contracts", "configs")
FLOW_FILES = [p for p in (ROOT / "flows").glob("*.py") if "@flow" in p.read_text(encoding="utf-8")]


def test_the_import_rules_hold() -> None:
    """Layers and forbidden imports, as written in pyproject.toml."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_no_module_imports_itself_in_a_circle() -> None:
    """Among module-level imports of our own packages; an import in a function breaks a circle."""
    graph = {
        _name(path): _imported(path)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        raise AssertionError(f"circle of imports: {circle.args[1]}") from None


def test_no_file_beside_the_flows_shares_a_name_with_anything_importable() -> None:
    """Prefect puts flows/ first on sys.path, where queue.py would hide the standard library's."""
    taken = set(sys.stdlib_module_names) | set(packages_distributions()) - set(PACKAGES)
    ours = {
        path.stem for path in (ROOT / "flows").iterdir() if path.suffix == ".py" or path.is_dir()
    }
    assert not (ours - {"__init__", "__pycache__"}) & (taken | set(PACKAGES))


def test_flow_files_stay_short() -> None:
    """A flow reads as a list of verbs: no file over 60 lines."""
    assert len(FLOW_FILES) >= 6
    lengths = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in FLOW_FILES}
    assert all(length <= 60 for length in lengths.values()), lengths


def test_nothing_committed_names_a_registry_or_a_folder_of_one_machine() -> None:
    """No uv.lock (it names package hosts), no host of a package registry, no machine's path."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "uv.lock" not in tracked
    forbidden = ["pypi" + ".org", "python" + "hosted", "npm" + "js.", "/wo" + "rk/", "/ro" + "ot/"]
    found = [
        (name, word)
        for name in tracked
        if (ROOT / name).suffix in {".py", ".md", ".yaml", ".toml", ".lock", ""}
        for word in forbidden
        if word in (ROOT / name).read_text(encoding="utf-8", errors="ignore")
    ]
    assert not found


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = ROOT.joinpath(*node.module.split("."), f"{alias.name}.py")
                found.add(f"{node.module}.{alias.name}" if inner.exists() else node.module)
    own = {name for name in found if name.split(".")[0] in PACKAGES}
    # A package's __init__ re-exports its modules; modules name the module they need, so reading
    # the package from inside itself is the one harmless loop.
    return {name for name in own if name != _name(path) and not _name(path).startswith(name + ".")}
