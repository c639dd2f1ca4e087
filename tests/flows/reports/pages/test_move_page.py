"""The page of a replayed move: verdict first, self-contained, and filed whole or not at all."""

from pathlib import Path

import pytest

from configs.errors import UserError
from flows.reports.pages.move_page import file_report, move_page
from tests.flows.reports.moves import a_move, no_move


def test_the_page_has_the_three_figures_and_needs_nothing_else():
    """Under 3 MB, no address, no script; the queue is called simulated."""
    document = move_page(a_move())
    assert document.count("<svg") == 3
    assert "http" not in document
    assert "<script" not in document
    assert "Simulated: logged arrivals" in document
    assert len(document.encode()) < 3_000_000


def test_without_a_move_the_page_says_why_and_shows_the_way_to_go():
    """The verdict with its price and the curve; no queue and no before-and-after."""
    document = move_page(no_move())
    assert "no certified move" in document
    assert document.count("<svg") == 1
    assert "Before and after" not in document


def test_without_any_evidence_the_page_still_replays():
    """No model under test: no curve and no bins, but the queue."""
    bare = a_move(certificate=None, curves=[], reliability=[], limits={})
    assert move_page(bare).count("<svg") == 1


def test_a_reports_name_says_its_kind(tmp_path: Path):
    """HTML, a picture, or a refusal that names both."""
    file_report(a_move(), tmp_path / "move.html")
    file_report(a_move(), tmp_path / "move.PNG")
    assert (tmp_path / "move.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / "move.PNG").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match=r"\.html .* or \.png"):
        file_report(a_move(), tmp_path / "move.pdf")


def test_a_picture_of_nothing_is_refused_and_leaves_no_file(tmp_path: Path):
    """The page can be had instead."""
    bare = a_move(curves=[], reliability=[], queue=None)
    with pytest.raises(UserError, match=r"Ask for an \.html report"):
        file_report(bare, tmp_path / "move.png")
    assert not list(tmp_path.iterdir())
