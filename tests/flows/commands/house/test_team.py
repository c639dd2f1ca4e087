"""`ratchet join` and the hand-over of the audit secret, where there is no team yet, or a wrong file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from configs.errors import UserError
from flows.adapters.ledger.audit_key_file import read_handed_over, write_handed_over
from tests.flows.commands.live_home import LiveHome


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveHome:
    for name in [one for one in os.environ if one.startswith("RATCHET_")]:
        monkeypatch.delenv(name)
    return LiveHome(tmp_path / "home")


def test_a_home_that_is_alone_lacks_what_makes_a_team(home: LiveHome) -> None:
    """All three addresses are named, and nothing is made."""
    said = home.ask("join")
    assert said.code == 3
    for name in ("RATCHET_DATABASE_URL", "RATCHET_STORE_URL", "RATCHET_MLFLOW_TRACKING_URI"):
        assert name in said.out
    assert not home.home.exists()


def test_a_database_that_does_not_answer_is_named_without_its_password(
    home: LiveHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql+psycopg://ratchet:hunter2@127.0.0.1:9/ratchet"
    monkeypatch.setenv("RATCHET_DATABASE_URL", url)
    said = home.ask("join", "--json")
    told = {one["check"]: one["problem"] for one in json.loads(said.out)["checks"]}
    assert (said.code, list(told)) == (3, ["settings", "database", "everything else"])
    assert "cannot be used" in told["database"]
    assert "hunter2" not in said.out + said.err


def test_what_is_handed_over_is_read_again(tmp_path: Path) -> None:
    """Also a plain copy of `audit.key`; nobody else may read the file, and none is overwritten."""
    file = tmp_path / "handed-over.json"
    write_handed_over(file, ["a" * 64, "b" * 64])
    assert read_handed_over(file) == ("a" * 64, "b" * 64)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UserError, match="is not overwritten"):
        write_handed_over(file, ["c" * 64])
    (tmp_path / "audit.key").write_text("c" * 64 + "\n")
    assert read_handed_over(tmp_path / "audit.key") == ("c" * 64,)
    (tmp_path / "digits").write_text("0123456789012345")
    assert read_handed_over(tmp_path / "digits") == ("0123456789012345",)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"audit_secrets": []}', b'{"audit_secrets": [1]}', b"\xff\xfe"]
)
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "wrong"
    file.write_bytes(content)
    with pytest.raises(UserError, match="holds no audit secret"):
        read_handed_over(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_handed_over(tmp_path / "gone")
