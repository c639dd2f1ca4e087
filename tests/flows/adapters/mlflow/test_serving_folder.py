"""A serving folder runs on its own, holds no secret and no pickle, and is refused once it was changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmarks.serving import ledger_of
from configs.errors import UserError
from configs.places import PROJECT
from flows.adapters.mlflow import serving_folder
from flows.adapters.mlflow.serving_folder import write_serving_folder
from models.hub.policies.pinned import PinnedPolicy
from tests.pinned_policies import NOW, SECRET, pinned_policy, simulated_cases

HEAD = (0, "0" * 64)

# The folder's own road, as MLflow takes it: its `code` first, then its model's file. Elsewhere than
# in the clone, so that nothing of the clone is found.
RUN = """
import json, sys
from pathlib import Path
import pandas as pd
folder = Path(sys.argv[1])
sys.path.insert(0, str(folder / "code"))
from mlflow.models import model
exec(compile((folder / "served_policy.py").read_text(), str(folder / "served_policy.py"), "exec"),
     {"__name__": "served", "__file__": str(folder / "served_policy.py")})
served = model.__mlflow_model__
served.load_context(context=None)
import models
cases = pd.read_parquet(sys.argv[2])
print(json.dumps({"models": models.__file__, "answers": served.predict(None, cases)}))
"""


@pytest.fixture(scope="module")
def pinned() -> PinnedPolicy:
    return pinned_policy(simulated_cases(days=8))


@pytest.fixture(scope="module")
def exported(pinned: PinnedPolicy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving") / "ato"
    ledger = ledger_of(pinned.policy, folder.parent / "ledger", NOW)
    write_serving_folder(folder, pinned, SECRET, ledger.head(), NOW)
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def read(folder: Path, secret: str | None = SECRET) -> PinnedPolicy:
    from flows.adapters.mlflow.served_policy import read_pinned

    return read_pinned(folder / "pinned", {"RATCHET_AUDIT_KEY": secret} if secret else {})


@pytest.mark.slow
def test_the_folder_answers_on_its_own_as_the_policy_decides(
    exported: Path, pinned: PinnedPolicy, tmp_path: Path
) -> None:
    """In a process that knows neither the clone nor the ledger: the same values, to the bit."""
    new = simulated_cases(days=3, first_day=8)
    new.to_parquet(tmp_path / "cases.parquet")
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(exported), str(tmp_path / "cases.parquet")],
        cwd=tmp_path,
        env={
            **os.environ, "PYTHONPATH": "", "RATCHET_AUDIT_KEY": SECRET,
            "RATCHET_LEDGER": f"sqlite:///{exported.parent / 'ledger' / 'ledger.db'}",
        },
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert Path(told["models"]).is_relative_to(exported)
    answers = pd.DataFrame(told["answers"])
    for name, column in pinned.decisions(new, NOW).items():
        assert answers[name].tolist() == column.tolist(), name
    here = pd.DataFrame(pinned.answers(new, NOW))
    pd.testing.assert_frame_equal(
        answers.drop(columns="decided_at"), here.drop(columns="decided_at"), check_exact=True
    )


def test_the_code_is_our_own_source_and_nothing_in_the_folder_is_a_pickle(exported: Path) -> None:
    """Byte for byte, no compiled file; MLflow's description names code, and no file to unpickle."""
    ours = {p.relative_to(PROJECT): p.read_bytes() for p in (PROJECT / "models").rglob("*.py")}
    theirs = {p.relative_to(exported / "code"): p for p in (exported / "code").rglob("*.*")}
    assert {name: path.read_bytes() for name, path in theirs.items()} == ours
    files = [path for path in exported.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".pyc", ".joblib"}]
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"]  # a pickle's first byte
    flavor = yaml.safe_load((exported / "MLmodel").read_text())["flavors"]["python_function"]
    assert flavor["loader_module"] == "mlflow.pyfunc.loaders.code_model"
    assert flavor["model_code_path"] == "served_policy.py"
    assert "python_model" not in flavor


def test_the_audit_secret_is_nowhere_in_the_folder(exported: Path, pinned: PinnedPolicy) -> None:
    """Neither it, nor the key that draws this case type's audits, nor a plain digest of it."""
    whole = b"".join(path.read_bytes() for path in exported.rglob("*") if path.is_file())
    for secret in (SECRET, pinned.key, hashlib.sha256(SECRET.encode()).hexdigest()):
        assert secret.encode() not in whole


@pytest.mark.parametrize(
    ("secret", "said"),
    [(None, "RATCHET_AUDIT_KEY is not set"), ("another", "is not the secret of the home")],
)
def test_without_the_homes_secret_it_does_not_start(
    exported: Path, secret: str | None, said: str
) -> None:
    """Else other cases would be audited than there."""
    with pytest.raises(ValueError, match=said):
        read(exported, secret)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("model.ubj", "was not loaded"),
        ("policy.json", "was not read"),
        ("case_type.json", "was changed after the export"),
    ],
)
def test_a_file_with_one_bit_flipped_is_refused(copy: Path, file: str, said: str) -> None:
    """Or cut short, or gone: each in a sentence."""
    path = copy / "pinned" / file
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(ValueError, match=said):
        read(copy)
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=said):
        read(copy)
    path.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        read(copy)


def test_what_is_taken_stays_as_it_is(pinned: PinnedPolicy, tmp_path: Path) -> None:
    """A folder with something in it may be served at this moment; a file is none."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, said in (("taken", "is not empty"), ("file", "is a file")):
        with pytest.raises(UserError, match=said):
            write_serving_folder(tmp_path / name, pinned, SECRET, HEAD, NOW)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "mine", "taken"]


def test_it_appears_whole_or_not_at_all(
    pinned: PinnedPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up half-way leaves nothing behind; an empty folder may be filled."""
    to = tmp_path / "ato"
    to.mkdir()

    def full(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(serving_folder, "_save_model", full)
        with pytest.raises(UserError, match="No space left"):
            write_serving_folder(to, pinned, SECRET, HEAD, NOW)
    assert list(tmp_path.rglob("*")) == [to]
    write_serving_folder(to, pinned, SECRET, HEAD, NOW)
    assert (to / "MLmodel").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["ato"]


def test_what_is_no_case_is_a_bad_request_without_the_rows(exported: Path) -> None:
    """MLflow puts every row it was sent before the message; ours is one sentence with status 400."""
    from flows.adapters.mlflow.served_policy import Malformed, ServedPolicy, watch_of

    served = ServedPolicy()
    served._pinned = read(exported)
    url = f"sqlite:///{exported.parent / 'ledger' / 'ledger.db'}"
    served._watch = watch_of(exported / "pinned", {"RATCHET_LEDGER": url})
    with pytest.raises(Malformed) as refused:
        served.predict(None, pd.DataFrame({"case": ["canary"]}))
    refused.value.message = "Failed to predict data 'canary'"
    told = json.loads(refused.value.serialize_as_json())
    assert refused.value.get_http_status_code() == 400
    assert told["message"].startswith("the cases have no column 'case_id'")
    assert "canary" not in json.dumps(told)
    with pytest.raises(Malformed, match="send the cases as a table"):
        served.predict(None, [[1.0, 2.0]])  # type: ignore[arg-type]
