"""Who goes first when key users queue with everybody else?"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.replay.reviewer_queue import review_times, sla
from models.vocabulary import Shift, Staffing

ONE_CHAIR = Staffing((Shift(0, 24, 1),), handling_minutes=60.0)


def starts(staffing, table, **options):
    """Starts of (arrives, minutes, class), one row a case."""
    arrivals, minutes, level = (np.array(column) for column in zip(*table, strict=True))
    outcome = review_times(
        arrivals.astype(float), staffing, minutes.astype(float), priority=level, **options
    )
    return outcome.started.tolist()


def test_a_key_user_overtakes_who_waits_but_not_who_is_being_served():
    """One chair: the case in hand is finished, then the key user, then the others in order."""
    table = [
        (1.00, 60, 0),  # in hand from 1 to 2
        (1.25, 60, 0),
        (1.50, 60, 0),
        (1.75, 60, 1),  # came last, goes next
    ]
    assert starts(ONE_CHAIR, table) == [1.0, 3.0, 4.0, 2.0]


def test_within_a_class_who_came_first_goes_first():
    """Two key users and two others, all waiting when the chair is free at 2."""
    table = [(1.0, 60, 0), (1.1, 60, 0), (1.2, 60, 1), (1.3, 60, 0), (1.4, 60, 1)]
    assert starts(ONE_CHAIR, table) == [1.0, 4.0, 2.0, 5.0, 3.0]


def test_several_classes_go_from_the_highest_to_the_lowest():
    """Classes -5, 0 and 90 wait for one chair."""
    table = [(1.0, 60, 0), (1.1, 60, -5), (1.2, 60, 0), (1.3, 60, 90)]
    assert starts(ONE_CHAIR, table) == [1.0, 4.0, 3.0, 2.0]


@pytest.mark.parametrize(
    ("case", "staffing", "table", "expected"),
    [
        (
            "a case finished at 2 frees its reviewer before the key user of 2 is handed out",
            ONE_CHAIR,
            [(1.0, 60, 0), (1.5, 60, 0), (2.0, 60, 1)],
            [1.0, 3.0, 2.0],
        ),
        (
            "two cases come together: the key user first, whatever their order in the list",
            ONE_CHAIR,
            [(1.0, 60, 0), (1.0, 60, 1)],
            [2.0, 1.0],
        ),
        (
            "the shift ends at 11 as a key user comes: tomorrow, before the one who came later",
            Staffing((Shift(9, 11, 1),), 60.0),
            [(10.0, 30, 0), (11.0, 60, 1), (12.0, 30, 0)],
            [10.0, 33.0, 34.0],
        ),
        (
            "the shift begins at 9 as a key user comes: before the one who waited all night",
            Staffing((Shift(9, 17, 1),), 60.0),
            [(1.0, 60, 0), (9.0, 60, 1)],
            [10.0, 9.0],
        ),
        (
            "no work at all: three cases of one moment start at that moment",
            ONE_CHAIR,
            [(1.0, 0, 0), (1.0, 0, 1), (1.0, 0, 0)],
            [1.0, 1.0, 1.0],
        ),
    ],
)
def test_events_of_the_same_moment_have_their_order(case, staffing, table, expected):
    """Finished, gone home, come to work, arrived; and only then are cases handed out."""
    assert starts(staffing, table) == expected, case


def test_the_case_goes_to_whoever_has_been_free_longest():
    """At 11:30 the early shift's person, free since 8, takes it and is busy over the end at 12.

    The late shift's person, free since 10, therefore takes the case of 11:45 at once.
    """
    services = Staffing((Shift(8, 12, 1), Shift(10, 18, 1)), 60.0)
    table = [(11.5, 60, 0), (11.75, 60, 1), (12.25, 60, 0)]
    assert starts(services, table) == [11.5, 11.75, 12.75]


def test_who_comes_back_the_next_day_has_been_free_since_the_shift_began():
    """On the second day one sits there since 8, one since 9: at 11:30 the former takes the case.

    She is busy till 12:30, and the other, though idle, has gone at 12.
    """
    services = Staffing((Shift(9, 12, 1), Shift(8, 17, 1)), 60.0)
    table = [(10.0, 6, 1), (24 + 11.5, 60, 0), (24 + 12.25, 60, 0)]
    assert starts(services, table) == [10.0, 24 + 11.5, 24 + 12.5]


def test_the_case_in_hand_is_finished_after_the_shift_even_with_a_key_user_waiting():
    """Taken up at 10:30 till 11:30; at 11 the shift ended, so the key user waits for 9 o'clock."""
    services = Staffing((Shift(9, 11, 1),), 60.0)
    assert starts(services, [(10.5, 60, 0), (10.75, 60, 1)]) == [10.5, 33.0]


def test_what_is_open_at_the_end_is_censored_for_either_class():
    """Watched until 3:30: the key user is in hand, two others were never taken up."""
    level = np.array([0, 0, 0, 1])
    outcome = review_times(
        np.array([1.0, 1.5, 1.6, 2.5]),
        Staffing((Shift(0, 24, 1),), 60.0),
        np.array([120.0, 60.0, 60.0, 60.0]),
        horizon_hours=3.5,
        priority=level,
    )
    assert np.isnan(outcome.finished).tolist() == [False, True, True, True]
    assert np.isnan(outcome.started).tolist() == [False, True, True, False]
    figures = sla(outcome, 2.0)
    # 1.0 -> 3.0 takes exactly 2 h: a breach. 1.5 is open for 2 h: a breach. The others are younger.
    assert (figures.within_sla, figures.still_open, figures.undecided) == (0.0, 3, 2)
    assert figures.utilisation == pytest.approx((2.0 + 0.5) / (3.5 - 1.0))


queues = st.lists(
    st.tuples(st.floats(0, 72), st.floats(0, 120), st.integers(0, 3)), min_size=1, max_size=40
).map(sorted)
rotas = st.lists(
    st.builds(Shift, st.integers(0, 23), st.integers(1, 24), st.integers(1, 3)),
    min_size=1,
    max_size=3,
).map(lambda shifts: Staffing(tuple(shifts), 60.0))


@settings(max_examples=150, deadline=None)
@given(queues, rotas)
def test_nobody_is_passed_over_by_a_lower_class_or_a_later_comer(table, staffing):
    """Whenever a case is taken up, no case that goes before it is waiting."""
    arrivals, minutes, level = (np.array(column) for column in zip(*table, strict=True))
    begun = review_times(arrivals, staffing, minutes, priority=level).started
    assert (begun >= arrivals).all()
    waits = (arrivals[None, :] <= begun[:, None]) & (begun[None, :] > begun[:, None])
    assert not (waits & (level[None, :] > level[:, None])).any()
    earlier = np.tri(len(table), k=-1, dtype=bool)
    assert not (waits & (level[None, :] == level[:, None]) & earlier).any()


@settings(max_examples=80, deadline=None)
@given(queues, st.integers(1, 4), st.integers(1, 60))
def test_priorities_never_change_how_busy_a_desk_of_equal_work_is(table, people, work):
    """All cases take equally long: the moments at which somebody starts are those without classes."""
    arrivals, _, level = (np.array(column) for column in zip(*table, strict=True))
    staffing = Staffing((Shift(0, 24, people),), 60.0)
    minutes = np.full(len(table), float(work))
    ranked = review_times(arrivals, staffing, minutes, priority=level)
    plain = review_times(arrivals, staffing, minutes)
    assert np.sort(ranked.started).tolist() == plain.started.tolist()


@settings(max_examples=80, deadline=None)
@given(queues, rotas, st.integers(-9, 9))
def test_one_class_for_all_is_first_come_first_served(table, staffing, level):
    """The same number for everybody changes nothing, to the last bit."""
    arrivals, minutes, _ = (np.array(column) for column in zip(*table, strict=True))
    ranked = review_times(arrivals, staffing, minutes, priority=np.full(len(table), level))
    assert ranked.started.tolist() == review_times(arrivals, staffing, minutes).started.tolist()


@pytest.mark.parametrize(("servers", "load"), [(3, 0.8), (10, 0.9)])
def test_mean_waits_by_class_agree_with_cobham(servers, load):
    """M/M/c with two classes of the same work: W0/(1-a) for the first, W0/(1-a)/(1-load) after.

    Cobham (1954): W0 is Erlang's delay probability over the desk's rate, `a` the first class's load.
    """
    mean_hours, cases, warm_up, share = 0.2, 20_000, 2_000, 0.3
    rate, offered = load * servers / mean_hours, load * servers
    tail = offered**servers / math.factorial(servers) / (1 - load)
    delayed = tail / (sum(offered**k / math.factorial(k) for k in range(servers)) + tail)
    first = delayed * mean_hours / servers / (1 - share * load)
    waits = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        arrivals = np.cumsum(generator.exponential(1 / rate, cases))
        key = generator.random(cases) < share
        outcome = review_times(
            arrivals,
            Staffing((Shift(0, 24, servers),), 60 * mean_hours),
            None,
            generator,
            distribution="exponential",
            priority=key,
        )
        waited, key = (outcome.started - arrivals)[warm_up:], key[warm_up:]
        waits.append((waited[key].mean(), waited[~key].mean()))
    # 20 independent seeds: each mean of means lies within 3 of its own standard errors.
    error = np.std(waits, axis=0, ddof=1) / math.sqrt(len(waits))
    assert (np.abs(np.mean(waits, axis=0) - [first, first / (1 - load)]) < 3 * error).all()


@pytest.mark.parametrize(
    ("priority", "message"),
    [
        (np.array([1]), "one per case: 2 arrivals"),
        (np.array([0.5, 1.0]), "whole numbers or truth values"),
        (np.array([math.nan, 1.0]), "whole numbers or truth values"),
        (np.array(["high", "low"]), "priority >= 75"),
    ],
)
def test_priorities_that_are_no_classes_are_refused(priority, message):
    """The refusal says what would work."""
    with pytest.raises(ValueError, match=message):
        review_times(np.array([1.0, 2.0]), ONE_CHAIR, seed=1, priority=priority)
