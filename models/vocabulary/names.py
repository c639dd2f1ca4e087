"""Which names are taken in our tables, and what is a feature of such a name called inside?"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

CONTRACT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "decisions": (
        "case_id", "case_type", "opened_at", "decided_at", "score", "recommendation", "action",
        "propensity", "audited", "arm", "policy_id", "model_version", "priority", "amount_usd",
        "override", "queue", "reasoning",
    ),
    "reviews": (
        "review_id", "case_id", "revision", "reviewer_id", "team", "kind", "blind", "queued_at",
        "resolved_at", "verdict", "label", "feedback_path", "root_cause", "feature_ref",
        "sop_clause", "annotation", "language",
    ),
    "outcomes": ("case_id", "observed_at", "bad", "source"),
    "history": ("case_id", "case_type", "opened_at", "bad", "amount_usd", "priority"),
    "cases": ("case_id", "case_type", "opened_at", "priority", "amount_usd"),
}  # fmt: skip
"""The fixed columns of every contract (a test holds them beside the contracts themselves)."""

SCORED_HISTORY = ("score", "model_version")
"""What a history may hold beside its contract, where another agent scored its cases: for
`import-history`; a backtest leaves it out."""

_ADDED = frozenset(
    {
        # by the store and by admission
        "received_at", "case_number", "broken_rules", "row_digest",
        # beside a decision: contributions, shadow scores, A/B tests
        "margin", "bias", "scored_at", "control_action", "treatment_action", "own_score",
        # while truth is established and evidence is judged
        "drawn", "surfaced", "automatable", "confirmed", "first_bad", "reviewer", "rank",
        "settled_at", "second_drawn", "generation", "pattern_id", "night_at", "why", "found",
        "auc", "content", "count", "day", "dead", "delta", "depth", "epoch", "feature", "hour",
        "key", "labels", "pi", "rows", "scores", "se", "side", "spread", "step", "waiting",
        "weight", "window", "within_sla", "wording", "zone", "block", "pass",
        # while the cohort is drawn, watched, audited and looked back on
        "uniform", "cohort_rate", "sprint_rate", "sprint_until", "in_cohort", "in_block_cohort",
        "from_store", "entered_at", "given_up", "waits_for", "credence", "credence_uniform", "sure", "harm",
        "proving", "refuting", "night",
    }
)  # fmt: skip
"""Columns that the loop adds to a table on its way (a test reads them off the source)."""

RESERVED = _ADDED.union(*CONTRACT_COLUMNS.values())
"""Names that a column of ours has somewhere; a feature of that name gets another one inside."""

_FEATURE = "feature("


def is_reserved(name: str) -> bool:
    """Whether a feature of this name could be taken for a column of ours.

    Reserved are the columns of all contracts, what the loop adds to them, and names that begin as
    ours do: `phi_` (contributions), `_` (bookkeeping), `holds:` (rules) and `feature(`.
    """
    return name in RESERVED or name.startswith(("phi_", "_", "holds:", _FEATURE))


def column_of(feature: str) -> str:
    """The column that holds a feature inside, and the name that reports show.

    An ordinary name is its own; `score` becomes `feature(score)`, so that it can be told from the
    agent's score in a table and on a page. No two features get one column.
    """
    return f"{_FEATURE}{feature})" if is_reserved(feature) else feature


def name_of(column: str) -> str:
    """The name that the user gave to the feature in this column."""
    inside = column.startswith(_FEATURE) and column.endswith(")")
    return column[len(_FEATURE) : -1] if inside else column


def same_spelling(name: str) -> str:
    """What two spellings of one name have in common: composed and compatible signs, no blanks
    around or doubled between words."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def why_unprintable(name: str) -> str:
    """Why nobody could read this name, or ""."""
    if not name.strip():
        return "is empty"
    if any(unicodedata.category(sign)[0] == "C" for sign in name):
        return "holds a sign that cannot be seen"
    return ""


def why_mistakable(name: str, also: str = "") -> str:
    """Why the name of a person or of a case type could be taken for another one, or "".

    Allowed are letters of one alphabet (accents too), digits, blanks and the signs . _ - ' between
    them; Latin letters of phonetic alphabets (such as U+0251, drawn like an a) are not.

    Args:
        also: further signs that are allowed, though not as the first.
    """
    if hidden := why_unprintable(name):
        return hidden
    if not name[0].isalnum():
        return "must begin with a letter or a digit"
    strange = sorted(
        {sign for sign in name if not (_is_letter(sign) or sign in f" ._-'\u2019{also}")}
    )
    if strange:
        return f"holds the sign {strange[0]!a}; letters, digits, blanks and . _ - ' are allowed"
    alphabets = {_alphabet(sign) for sign in name if sign.isalpha()}
    if len(alphabets) > 1 and alphabets & {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}:
        return f"mixes letters of {' and '.join(sorted(one.title() for one in alphabets))}"
    phonetic = [sign for sign in name if _alphabet(sign) == "LATIN" and not _is_plain_latin(sign)]
    if phonetic:
        return f"holds {phonetic[0]!a}, which is drawn like another letter"
    return ""


def _is_letter(sign: str) -> bool:
    return sign.isalnum() or unicodedata.category(sign) in ("Mn", "Mc")


def _alphabet(sign: str) -> str:
    return unicodedata.name(sign, "").split(" ")[0].split("-")[0]


def _is_plain_latin(sign: str) -> bool:
    """A to Z, with or without marks, and the letters of European alphabets that have no such base."""
    base = unicodedata.normalize("NFD", sign)[0]
    return base.isascii() or ("\u00c0" <= base <= "\u017e" and base != "\u0131")
