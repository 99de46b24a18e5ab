"""The snippets of the pages on representations and learning run, and come to what the pages say."""

import re
from pathlib import Path

import numpy as np
import pytest

from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import solve
from mlsemi.symmetry.tensors import SCALAR
from mlsemi.units import BOHR_ANGSTROM, HARTREE_EV

CHECKOUT = Path(__file__).parents[3]


def run(name, monkeypatch, folder):
    """All Python of one page, as one script in a folder with the examples."""
    page = CHECKOUT / "docs" / name
    if not page.exists():
        pytest.skip("no checkout around the tests")
    (folder / "docs").symlink_to(CHECKOUT / "docs")
    monkeypatch.chdir(folder)
    space = {}
    for snippet in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(snippet, space)
    return space


def test_learning(monkeypatch, tmp_path):
    pytest.importorskip("pyscf")
    found = run("learning.md", monkeypatch, tmp_path)
    assert HARTREE_EV * found["error"] < 0.01
    assert HARTREE_EV * found["occupied"] < 0.02
    assert HARTREE_EV * found["kernel_error"] < 0.01
    assert found["quality"] > 0.99
    assert found["dipole_integrals"].shape == (13, 13, 3)
    assert HARTREE_EV / BOHR_ANGSTROM * found["force_error"] < 0.01
    (last,), direction = found["last"], np.array([[0.0, 0, 1], [0, 1, 0], [0, 0, -1]])

    def gap(step):
        moved = Structure(last.numbers, last.positions + step * direction)
        state = solve(found["frame"].predict([moved])[0], 10)
        return state.lumo - state.homo

    difference = (gap(1e-3) - gap(-1e-3)) / 2e-3
    assert abs(difference) > 0.01
    assert np.sum(found["slope"] * direction) == pytest.approx(difference, rel=1e-5)


def test_representation(monkeypatch, tmp_path):
    pytest.importorskip("metatensor")
    found = run("representation.md", monkeypatch, tmp_path)
    assert found["exchanged"].keys.names == ["o3_lambda", "o3_sigma"]
    assert found["of_pairs"].sample_names == ["system", "first_atom", "second_atom"]
    assert found["rho2"][2, 1].shape == (24, 5, 20)
    assert found["even"]


def test_completeness(monkeypatch, tmp_path):
    found = run("completeness.md", monkeypatch, tmp_path)
    for blind, family in enumerate(("same_radii", "same_distances", "same_triples"), 1):
        for nu in (1, 2, 3, 4):
            assert (found["seen"][family, nu] < 1e-10) == (nu <= blind)
    assert found["linear"] < 1e-10
    assert found["nonlinear"] > 1e-4


def test_long_range(monkeypatch, tmp_path):
    found = run("long-range.md", monkeypatch, tmp_path)
    np.testing.assert_allclose(found["exponents"], [1.0, 2.0], atol=2e-3)
    assert found["madelung"] == pytest.approx(-1.747564594633, abs=1e-6)
    assert found["products"][SCALAR].shape[0] == 8
    np.testing.assert_allclose(found["forces"], 0.0, atol=1e-10)
