"""Rows with a cell too many are named by their lines, whatever encoding their text is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.sources import SourceSettings
from flows.adapters.tables.sources import read_source


def test_an_uneven_row_is_named_even_where_its_text_is_no_utf_8(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Arrow hands such a row to Python as text, and prints a traceback when it is none."""
    file = tmp_path / "outcomes.csv"
    file.write_bytes(b"case_id,bad\nc1,1\nc\xe92,1,0\nc3,0\n")
    said = {"name": "desk", "kind": "outcomes", "path": str(file)}

    with pytest.raises(UserError, match="line 3 has 3"):
        read_source(SourceSettings.model_validate(said))

    assert capfd.readouterr().err == ""
