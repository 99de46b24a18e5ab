"""Work on many items: order, failures, bounded look-ahead, processes that are ended."""

import os
import signal
import time

import pytest

from mlsemi.errors import InputError, MlsemiError
from mlsemi.machine import workers
from mlsemi.machine.workers import in_order


def doubled(items):
    return [2 * item for item in items]


def slow_at_first(items):
    time.sleep(0.2 if items[0] == 0 else 0.001)
    return doubled(items)


def ends_its_process(items):
    if 5 in items:
        os.kill(os.getpid(), signal.SIGKILL)
    return items


def fails(items):
    raise InputError(f"item {items[0]}")


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes):
    assert list(in_order(slow_at_first, range(100), processes)) == [2 * k for k in range(100)]


def test_the_first_result_needs_one_item():
    taken = []

    def items():
        for k in range(10_000):
            taken.append(k)
            yield k

    results = in_order(doubled, items())
    assert next(results) == 0
    assert taken == [0]
    for _ in range(1000):
        next(results)
    assert len(taken) < 1100


def test_few_items_are_on_their_way(monkeypatch):
    taken = []

    def items():
        for k in range(10_000):
            taken.append(k)
            yield k

    results = in_order(doubled, items(), 2)
    for _ in range(500):
        next(results)
    assert len(taken) < 500 + 2 * workers.AHEAD * 2 * workers.MOST_AT_ONCE
    results.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_results_before_a_bad_item_come_first(processes):
    def items():
        yield from range(5)
        raise InputError("the sixth")

    results = in_order(doubled, items(), processes)
    assert [next(results) for _ in range(5)] == [0, 2, 4, 6, 8]
    with pytest.raises(InputError, match="the sixth"):
        next(results)


def test_errors_of_the_work_arrive():
    for processes in (1, 2):
        with pytest.raises(InputError, match="item 0"):
            list(in_order(fails, range(3), processes))
    with pytest.raises(InputError, match="0 processes"):
        list(in_order(fails, range(3), 0))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_that_is_killed_is_said():
    with pytest.raises(MlsemiError, match="ended from outside"):
        list(in_order(ends_its_process, range(20), 2))


def test_a_scheduler_that_is_none(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    with pytest.raises(InputError, match="no dask scheduler answers at tcp"):
        list(in_order(doubled, range(3), scheduler="tcp://127.0.0.1:9"))
