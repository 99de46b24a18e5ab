"""D4 of the functional the parameters were trained on, and how it enters a single point."""

import builtins
from dataclasses import replace

import numpy as np
import pytest
from harness import assert_equivariant
from molecules import distorted, parameters_of, random_model

from mlsemi.errors import MlsemiError, ParameterError
from mlsemi.evaluate import singlepoint
from mlsemi.molecule.dispersion import dispersion_of
from mlsemi.molecule.structure import Structure
from mlsemi.surface import excited_surface

STRUCTURE = distorted("CH3CONH2")


@pytest.fixture(scope="module")
def trained():
    """A random set that says it was trained on B3LYP."""
    return parameters_of(random_model(seed=8))


def test_benzene_dimer():
    """One ring: dftd4 4.3.1 with its own cutoffs. Two, 3.9 angstrom apart: what B3LYP lacks.

    Sandwich of the benzene dimer at that distance: CCSD(T) binds by 1.7 kcal/mol (Sinnokrot and
    Sherrill, J. Phys. Chem. A 108, 10200 (2004)), B3LYP repels by about 3.
    """
    from ase.build import molecule

    ring = molecule("C6H6")
    pair = ring.copy()
    shifted = ring.copy()
    shifted.positions[:, 2] += 3.9
    pair += shifted
    alone, both = (
        dispersion_of(Structure.from_ase(atoms), "B3LYP").energy for atoms in (ring, pair)
    )
    assert alone == pytest.approx(-0.017326, abs=2e-6)
    assert 4.0 < -(both - 2.0 * alone) * 627.5 < 7.0


def test_gradient():
    found = dispersion_of(STRUCTURE, "b3lyp", with_gradient=True)
    assert np.abs(found.gradient).max() > 1e-4
    direction = np.random.default_rng(0).normal(size=found.gradient.shape)

    def energy(t):
        moved = Structure(STRUCTURE.numbers, STRUCTURE.positions + t * direction)
        return dispersion_of(moved, "b3lyp").energy

    slope = (8.0 * (energy(1e-2) - energy(-1e-2)) - energy(2e-2) + energy(-2e-2)) / 12e-2
    assert np.sum(found.gradient * direction) == pytest.approx(slope, rel=1e-4)


def test_equivariant():
    def observe(structure):
        found = dispersion_of(structure, "b3lyp", with_gradient=True)
        return {
            "energy": ("number", np.array(found.energy)),
            "gradient": ("atom_vector", 10.0 * found.gradient),
        }

    assert_equivariant(observe, STRUCTURE, atol=1e-12)


def test_charge_that_empties_an_atom_of_its_nuclear_charge():
    """D4's charge scaling divides by Z + q; H2 of charge -2 once had forces that are no numbers."""
    x = [[0.8217701239287258, -1.3812797174167781, -2.7541588563828316],
         [-2.9008341868288254, 1.879621435201635, 2.47653346366633]]  # fmt: skip
    found = dispersion_of(Structure([1, 1], np.array(x), -2), "b3lyp", with_gradient=True)
    beside = dispersion_of(Structure([1, 1], np.array(x) + 1e-5 * np.eye(2, 3), -2), "b3lyp", True)
    assert np.abs(found.gradient).max() > 1e-3
    np.testing.assert_allclose(found.gradient, beside.gradient, atol=1e-6)


def test_functional_of_a_header(trained):
    assert trained.functional == "b3lyp"
    for header in ({}, {"reference": {"method": "x"}}, {"reference": "x"}, {"reference": {}}):
        assert replace(trained, header=header).functional is None


def test_single_point_adds_it(trained):
    with_it = singlepoint(STRUCTURE, parameters=trained, forces=True)
    without = singlepoint(STRUCTURE, parameters=trained, forces=True, dispersion=False)
    d4 = dispersion_of(STRUCTURE, "b3lyp", with_gradient=True)
    assert with_it.dispersion == pytest.approx(d4.energy, rel=1e-12)  # d4 on any number of threads
    assert d4.energy < -1e-3
    assert without.dispersion is None
    assert with_it.energy - without.energy == pytest.approx(d4.energy, rel=1e-10)
    np.testing.assert_allclose(with_it.forces - without.forces, -d4.gradient, atol=1e-12)
    assert with_it.to_dict()["dispersion_ev"] == pytest.approx(27.2114 * d4.energy, rel=1e-5)
    assert "dispersion_ev" not in without.to_dict()
    assert not any("dispersion" in text for text in with_it.warnings)


def test_excited_surface_adds_it(trained):
    points = [excited_surface(STRUCTURE, trained, 1, dispersion=yes) for yes in (True, False)]
    d4 = dispersion_of(STRUCTURE, "b3lyp", with_gradient=True)
    assert points[0].energy - points[1].energy == pytest.approx(d4.energy, rel=1e-8)
    np.testing.assert_allclose(points[0].forces - points[1].forces, -d4.gradient, atol=1e-9)


def test_unnamed_functional_is_said():
    plain = parameters_of(random_model(seed=8), header={})
    result = singlepoint(STRUCTURE, parameters=plain)
    assert result.dispersion is None
    assert [text for text in result.warnings if "no dispersion" in text]
    quiet = singlepoint(STRUCTURE, parameters=plain, dispersion=False)
    assert not [text for text in quiet.warnings if "dispersion" in text]


def test_unknown_functional_is_refused():
    with pytest.raises(ParameterError, match="no parameters for the functional 'nonsense'"):
        dispersion_of(STRUCTURE, "nonsense")


def test_missing_library_is_named(monkeypatch):
    original = builtins.__import__

    def without(name, *rest, **keywords):
        if name.startswith("dftd4"):
            raise ImportError(name)
        return original(name, *rest, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MlsemiError, match="needs the package dftd4"):
        dispersion_of(STRUCTURE, "pbe")
