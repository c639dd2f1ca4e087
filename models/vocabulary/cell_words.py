"""Which words in a cell mean yes, no or nothing, in every table and in every served case?"""

from __future__ import annotations

YES = frozenset({"true", "t", "yes", "y", "on", "1", "1.0"})
NO = frozenset({"false", "f", "no", "n", "off", "0", "0.0"})
FLAG_WORDS = "true/false, t/f, yes/no, y/n, on/off or 1/0"

MISSING_TEXT = frozenset({"", "null", r"\n", "<na>", "nan", "#n/a", "n/a"})
"""In a column of text. "NA" is a country and "None" may be a category, so neither is among them."""

MISSING_VALUE = MISSING_TEXT | {
    "na", "none", "nil", "nat", "-", "--", "\N{EN DASH}", "\N{EM DASH}", ".", "?", "(null)",
    "#na", "#null!", "#value!", "#div/0!", "#ref!", "#num!", "missing", "unknown",
}  # fmt: skip
"""Where a number, a yes-or-no or a stamp is due, and none of these can be one."""
