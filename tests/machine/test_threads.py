"""BLAS threads: set for a while, shared by equal calculations, waited for by others."""

import threading
import time

from ase.build import molecule
from threadpoolctl import threadpool_info, threadpool_limits

from mlsemi import singlepoint
from mlsemi.machine import threads
from mlsemi.machine.threads import limited
from mlsemi.orbitals import eigen


def numbers():
    """Threads of the libraries of NumPy and SciPy, the only ones a calculation calls."""
    return {
        lib["num_threads"]
        for lib in threadpool_info()
        if lib["user_api"] == "blas" and any(n in lib["filepath"] for n in ("numpy", "scipy"))
    }


def test_limit_is_set_and_taken_back():
    with threadpool_limits(2):
        with limited(1):
            assert numbers() == {1}
        assert numbers() == {2}


def test_what_is_evaluated_later_has_the_same_threads(monkeypatch):
    """Properties of a result and its record are evaluated outside the single point."""
    seen = []

    def watched(*arguments):
        seen.append(numbers())
        return inverse_root(*arguments)

    inverse_root = eigen.inverse_root
    monkeypatch.setattr(eigen, "inverse_root", watched)
    with threadpool_limits(2):
        for ask in (lambda r: r.to_dict(), lambda r: r.inverse_root, lambda r: r.bond_orders):
            ask(singlepoint(molecule("H2O"), threads=1))
        assert numbers() == {2}
    assert seen == [{1}] * 3


def test_small_molecules_take_one_thread(monkeypatch):
    seen = []

    def watched(*arguments):
        seen.append(numbers())
        return solve(*arguments)

    solve = eigen.solve
    monkeypatch.setattr(eigen, "solve", watched)
    assert singlepoint(molecule("H2O"), threads=2).threads == 1
    monkeypatch.setattr(threads, "SMALL", 0)
    assert singlepoint(molecule("H2O"), threads=2).threads == 2
    assert seen == [{1}, {2}]


def run(parts):
    workers = [threading.Thread(target=part) for part in parts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=20.0)
        assert not worker.is_alive()


def test_equal_numbers_enter_together_and_the_last_one_restores():
    barrier = threading.Barrier(3, timeout=10.0)
    seen = []

    def part(wait):
        with limited(1):
            barrier.wait()
            time.sleep(wait)
            seen.append(numbers())

    with threadpool_limits(2):
        run([lambda w=w: part(w) for w in (0.0, 0.05, 0.1)])
        assert seen == [{1}] * 3
        assert numbers() == {2}


def test_other_numbers_wait():
    inside, overlapped = [], []

    def part(threads):
        for _ in range(5):
            with limited(threads):
                inside.append(threads)
                time.sleep(0.002)
                overlapped.append(set(inside) != {threads} or numbers() != {threads})
                inside.remove(threads)

    run([lambda n=n: part(n) for n in (1, 2)])
    assert len(overlapped) == 10
    assert not any(overlapped)
