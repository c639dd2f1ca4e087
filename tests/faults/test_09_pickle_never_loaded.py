"""A pickle in an artifact or result store is never loaded (FAULTS 9).

Injected: a pickle that would leave a file behind is planted wherever an artifact or a result may lie; the
source is searched for every way to load one.
"""

from __future__ import annotations

import ast
import json
import os
import pickletools
import subprocess
import sys
from pathlib import Path

import pytest

from configs.errors import GateRefused
from flows.verbs.house.reconcile import reconcile
from tests.faults.hub import CHAMPION, NAME, NOW, Hub

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("flows", "models", "data_contracts", "configs", "benchmarks")
UNPICKLERS = {"pickle", "_pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal"}


def canary(evidence: Path) -> bytes:
    """A pickle (protocol 0, spelled out) that runs `os.mkdir(evidence)` when it is loaded."""
    return f"cos\nmkdir\n(V{evidence}\ntR.".encode("ascii")


def test_the_canary_would_sing(tmp_path: Path) -> None:
    """Its opcodes, read and not run, call `os.mkdir` with the folder and then end: whoever loaded it
    would leave the folder behind, so the tests below could fail."""
    evidence = tmp_path / "it_ran"
    told = [(code.name, said) for code, said, _ in pickletools.genops(canary(evidence))]
    assert told == [
        ("GLOBAL", "os mkdir"),
        ("MARK", None),
        ("UNICODE", str(evidence)),
        ("TUPLE", None),
        ("REDUCE", None),
        ("STOP", None),
    ]
    assert not evidence.exists()


@pytest.mark.parametrize("name", ["model.pkl", "python_model.pkl", "data/model.joblib"])
def test_a_pickle_beside_the_model_is_refused_by_name(hub: Hub, tmp_path: Path, name: str) -> None:
    """Where MLflow's flavours keep theirs; the version is refused whole."""
    evidence, file = tmp_path / "it_ran", hub.folder(CHAMPION) / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(canary(evidence))
    hub.forget_copies()
    anew = hub.started_anew()
    with pytest.raises(GateRefused, match=rf"holds {name.split('/')[0]}/?, and nobody registered"):
        anew.services.registry.load(NAME, CHAMPION, hub.digest(CHAMPION))
    assert reconcile(anew.services, NOW)["alarms"]
    assert not evidence.exists()


def test_a_pickle_in_the_models_place_is_refused_by_digest(hub: Hub, tmp_path: Path) -> None:
    """It carries the right name, and is only hashed."""
    evidence = tmp_path / "it_ran"
    hub.file(CHAMPION).write_bytes(canary(evidence))
    hub.services.registry.copies.path(hub.digest(CHAMPION)).write_bytes(canary(evidence))
    with pytest.raises(GateRefused, match="its file has digest"):
        hub.started_anew().services.registry.load(NAME, CHAMPION, hub.digest(CHAMPION))
    assert not evidence.exists()


@pytest.mark.slow
def test_a_flow_reads_and_writes_no_stored_result(tmp_path: Path) -> None:
    """Prefect is told by the environment to keep every result, and finds pickles where it keeps
    them: none of ours is written or read."""
    store, evidence = tmp_path / "results", tmp_path / "it_ran"
    store.mkdir()
    for name in ("reconcile", "open the services", "0" * 32):
        (store / name).write_bytes(canary(evidence))
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "RATCHET_"))}
    done = subprocess.run(
        [sys.executable, "-c", "from flows.reconcile import reconcile; print(reconcile())"],
        env={
            **clean,
            "RATCHET_HOME": str(tmp_path / "ratchet"),
            "PREFECT_HOME": str(tmp_path / "prefect"),
            "PREFECT_LOCAL_STORAGE_PATH": str(store),
            "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
            "PYTHONPATH": str(ROOT),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "'alarms': []" in done.stdout
    assert len(list(store.iterdir())) == 3
    assert not evidence.exists()


def test_no_flow_or_task_keeps_results() -> None:
    """Every `@flow` says so itself, and so does the one place that makes tasks."""
    told = {
        path.name: decorator
        for path in (ROOT / "flows").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "flow"
    }
    assert len(told) >= 7
    keep_nothing = {name for name, call in told.items() if _says(call, "persist_result", "False")}
    assert keep_nothing == set(told)
    source = ast.parse((ROOT / "flows" / "orchestration" / "tasks.py").read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(source) if isinstance(n, ast.Call)]
    (made,) = [call for call in calls if getattr(call.func, "id", "") == "task"]
    assert _says(made, "persist_result", "False")
    assert _says(made, "cache_policy", "NO_CACHE")


def test_nothing_of_ours_can_load_a_pickle() -> None:
    """No module imports an unpickler, asks a library for one, or calls an MLflow `load_model`."""
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno} {why}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (why := _could_unpickle(node))
    }
    assert found == set()


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "import cloudpickle as harmless",
        "mlflow.xgboost.load_model(x)", "pyfunc.load_model(x)", "pd.read_pickle(x)",
        "np.load(x, allow_pickle=True)", "importlib.import_module('pickle')",
    ],
)  # fmt: skip
def test_the_search_sees_each_way_to_load_one(line: str) -> None:
    """And it leaves the booster's own reader alone."""
    assert any(_could_unpickle(node) for node in ast.walk(ast.parse(line)))
    fine = ast.parse("booster.load_model(bytearray(ubj))")
    assert not any(_could_unpickle(node) for node in ast.walk(fine))


def _could_unpickle(node: ast.AST) -> str:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        names = [node.value]  # a module named in a string may be imported by it
    elif isinstance(node, ast.Call):
        return _unpickling_call(node)
    else:
        return ""
    return next((name for name in names if name.split(".")[0] in UNPICKLERS), "")


def _unpickling_call(call: ast.Call) -> str:
    if any(one.arg == "allow_pickle" for one in call.keywords):
        return "" if _says(call, "allow_pickle", "False") else "allow_pickle"
    if not isinstance(call.func, ast.Attribute):
        return ""
    called = ast.unparse(call.func)
    if call.func.attr == "load_model" and called != "booster.load_model":
        return called
    return called if call.func.attr in ("read_pickle", "unpickle") else ""


def _says(call: ast.Call, keyword: str, value: str) -> bool:
    return any(one.arg == keyword and ast.unparse(one.value) == value for one in call.keywords)


def test_alerts_are_kept_as_json_lines(hub: Hub) -> None:
    """The one thing written here that is read back is JSON."""
    hub.file(CHAMPION).unlink()
    hub.forget_copies()
    reconcile(hub.services, NOW)
    lines = (hub.services.home / "alerts.jsonl").read_text(encoding="ascii").splitlines()
    assert json.loads(lines[-1])["kind"] == "champion_lost"
