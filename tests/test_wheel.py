"""The wheel carries what the code reads: settings, case types, profiles, sources and migrations."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import UserError
from configs.settings import load_settings
from flows.verbs.house.deployed import deployments

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flows", "models", "data_contracts", "configs")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and the libraries of this one, and nothing of the clone."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in (*PACKAGES, "pyproject.toml", "README.md"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    built = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", place, source]
    subprocess.run([*pip, *built], check=True)
    (wheel,) = place.glob("*.whl")
    env = place / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", env], check=True)
    (packages,) = env.glob("lib/python*/site-packages")
    # The libraries alone: a path file inside this folder (the clone's own) is not followed.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    given = ["--python", env / "bin" / "python", "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*pip, *given], check=True)
    return env


def said(env: Path, cwd: Path, *command: str | Path, code: int = 0) -> str:
    """What a program of the environment prints, away from the clone."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RATCHET_", "PYTHON"))}
    done = subprocess.run(
        [env / "bin" / command[0], *command[1:]], cwd=cwd, env=clean, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_settings_and_case_types_are_read_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    script = (
        "import json, flows; from configs.settings import load_settings; s = load_settings();"
        "print(json.dumps([flows.__file__, sorted(s.load_case_types()), str(s.home)]))"
    )
    place, case_types, home = json.loads(said(installed, tmp_path, "python", "-c", script))
    assert Path(place).is_relative_to(installed)
    assert case_types == ["ato", "kyc_audit", "poa_review", "reset_2fa", "withdrawal_anomaly"]
    assert Path(home) == tmp_path / ".ratchet"


def test_the_command_helps_and_certifies(installed: Path, tmp_path: Path) -> None:
    """Scores below .5 are good and the others bad, 2,000 of each, all reviewed."""
    assert "certify" in said(installed, tmp_path, "ratchet", "--help")
    score = np.linspace(0.001, 0.999, 4_000)
    evidence = pd.DataFrame(
        {"case_type": "ato", "score": score, "bad": score > 0.5, "propensity": 1.0}
    )
    evidence.to_parquet(tmp_path / "evidence.parquet")
    told = json.loads(said(installed, tmp_path, "ratchet", "certify", "evidence.parquet", "--json"))
    assert told["ato"]["verdict"] == "certified"


def test_a_home_is_opened_with_the_migrations_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    """`status` makes a ledger in the working folder."""
    said(installed, tmp_path, "ratchet", "status")
    assert (tmp_path / ".ratchet" / "live" / "ledger.db").is_file()


def test_without_a_clone_there_is_nothing_to_deploy(tmp_path: Path) -> None:
    """`up` hands flow files to a worker, and a package has none at a known place."""
    with pytest.raises(UserError, match="`ratchet up` takes a clone"):
        deployments(load_settings(), tmp_path)
