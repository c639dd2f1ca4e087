"""A stored model's metadata names code to run: nothing runs, and the version is refused (FAULTS 7).

Injected: an MLmodel file that names a loader of ours is planted beside the model; versions are pointed
elsewhere in MLflow's database.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import pyfunc
from mlflow.models import Model

from configs.errors import GateRefused
from flows.verbs.govern.promote import approve_and_promote
from flows.verbs.house.reconcile import reconcile
from tests.faults.hub import CHALLENGER, CHAMPION, NAME, NOW, PREVIOUS, Hub, propose

STRANGERS = [
    "MLmodel",
    "conda.yaml",
    "requirements.txt",
    "python_env.yaml",
    "model.py",
    "model.pkl",
]


def plant_loader(folder: Path, evidence: Path) -> None:
    """Metadata that MLflow's own loader obeys: it imports `canary_loader`, which leaves a file."""
    code = folder / "code"
    code.mkdir()
    text = f"import pathlib\npathlib.Path({str(evidence)!r}).touch()\n"
    (code / "canary_loader.py").write_text(
        f"{text}class _Model:\n    predict = None\ndef _load_pyfunc(path):\n    return _Model()\n",
        encoding="utf-8",
    )
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: canary_loader\n    code: code\n"
        "    python_version: 3.11.0\n",
        encoding="utf-8",
    )


def test_metadata_that_mlflow_would_obey_runs_nothing_here(hub: Hub, tmp_path: Path) -> None:
    """Not on loading, not on approval, not on reconciling."""
    evidence, proposed = tmp_path / "it_ran", propose(hub.services)
    for version in (CHAMPION, CHALLENGER):
        plant_loader(hub.folder(version), evidence)
    hub.forget_copies()
    anew = hub.started_anew()
    with pytest.raises(GateRefused, match=r"version 2 holds MLmodel, code/, and nobody registered"):
        anew.services.registry.load(NAME, CHAMPION, hub.digest(CHAMPION))
    with pytest.raises(GateRefused, match=r"version 3 holds MLmodel, code/, and nobody registered"):
        approve_and_promote(anew.services, NAME, proposed.policy_id, "ben", NOW)
    assert "holds MLmodel, code/" in reconcile(anew.services, NOW)["alarms"][0]
    assert not evidence.exists()


def test_the_planted_metadata_is_what_mlflow_imports_from(hub: Hub, tmp_path: Path) -> None:
    """That the canary lives, without letting it sing: MLflow's own reader finds the module it would
    import and the folder it would import from, and that module leaves the evidence."""
    folder, evidence = hub.folder(CHAMPION), tmp_path / "it_ran"
    plant_loader(folder, evidence)
    named = Model.load(str(folder)).flavors["python_function"]
    module = folder / named[pyfunc.CODE] / f"{named[pyfunc.MAIN]}.py"
    assert f"pathlib.Path({str(evidence)!r}).touch()" in module.read_text(encoding="utf-8")
    assert not evidence.exists()


@pytest.mark.parametrize("stranger", STRANGERS)
def test_any_file_beside_the_model_is_named_and_refused(hub: Hub, stranger: str) -> None:
    """Whatever it is called, and although the model's own bytes are untouched."""
    (hub.folder(CHAMPION) / stranger).write_text("anything", encoding="utf-8")
    with pytest.raises(GateRefused, match=f"holds {stranger}, and nobody registered that"):
        hub.services.registry.check_files(NAME, CHAMPION, hub.digest(CHAMPION))


def test_a_version_that_was_pointed_to_other_files_is_refused_by_digest(hub: Hub) -> None:
    """MLflow's database says another folder and another digest; the ledger's digest is what counts."""
    digest = hub.digest(CHAMPION)
    other = hub.folder(PREVIOUS).as_uri()
    hub.execute(
        "UPDATE model_versions SET source = ?, storage_location = ? WHERE version = 2", other, other
    )
    hub.execute("UPDATE model_version_tags SET value = ? WHERE version = 2", hub.digest(PREVIOUS))
    assert hub.started_anew().services.registry.load(NAME, CHAMPION, digest).digest == digest
    hub.forget_copies()
    with pytest.raises(GateRefused, match="the ledger says"):
        hub.started_anew().services.registry.load(NAME, CHAMPION, digest)


def test_what_we_register_names_no_code(hub: Hub) -> None:
    """A version is one bare file, so there is no metadata that could be edited."""
    for version in (PREVIOUS, CHAMPION, CHALLENGER):
        assert [file.name for file in hub.folder(version).iterdir()] == ["model.ubj"]
    folder = hub.services.home / "mlflow" / "artifacts"
    assert {file.name for file in folder.rglob("*") if file.is_file()} == {"model.ubj"}
