"""How far may an unconfirmed bad label be believed where it helps a certificate? (METHODS 1.6)"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from models.vocabulary import Boundary

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def credence(labels: pd.DataFrame, boundary: Boundary, delta: float) -> FloatArray:
    """The `credence` column of an EVIDENCE table (DESIGN 7), shape (cases,).

    1 for a bad label that is confirmed; 0 for one at or below the pass cut that nobody has
    confirmed, a contradiction; for the others `1 - false_bad_upper` of the sample drawn among
    them. Without such a sample nothing is known of them, and they count 0. Cases that are not bad
    have 0 as well: they help no count of bad cases.

    Args:
        labels: one row a case: score, bad (settled: true, false, null = open), first_bad (the
            first reviewer's word; false where nobody gave one), confirmed (a second, senior or
            gold review spoke, or an outcome decided) and second_drawn (its second review was drawn
            by design among the bad first words above the pass cut, each with one probability).
        boundary: the cuts under test. A certificate may still pass less than they do: the labels
            between are contradictions, and confirmed.
        delta: taken out of the certificate's own, so that both together keep their promise.

    Raises:
        ValueError: a column is missing, or delta is out of (0, 1).
    """
    needed = ("score", "bad", "first_bad", "confirmed", "second_drawn")
    missing = [name for name in needed if name not in labels]
    if missing:
        raise ValueError(
            f"credence needs the columns {', '.join(needed)}; the labels have no "
            f"{', '.join(map(repr, missing))}"
        )
    low = boundary.pass_at_or_below
    score = labels["score"].to_numpy(dtype=np.float64)
    bad = labels["bad"].to_numpy(dtype=np.float64, na_value=np.nan)
    confirmed = labels["confirmed"].to_numpy(dtype=np.bool_)
    drawn = labels["second_drawn"].to_numpy(dtype=np.bool_)
    found = np.where((bad == 1.0) & confirmed, 1.0, 0.0)
    above = np.ones(len(score), dtype=np.bool_) if low is None else score > low
    # Reviews that somebody asked for out of doubt are no sample of the labels nobody doubted.
    sample = above & (drawn | ~confirmed)
    first_bad = labels["first_bad"].to_numpy(dtype=np.bool_)
    found[sample] = unconfirmed_bad_deflation(
        first_bad[sample], bad[sample], confirmed[sample], delta
    )
    return found


def false_bad_upper(reviewed_again: int, overturned: int, delta: float) -> float:
    """Upper limit, at confidence 1 - delta, of the share of bad labels that are false.

    Exact (Clopper and Pearson 1934); 1 when none was reviewed again: then nothing is known.

    Args:
        reviewed_again: bad labels that got a second review *by design*, each with the same
            probability; reviews that somebody asked for out of doubt are no sample. A sample from
            lower scores only makes the limit larger, as false ones make up more of the bad there.
        overturned: how many of them turned out good.
        delta: taken out of the certificate's own: the limit fails with this probability.

    Raises:
        ValueError: more overturned than reviewed, a negative count, or delta out of (0, 1).
    """
    if not 0 <= overturned <= reviewed_again:
        raise ValueError(
            f"of {reviewed_again} bad labels reviewed again, {overturned} cannot have been overturned"
        )
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta must lie between 0 and 1, got {delta!r}")
    if overturned == reviewed_again:
        return 1.0
    return float(stats.beta.ppf(1.0 - delta, overturned + 1, reviewed_again - overturned))


def unconfirmed_bad_deflation(
    first_said_bad: BoolArray, bad: FloatArray, confirmed: BoolArray, delta: float
) -> FloatArray:
    """What each label counts for in the number of bad cases above the cut (`G` of METHODS 1.2).

    A confirmed bad label counts 1, an unconfirmed one `1 - false_bad_upper`, everything else 0.
    False bad labels above the cut inflate that number and with it the misses allowed; the true bad
    cases among unconfirmed labels are Poisson with at least this share of the labels' mean, so a
    lower limit on the labels' mean times the factor is one on the cases'.

    Args:
        first_said_bad: the first reviewer's word; bad: settled truth, 1, 0 or NaN; confirmed: a
            second word or an outcome agreed or overruled. Shape (labels,), the labels above the
            cut whose second reviews were a designed sample (see `false_bad_upper`).

    Returns:
        Counts in [0, 1], shape (labels,).

    Raises:
        ValueError: the arrays differ in length, or delta is out of (0, 1).
    """
    if not len(first_said_bad) == len(bad) == len(confirmed):
        raise ValueError(
            f"one value a label is needed of each, got {len(first_said_bad)} first words, "
            f"{len(bad)} truths and {len(confirmed)} confirmations"
        )
    again = first_said_bad & confirmed & ~np.isnan(bad)
    overturned = int((again & (bad == 0.0)).sum())
    keep = 1.0 - false_bad_upper(int(again.sum()), overturned, delta)
    return np.where(bad == 1.0, np.where(confirmed, 1.0, keep), 0.0)
