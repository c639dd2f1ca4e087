"""What a look at the source of cases found, as a sentence and a table."""

from __future__ import annotations

from flows.reports.words.decided import decided_table, decided_verdict, where_they_are

TOLD = {
    "ato": {
        "rows_in": 10 + 4 + 3 + 1, "decided": 10, "already_decided": 4, "refused": 3, "copies": 1,
        "late": 2, "audited": 1, "to_seniors": 0, "rejections": {"case_id_appears_once": 2,
        "stamps_are_present": 1}, "actions": {"escalate": 4, "auto_pass": 6},
        "overrides": {"cells_are_readable": 1},
    },
    "known_case_type": {"rows_in": 5, "refused": 5, "rejections": {"known_case_type": 5}},
}  # fmt: skip


def test_the_verdict_counts_every_row() -> None:
    """Late ones, copies and what is in quarantine, by rule."""
    assert decided_verdict(TOLD) == (
        "23 rows: 10 decided now (2 of them came late), 4 before, 1 copies, 8 in quarantine "
        "(2 by case_id_appears_once, 5 by known_case_type, 1 by stamps_are_present)."
    )
    assert decided_verdict({}) == "The source has no rows; nothing was decided."


def test_the_table_has_a_row_a_case_type() -> None:
    """Actions and rules stand beside the counts."""
    first, second = decided_table(TOLD)
    assert (first["case_type"], first["late"], first["auto_pass"]) == ("ato", 2, 6)
    assert first["by_rule"] == "1 cells_are_readable, 2 case_id_appears_once, 1 stamps_are_present"
    # An action that nothing met is a nought, not a column that is gone.
    assert (first["auto_block"], second["auto_pass"]) == (0, 0)
    assert (second["decided"], second["refused"]) == (0, 5)


def test_where_the_decisions_are_and_one_to_look_at() -> None:
    """A case id of now; where nothing was decided there is nothing to fetch."""
    said = where_they_are({"ato": {**TOLD["ato"], "example": "it's"}})
    assert "`ratchet decide --to DECISIONS`" in said[0]
    assert said[1].endswith("""`ratchet explain 'it'"'"'s'`.""")
    assert where_they_are({"ato": {**TOLD["ato"], "example": None}}) == []
