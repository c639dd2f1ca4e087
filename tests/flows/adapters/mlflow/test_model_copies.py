"""Copies of models: named by their bytes, whole or not at all, and nothing else is ever read."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.adapters.mlflow import model_copies
from flows.adapters.mlflow.model_copies import ModelCopies, whole_file

CONTENT = b"the bytes of a model"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def copies(tmp_path: Path) -> ModelCopies:
    kept = ModelCopies(tmp_path / "models")
    kept.keep(DIGEST, CONTENT)
    return kept


def test_a_copy_is_one_private_file_named_by_its_bytes(copies: ModelCopies) -> None:
    (file,) = copies.folder.iterdir()
    assert file.name == f"{DIGEST}.ubj"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(copies.folder.stat().st_mode) == 0o700
    assert copies.read(DIGEST) == CONTENT
    assert not copies.damaged(DIGEST)


def test_keeping_again_writes_nothing(copies: ModelCopies) -> None:
    before = copies.path(DIGEST).stat().st_mtime_ns
    copies.keep(DIGEST, CONTENT)
    assert copies.path(DIGEST).stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"\0", b"T" + CONTENT[1:]])
def test_other_bytes_are_no_copy_and_are_replaced(copies: ModelCopies, content: bytes) -> None:
    copies.path(DIGEST).write_bytes(content)
    assert copies.read(DIGEST) is None
    assert copies.damaged(DIGEST)
    copies.keep(DIGEST, CONTENT)
    assert copies.read(DIGEST) == CONTENT


def test_bytes_without_the_digest_are_not_kept(copies: ModelCopies) -> None:
    with pytest.raises(ValueError, match="do not have the digest"):
        copies.keep("0" * 64, CONTENT)
    assert copies.read("0" * 64) is None
    assert not copies.damaged("0" * 64)


@given(st.text(max_size=80))
def test_no_text_leads_out_of_the_folder(text: str) -> None:
    """A digest comes from a ledger that somebody may have edited."""
    copies = ModelCopies(Path("/somewhere/models"))
    try:
        path = copies.path(text)
    except ValueError:
        assert copies.read(text) is None
        assert not copies.damaged(text)
        return
    assert path.parent == copies.folder
    assert len(text) == 64


def test_what_stands_in_a_copys_place_and_is_no_file_is_not_read(
    copies: ModelCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe would block, a device never end, a huge file fill the memory."""
    path = copies.path(DIGEST)
    path.unlink()
    os.mkfifo(path)
    assert copies.read(DIGEST) is None
    path.unlink()
    path.symlink_to("/dev/zero")
    assert copies.read(DIGEST) is None
    path.unlink()
    path.mkdir()
    assert copies.damaged(DIGEST)
    copies.keep(DIGEST, CONTENT)
    monkeypatch.setattr(model_copies, "LARGEST_BYTES", 3)
    with pytest.raises(OSError, match="larger than any model"):
        whole_file(path)
