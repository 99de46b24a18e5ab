"""Integrals in a file give PySCF's Coulomb and exchange matrices, and the same record."""

import numpy as np
import pytest
from molecules import distorted

pytest.importorskip("pyscf")

from pyscf import dft, gto

from mlsemi.errors import InputError
from mlsemi.training.reference import stored_fit
from mlsemi.training.reference.calculation import Level, reference_record

WATER = distorted("H2O")


@pytest.fixture(scope="module")
def solver():
    atoms = list(zip(WATER.symbols, WATER.positions.tolist(), strict=True))
    mol = gto.M(atom=atoms, unit="Bohr", basis="def2-svp", verbose=0)
    return dft.RKS(mol, xc="pbe0").density_fit().run()


@pytest.mark.parametrize("omega", [None, 0.33])
@pytest.mark.parametrize("tagged", [True, False])
def test_coulomb_and_exchange_are_those_of_pyscf(solver, omega, tagged, monkeypatch):
    monkeypatch.setattr(stored_fit, "BLOCK_BYTES", 2e4)  # several blocks of rows and of functions
    density = solver.make_rdm1()
    expected = solver.with_df.get_jk(density, omega=omega)
    fit = stored_fit.StoredFit(solver.mol, solver.with_df.auxbasis)
    found = fit.get_jk(density if tagged else np.array(density), omega=omega)
    np.testing.assert_allclose(found, expected, atol=3e-6)


def test_blocks_are_the_fitted_integrals(solver):
    fit = stored_fit.StoredFit(solver.mol, solver.with_df.auxbasis)
    blocks = list(fit.loop(7))
    assert max(map(len, blocks)) == 7
    found, expected = np.concatenate(blocks), np.concatenate(list(solver.with_df.loop()))
    np.testing.assert_allclose(found.T @ found, expected.T @ expected, atol=1e-5)


def test_record_of_a_molecule_that_exceeds_memory(monkeypatch):
    level = Level(basis="def2-svp", grid=1, ris=2)
    expected = reference_record(WATER, "water", "water", "given", level)
    calls = []
    monkeypatch.setattr(stored_fit, "needed", lambda solver: calls.append(solver) or True)
    found = reference_record(WATER, "water", "water", "given", level)
    assert isinstance(calls[0].with_df, stored_fit.StoredFit)
    assert "single precision" in found.origin
    assert found.energy == pytest.approx(expected.energy, abs=3e-6)
    np.testing.assert_allclose(found.orbital_energies, expected.orbital_energies, atol=1e-4)
    np.testing.assert_allclose(found.ris_energies, expected.ris_energies, atol=1e-4)


def test_no_room_for_the_file(solver, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored_fit.os, "posix_fallocate", full)
    with pytest.raises(InputError, match="PYSCF_TMPDIR"):
        stored_fit.StoredFit(solver.mol, solver.with_df.auxbasis).build()


def test_needed_when_pyscf_would_leave_memory(solver, monkeypatch):
    assert not stored_fit.needed(solver)
    monkeypatch.setattr(solver, "max_memory", 0.1)
    assert stored_fit.needed(solver)


def test_forces_stay_with_pyscf(monkeypatch):
    """They would need the integrals in memory all the same."""
    monkeypatch.setattr(stored_fit, "needed", lambda solver: True)
    with_forces = Level(basis="def2-svp", grid=1, forces=True)
    record = reference_record(WATER, "water", "water", "given", with_forces)
    assert "single precision" not in record.origin
    assert record.forces is not None
