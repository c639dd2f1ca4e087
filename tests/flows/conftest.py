"""What tests of the command line share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows.cli import main
from tests.flows.command_line import ROOT, Ratchet, Said


@pytest.fixture
def ratchet_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ratchet:
    """The command inside this process, without the seconds of imports that one of its own costs.

    What it does not catch, and would be a traceback there, fails the test.
    """

    def run(home: Path, *arguments: str, **env: str) -> Said:
        for name in [one for one in os.environ if one.startswith(("RATCHET_", "PREFECT_"))]:
            monkeypatch.delenv(name)
        for name, value in {"RATCHET_HOME": str(home), **env}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(ROOT)
        code: object = 0
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code
        assert isinstance(code, int)
        return Said(code, *capsys.readouterr())

    return run
