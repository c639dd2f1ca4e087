"""Figures that others published, beside what this project's own functions give for them.

Each test names its source. "Published" is a figure printed there, to the digits printed. Where only
the data are published, the test says so and computes the figure by a second road.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from models.boundary import sample_ratio_p_value
from models.boundary.ab.group_sequential import obrien_fleming_constant
from models.boundary.proof import betting, wagers
from models.boundary.proof.betting import pass_e_value
from models.boundary.proof.bounds import (
    share_is_below,
    trials_allowing,
    trials_for_power,
    upper_limit,
)
from models.boundary.proof.evidence import Evidence
from models.boundary.proof.wagers import log_capital_by_day
from models.boundary.sequence.looks import delta_of_look
from models.comparison.auc import delong_error, ranking, seen_placements
from models.comparison.figures import student_quantile
from models.comparison.intervals import effective_number, share_interval
from models.drift.agreement import exact_tails
from models.drift.multiple_testing import discoveries, holm
from models.drift.rates import compare_rates
from models.replay.replay import _weighted_poisson_limits
from models.replay.reviewer_queue import review_times
from models.risk.calibration import fit_platt
from models.triage.procedure.error_codes import _code_excess
from models.triage.threshold.offset_logit import fit_offset_logit
from models.triage.weight.feature_bias import FeatureBias, combined, homogeneity_p_value
from models.vocabulary import Shift, Staffing

# Shares and counts


def test_mendels_peas() -> None:
    """R's help page of binom.test (Conover 1971): 682 of 925 plants at 3/4, p = .3825, 95 %
    interval .7076683 to .7654066."""
    assert sample_ratio_p_value(243, 682, 0.75) == pytest.approx(0.3825, abs=5e-5)
    assert upper_limit(682, 925, 0.025) == pytest.approx(0.7654066, abs=5e-8)
    assert 1.0 - (upper_limit(243, 925, 0.025) or 0.0) == pytest.approx(0.7076683, abs=5e-8)


@pytest.mark.parametrize(
    ("errors", "trials", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)  # fmt: skip
def test_newcombes_table_of_exact_intervals(
    errors: int, trials: int, low: float, high: float
) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 857: Clopper and Pearson's 95 % limits."""
    assert upper_limit(errors, trials, 0.025) == pytest.approx(high, abs=5e-5)
    assert 1.0 - (upper_limit(trials - errors, trials, 0.025) or 0.0) == pytest.approx(
        low, abs=5e-5
    )
    among = np.ones(trials, dtype=np.bool_)
    found = share_interval(np.arange(trials) < errors, among, among, np.ones(trials), 0.95)
    assert found[0] == pytest.approx(low, abs=5e-5)


def test_wilks_sample_sizes() -> None:
    """The 95 %/95 % one-sided tolerance limits of reactor safety (Wilks 1941; Guba, Makai and Pal
    2003): with 0, 1, ... 9 runs beyond them, 59, 93, 124, ... 311 runs."""
    table = [59, 93, 124, 153, 181, 208, 234, 260, 286, 311]
    assert [trials_allowing(errors, 0.05, 0.05) for errors in range(10)] == table
    assert trials_for_power(0.05, 0.05) == table[3]


# Poisson counts


def test_nickel_workers() -> None:
    """R's help page of poisson.test: 137 deaths where 24.19893 were expected, ratio 5.661407, 95 %
    interval 4.753125 to 6.692709 (Garwood 1936)."""
    found = _code_excess("nickel", 137, 0.1, 137, 24.19893, 0.01)
    assert found.ratio == pytest.approx(5.661407, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((4.753125, 6.692709), abs=5e-7)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(1, 0.0253, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390)]
)
def test_garwoods_limits(count: int, low: float, high: float) -> None:
    """Garwood (1936): 95 % fiducial limits of a Poisson mean, as tables print them."""
    found = _weighted_poisson_limits(np.ones(count), 1.0)
    assert found[1:] == pytest.approx((low, high), abs=6e-4)


def _sums(events: int, exposure: float) -> np.ndarray:
    return np.array([exposure, exposure, events, events], dtype=np.float64)


def test_lung_cancer_in_fredericia() -> None:
    """R's help page of poisson.test: 11 in 800 against 21 in 3,011; ratio 1.971488, 95 % interval
    .8584264 to 4.2772659. (R's p-value adds up what is no likelier; ours doubles the smaller tail,
    here by the binomial's own sum.)"""
    found = compare_rates(_sums(21, 1083 + 1050 + 878), _sums(11, 800))
    assert found is not None
    assert found.ratio == pytest.approx(1.971488, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((0.8584264, 4.2772659), abs=5e-8)
    assert found.p_value == pytest.approx(2.0 * stats.binom.sf(10, 32, 800 / 3811))


def test_the_rate_ratio_vignette() -> None:
    """Fay's vignette of rateratio.test: 2 of 17,877 against 9 of 16,660, p = .05011. Its interval
    by a second road: Clopper and Pearson's of 2 among 11, turned into a ratio."""
    found = compare_rates(_sums(9, 16_660), _sums(2, 17_877))
    assert found is not None
    assert found.p_value == pytest.approx(0.05011, abs=5e-6)
    share = np.array([stats.beta.ppf(0.025, 2, 10), stats.beta.ppf(0.975, 3, 9)])
    assert (found.low, found.high) == pytest.approx(share / (1.0 - share) * 16_660 / 17_877)


def test_downs_syndrome_in_michigan() -> None:
    """Fay and Feuer (1997) on the fifth and later births of Stark and Mantel (1966), as the vignette
    of dsrTest prints it: 75.52901 per 100,000, gamma interval 67.70212 to 188.30017."""
    cases = np.array([0, 8, 63, 112, 262, 295])
    births = np.array([327, 30_666, 123_419, 149_919, 104_088, 34_392])
    standard = np.array([319_933, 931_318, 786_511, 488_235, 237_863, 61_313])
    weight = 1e5 * standard / (births * standard.sum())
    found = _weighted_poisson_limits(np.repeat(weight, cases), weight.max())
    assert found == pytest.approx((75.52901, 67.70212, 188.30017), abs=6e-6)


# Tables


def test_the_lady_tasting_tea() -> None:
    """Fisher (1935): three of four cups or more by guessing, 17 of 70."""
    four, eight = np.array([4]), np.array([8])
    assert exact_tails(3, four, eight, four)[1] == pytest.approx(float(Fraction(17, 70)), rel=1e-14)


def test_convictions_of_like_sex_twins() -> None:
    """R's help page of fisher.test (Fisher 1962): 2 of 17 dizygotic against 10 of 13 monozygotic,
    one-sided p = .0004652."""
    found = exact_tails(2, np.array([17]), np.array([30]), np.array([12]))
    assert found[0] == pytest.approx(0.0004652, abs=5e-8)


def test_penicillin_in_rabbits() -> None:
    """R's help page of mantelhaen.test (Mantel 1963): five strata, 16 cured, exact conditional
    p = .03994 (all sums no likelier)."""
    without_delay, rabbits = np.array([6, 6, 6, 6, 2]), np.array([11, 12, 12, 12, 7])
    cured = np.array([0, 3, 8, 11, 7])
    tails = [exact_tails(k, without_delay, rabbits, cured)[1] for k in range(31)]
    chance = -np.diff(tails)
    assert chance[chance <= chance[16] * (1.0 + 1e-7)].sum() == pytest.approx(0.03994, abs=5e-6)


# Many tests, many looks


def test_benjamini_and_hochbergs_own_example() -> None:
    """Benjamini and Hochberg (1995), section 3.2: of 15 hypotheses about a heart attack's treatment
    theirs rejects four at .05, Bonferroni's and Holm's three."""
    p_values = np.array(
        [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]
    )  # fmt: skip
    assert discoveries(p_values, 0.05).tolist() == [True] * 4 + [False] * 11
    assert (holm(p_values) <= 0.05).tolist() == [True] * 3 + [False] * 12


@pytest.mark.parametrize(
    ("looks", "constants"),
    [(1, (2.576, 1.960, 1.645)), (2, (2.580, 1.977, 1.678)), (5, (2.621, 2.040, 1.751)),
     (10, (2.660, 2.087, 1.801))],
)  # fmt: skip
def test_jennison_and_turnbulls_table(looks: int, constants: tuple[float, ...]) -> None:
    """Jennison and Turnbull (2000), table 2.3: two-sided O'Brien-Fleming constants at .01, .05, .1."""
    found = [obrien_fleming_constant(looks, alpha, two_sided=True) for alpha in (0.01, 0.05, 0.1)]
    assert found == pytest.approx(constants, abs=6e-4)


def test_the_basel_sum() -> None:
    """Euler (1735): the squares' inverses add up to pi^2 / 6, so all looks together spend delta."""
    spent = sum(delta_of_look(0.05, 1, look) for look in range(1, 2_001))
    left = 0.05 * 6.0 / math.pi**2 / 2_000.5  # of the tail, by the integral from 2,000.5 on
    assert spent + left == pytest.approx(0.05, rel=1e-9)


# Means and slices

_EFFECTS = [-0.33, 0.32, 0.39, 0.31, 0.17, 0.64, -0.33, 0.15, -0.02, 0.00]
_WEIGHTS = [11.91, 28.57, 58.82, 29.41, 13.89, 8.55, 9.80, 10.75, 83.33, 14.93]


def _studies(freedom: float) -> list[FeatureBias]:
    reach = float(stats.t.ppf(0.975, freedom)) / np.sqrt(_WEIGHTS)
    return [
        FeatureBias("f", str(place), one, one - far, one + far, 0.5, degrees_of_freedom=freedom)
        for place, (one, far) in enumerate(zip(_EFFECTS, reach.tolist(), strict=True))
    ]


@pytest.mark.parametrize("freedom", [math.inf, 19.0, 5.0])
def test_lipsey_and_wilsons_ten_studies(freedom: float) -> None:
    """Lipsey and Wilson (2001), Practical Meta-Analysis: mean .15, standard error .061, Q = 14.76
    with 9 degrees of freedom, p = .0976; whatever t the studies' own intervals were made with.
    (Read back as normal ones they gave .165 at 19 degrees of freedom, .477 at 5.)"""
    studies = _studies(freedom)
    assert homogeneity_p_value(studies) == pytest.approx(0.0976, abs=5e-5)
    together = combined(studies)
    assert together.delta == pytest.approx(0.155, abs=5e-4)
    assert together.standard_error == pytest.approx(0.061, abs=5e-4)
    shares = np.array(_WEIGHTS) / sum(_WEIGHTS)
    assert together.degrees_of_freedom == pytest.approx(freedom / (shares**2).sum())


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1.0, 12.706), (5.0, 2.571), (19.0, 2.093), (math.inf, 1.960)]
)
def test_students_table(freedom: float, quantile: float) -> None:
    """Any table of Student's (1908) t: two-sided 5 %."""
    assert student_quantile(0.95, freedom) == pytest.approx(quantile, abs=5e-4)
    found = FeatureBias("f", "all", 1.0, 1.0 - quantile, 1.0 + quantile, 0.5, False, 1.0, freedom)
    assert found.standard_error == pytest.approx(1.0, abs=5e-4)


def test_kishs_design_effect() -> None:
    """Kish (1965): ten cases of weight 1 and ten of weight 3 say as much as 16."""
    weights = np.array([1.0] * 10 + [3.0] * 10)
    assert effective_number(weights) == pytest.approx((10 * 1 + 10 * 3) ** 2 / (10 * 1 + 10 * 9))


# Ranking

_OVARIAN = """
3.0 5.8 10 0  3.2 6.3  5 1  3.9 6.8  3 1  2.8 4.8  6 0  3.2 5.8  3 1  0.9 4.0  5 0  2.5 5.7  8 0
1.6 5.6  5 1  3.8 5.7  5 1  3.7 6.7  6 1  3.2 5.4  4 1  3.8 6.6  6 1  4.1 6.6  5 1  3.6 5.7  5 1
4.3 7.0  4 1  3.6 6.7  4 0  2.3 4.4  6 1  4.2 7.6  4 0  4.0 6.6  6 0  3.5 5.8  6 1  3.8 6.8  7 1
3.0 4.7  8 0  4.5 7.4  5 1  3.7 7.4  5 1  3.1 6.6  6 1  4.1 8.2  6 1  4.3 7.0  5 1  4.3 6.5  4 1
3.2 5.1  5 1  2.6 4.7  6 1  3.3 6.8  6 0  1.7 4.0  7 0  3.7 6.1  5 1  3.3 6.3  7 1  4.2 7.7  6 1
3.5 6.2  5 1  2.9 5.7  9 0  2.1 4.8  7 1  2.8 6.2  8 0  4.0 7.0  7 1  3.3 5.7  6 1  3.7 6.9  5 1
3.6 6.6  5 1
"""


def test_delongs_ovarian_cancers() -> None:
    """DeLong, DeLong and Clarke-Pearson (1988), data and figures as the manual of SAS/STAT's LOGISTIC
    procedure prints them: areas and standard errors of albumin, total protein and the K-G score,
    and of the differences from the latter."""
    table = np.array(_OVARIAN.split(), dtype=np.float64).reshape(-1, 4)
    better, one = table[:, 3] == 1.0, np.ones(len(table))
    ranked = [ranking(score, better, one) for score in (table[:, 0], table[:, 1], -table[:, 2])]
    placed = [seen_placements(each, better) for each in ranked]
    assert [each.auc for each in ranked] == pytest.approx([0.7366, 0.6478, 0.7258], abs=5e-5)
    errors = [delong_error(each, better) for each in placed]
    assert errors == pytest.approx([0.0927, 0.1000, 0.1028], abs=5.1e-5)
    apart = [delong_error(each - placed[2], better) for each in placed[:2]]
    assert apart == pytest.approx([0.0953, 0.1046], abs=5e-5)


# Calibration

_KYPHOSIS = """
71  3  5 0  158  3 14 0  128  4  5 1    2  5  1 0    1  4 15 0    1  2 16 0   61  2 17 0
37  3 16 0  113  2 16 0   59  6 12 1   82  5 14 1  148  3 16 0   18  5  2 0    1  4 12 0
168  3 18 0    1  3 16 0   78  6 15 0  175  5 13 0   80  5 16 0   27  4  9 0   22  2 16 0
105  6  5 1   96  3 12 1  131  2  3 0   15  7  2 1    9  5 13 0    8  3  6 0  100  3 14 0
4  3 16 0  151  2 16 0   31  3 16 0  125  2 11 0  130  5 13 0  112  3 16 0  140  5 11 0
93  3 16 0    1  3  9 0   52  5  6 1   20  6  9 0   91  5 12 1   73  5  1 1   35  3 13 0
143  9  3 0   61  4  1 0   97  3 16 0  139  3 10 1  136  4 15 0  131  5 13 0  121  3  3 1
177  2 14 0   68  5 10 0    9  2 17 0  139 10  6 1    2  2 17 0  140  4 15 0   72  5 15 0
2  3 13 0  120  5  8 1   51  7  9 0  102  3 13 0  130  4  1 1  114  7  8 1   81  4  1 0
118  3 16 0  118  4 16 0   17  4 10 0  195  2 17 0  159  4 13 0   18  4 11 0   15  5 16 0
158  5 14 0  127  4 12 0   87  4 16 0  206  4 10 0   11  3 15 0  178  4 15 0  157  3 13 1
26  7 13 0  120  2 13 0   42  7  6 1   36  4 13 0
"""


def test_rms_on_kyphosis() -> None:
    """Harrell's rms 6.5.0: what its val.prob prints for the 81 children of Chambers and Hastie (1992),
    as R's rpart has them (age in months, number of vertebrae, first of them, kyphosis), with the log odds
    -1 + age / 100 - first / 10 + number / 10. By both of our roads (Platt's stops at four digits,
    Newton's at six), and the area under its curve."""
    age, number, first, present = np.array(_KYPHOSIS.split(), dtype=np.float64).reshape(-1, 4).T
    # Whole hundredths first, so that equal sums stay equal.
    margin = (age - 10.0 * first + 10.0 * number) / 100.0 - 1.0
    bad, one = present == 1.0, np.ones(81)
    fitted = fit_platt(margin, bad, one)
    assert fitted.intercept == pytest.approx(-0.1856797222, abs=5e-5)
    assert fitted.slope == pytest.approx(1.7673223909, abs=5e-5)
    beside = fit_offset_logit(margin.reshape(-1, 1), margin, present)
    assert beside.intercept == pytest.approx(-0.1856797222, abs=2e-6)
    assert 1.0 + beside.slopes[0] == pytest.approx(1.7673223909, abs=2e-6)
    assert ranking(margin, bad, one).auc == pytest.approx(0.82444852941, abs=5e-12)


# Martingales


def drawn(error: list[bool]) -> Evidence:
    """Cases that are all drawn and labelled; a bad one that is passed is the error."""
    bad, one = np.array(error), np.ones(len(error))
    true, false = np.ones(len(error), dtype=np.bool_), np.zeros(len(error), dtype=np.bool_)
    return Evidence(0.0 * one, bad, true, true, one, true, one, false, 0.0 * one)


def test_shangrlas_ballots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stark's SHANGRLA, tests of NonnegMean: against a mean of 1/2, the alternative .75 held fixed, eight
    ballots for the winner are the first to reach 1/.05, at (.75/.5)^8 = 25.6; each ballot against them
    halves the capital. In a bet's words: half of the largest stake."""
    monkeypatch.setattr(betting, "WAGERS", np.array([0.5]))
    capital = [pass_e_value(drawn([False] * ballots), 0.5, 0.0) for ballots in (7, 8)]
    assert capital == pytest.approx([1.5**7, 1.5**8], rel=1e-12)
    assert capital[0] < 1.0 / 0.05 < capital[1]
    lost = pass_e_value(drawn([False] * 8 + [True]), 0.5, 0.0)
    assert lost == pytest.approx(1.5**8 / 2.0, rel=1e-12)


@pytest.mark.parametrize(
    ("value", "stake", "draws"),
    [(0.75, 1.0, 14), *((v, s, 20) for v in (0.75, 0.9) for s in (0.25, 0.5))],
)
def test_shangrlas_betting_martingale(
    value: float, stake: float, draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same tests: 14 ballots of .75 are the first whose p-value is below .05 (1 / 22.7); and with
    stakes of .25 and .5, twenty draws of .75 or .9 against 1/2 give 1 / (1 + stake (x - 1/2))^20."""
    monkeypatch.setattr(wagers, "AB_WAGERS", np.array([0.5 * stake]))
    z, counts = np.array([value - 0.5]), np.ones((draws, 1))
    capital = np.exp(log_capital_by_day(z, counts, 0.5))
    assert capital[-1] == pytest.approx((1.0 + stake * (value - 0.5)) ** draws, rel=1e-12)
    if stake == 1.0:
        assert capital[-2] < 1.0 / 0.05 < capital[-1]


# Queues


def _erlang_b(load: float, servers: int) -> float:
    """Erlang (1917), by the recursion B(n) = a B(n-1) / (n + a B(n-1))."""
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def test_a_queue_waits_as_erlang_says() -> None:
    """Erlang's tables: ten erlangs on ten lines block .2146, three on five .1101. The queue's own
    share of cases that wait is Erlang C, which follows from B: 20 seeds of 30,000 cases, within 4
    standard errors over seeds."""
    assert _erlang_b(10.0, 10) == pytest.approx(0.2146, abs=5e-5)
    assert _erlang_b(3.0, 5) == pytest.approx(0.1101, abs=5e-5)
    load, servers = 3.0, 5
    b = _erlang_b(load, servers)
    delayed = b / (1.0 - load / servers * (1.0 - b))
    staffing = Staffing((Shift(0, 24, servers),), handling_minutes=60.0)
    seen = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        arrivals = np.cumsum(generator.exponential(1.0 / load, 30_000))
        outcome = review_times(arrivals, staffing, generator.exponential(60.0, 30_000))
        seen.append(float((outcome.started - outcome.arrivals > 1e-9)[1_000:].mean()))
    error = np.std(seen, ddof=1) / math.sqrt(len(seen))
    assert abs(np.mean(seen) - delayed) < 4.0 * error
    assert error < 0.005


def test_three_misses_of_773_prove_a_recall_of_99() -> None:
    """METHODS 2's own table against the tail of a negative binomial: the fourth miss comes later."""
    assert trials_allowing(3, 0.01, 0.05) == 773
    assert share_is_below(3, 773, 0.01) == pytest.approx(stats.nbinom.sf(773 - 4, 4, 0.01))
