"""Another local user: home 0700, files 0600; `doctor` says what is wider.

Injected: the widest umask there is, homes and files of older versions with mode 0755 and 0644, and a
file opened to others in a closed home.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.adapters.files import private_home
from flows.adapters.files.private_home import wider_than_private
from flows.verbs import live
from tests.faults.house import NAME, House, cases, copied
from tests.flows.command_line import RATCHET, ROOT


@pytest.fixture
def house(tmp_path) -> House:
    return copied(tmp_path / "home")


@pytest.fixture
def wide_open() -> Iterator[None]:
    """A person whose umask hides nothing, in a process that has opened no home yet."""
    before, known = os.umask(0), private_home._PROCESS.umask
    private_home._PROCESS.umask = None
    yield
    private_home._PROCESS.umask = known
    os.umask(before)


def run(home: Path, *arguments: str, umask: int = 0, **env: str) -> subprocess.CompletedProcess:
    """The command in a process of its own, under a umask."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RATCHET_", "PREFECT_"))}
    return subprocess.run(
        [RATCHET, *arguments],
        env={**clean, "RATCHET_HOME": str(home), **env},
        cwd=ROOT,
        umask=umask,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def modes(folder: Path) -> dict[str, int]:
    return {
        str(one.relative_to(folder)): stat.S_IMODE(one.lstat().st_mode)
        for one in [folder, *folder.rglob("*")]
    }


def test_whatever_the_umask_everything_in_a_home_is_its_owners(house: House) -> None:
    """People, night's files, decisions, alerts, MLflow, reports: by the commands, umask 0."""
    home = house.live.home
    file, out = home.parent / "cases.parquet", home.parent / "out" / "decisions.csv"
    cases(house.services(), 0, 50).to_parquet(file, index=False)
    (house.home / "ledger.head").rename(home.parent / "aside")
    told = run(home, "decide", str(file), "--case-type", NAME, "--to", str(out))
    assert told.returncode == 3, told.stderr  # with an alert
    (home.parent / "aside").rename(house.home / "ledger.head")
    assert run(home, "status").returncode == 0
    found = modes(home)
    assert "live/alerts.jsonl" in found
    assert any(name.endswith(".parquet") for name in found)
    assert any(name.endswith("model.ubj") for name in found)
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}
    assert stat.S_IMODE(out.stat().st_mode) == 0o666  # what was asked for by name is theirs
    assert stat.S_IMODE(out.parent.stat().st_mode) == 0o777


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_what_is_asked_for_by_name_keeps_the_persons_umask(house: House, umask, mode) -> None:
    file, out = house.live.home / "cases.csv", house.live.home.parent / "decisions.parquet"
    cases(house.services(), 0, 20).to_csv(file, index=False)
    told = run(
        house.live.home, "decide", str(file), "--case-type", NAME, "--to", str(out), umask=umask
    )
    assert told.returncode == 0, told.stderr
    assert stat.S_IMODE(out.stat().st_mode) == mode


@pytest.mark.usefixtures("wide_open")
def test_a_desk_opened_without_the_command_is_private_too(tmp_path, monkeypatch) -> None:
    """As a flow opens it, in a process whose umask hides nothing."""
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path / "home"))
    services = live.open_services()
    live.file_dossier(services, {"as_of": "2026-05-04T02:00:00+00:00"})
    assert {name: one for name, one in modes(tmp_path / "home").items() if one & 0o077} == {}


def test_an_older_versions_home_is_closed_when_it_is_opened(house: House) -> None:
    """Everything in it; the doctor names it first."""
    root = house.live.home
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    told = house.ask("doctor")
    assert (told.code, "Others on this machine may use" in told.out) == (3, True)
    assert list(wider_than_private(house.home)) == []
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert house.ask("doctor").code == 0


def test_the_doctor_names_what_was_opened_in_a_closed_home(house: House) -> None:
    (house.home / "audit.key").chmod(0o640)
    told = json.loads(house.ask("doctor", "--json").out)
    (wrong,) = [one for one in told["checks"] if not one["ok"]]
    assert (wrong["check"], "audit.key" in wrong["problem"]) == ("modes", True)
    assert "chmod -R go=" in wrong["problem"]


def test_links_and_shared_folders_are_left_alone(tmp_path, monkeypatch) -> None:
    """What a link names may be somebody else's, and a folder like /tmp is everybody's."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o644)
    monkeypatch.setenv("RATCHET_HOME", str(shared))
    (shared / "live").mkdir(mode=0o755)
    (shared / "live" / "link").symlink_to(tmp_path / "file")
    private_home.keep_private(shared / "live")
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777 & 0o777 or shared.stat().st_mode & 0o1000
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
    assert stat.S_IMODE((shared / "live").stat().st_mode) == 0o700
