"""What do two processes get that do the same thing at the same moment?"""

import multiprocessing

_PATIENCE_SECONDS = 240.0
"""On a busy machine a new process needs a minute to import what it runs."""


def answers_of_two_processes(racer, *said, patience=_PATIENCE_SECONDS):
    """All that `racer(*said, who, wait)` yields in two new processes; `wait()` lets both go at once.

    A process that fails shows its traceback, releases the other one and fails the test.
    """
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2, timeout=patience), context.Queue()
    both = [
        context.Process(target=_run, args=(racer, said, who, barrier, answers), daemon=True)
        for who in range(2)
    ]
    [process.start() for process in both]
    [process.join(patience) for process in both]
    assert [process.exitcode for process in both] == [0, 0]
    told = [answers.get(timeout=patience) for _ in both]
    return [answer for one in told for answer in one]


def _run(racer, said, who, barrier, answers):
    try:
        answers.put(list(racer(*said, who, barrier.wait)))
    except BaseException:
        barrier.abort()
        raise
