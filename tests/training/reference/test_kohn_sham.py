"""The shorter Kohn-Sham loops against PySCF's own, and the minimal auxiliary kernel."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import molecule
from molecules import distorted

from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure

pytest.importorskip("pyscf")

from pyscf import df, dft, gto

from mlsemi.training.data.dataset import arrays_of, record_of
from mlsemi.training.reference import kohn_sham
from mlsemi.training.reference.calculation import Level, mean_field, reference_record
from mlsemi.training.reference.excitations import MinimalResponse

WATER = distorted("H2O")
FORMALDEHYDE = Structure.from_ase(molecule("H2CO"))


@pytest.fixture(scope="module", params=["b3lyp", "camb3lyp", "pbe"])
def solver(request):
    return mean_field(WATER, Level(request.param, "def2-svp", convergence=1e-10))[0]


@pytest.fixture(scope="module")
def plain(solver):
    """PySCF's own loops at the same level."""
    check = dft.RKS(solver.mol, xc=solver.xc).density_fit()
    check.grids.level = 2
    check.conv_tol = 1e-10
    check.kernel()
    return check


def test_energy_and_orbitals(solver, plain):
    assert solver.converged
    assert solver.e_tot == pytest.approx(plain.e_tot, abs=1e-8)
    np.testing.assert_allclose(solver.mo_energy, plain.mo_energy, atol=1e-5)


def test_forces(solver, plain):
    expected = -plain.nuc_grad_method().kernel()
    assert np.abs(expected).max() > 1e-2
    np.testing.assert_allclose(kohn_sham.forces(solver), expected, atol=5e-6)


def test_the_way_to_a_card_and_back(monkeypatch):
    """PySCF's own loops stand in for the card's."""
    level = Level("b3lyp", "sto-3g", forces=True, convergence=1e-10)
    solver, forces = mean_field(WATER, level)
    kind = type(dft.RKS(solver.mol).density_fit())
    monkeypatch.setattr(kind, "to_gpu", lambda self: self.copy())
    monkeypatch.setattr(kind, "to_cpu", lambda self: self, raising=False)
    pool = SimpleNamespace(free_all_blocks=lambda: freed.append(True))
    card = SimpleNamespace(get_default_memory_pool=lambda: pool)
    freed = []
    monkeypatch.setitem(sys.modules, "cupy", card)
    there, found = kohn_sham.on_gpu(dft.RKS(solver.mol, xc="b3lyp").density_fit(), 2, 1e-10, True)
    assert freed
    assert there.e_tot == pytest.approx(solver.e_tot, abs=1e-8)
    np.testing.assert_allclose(found, forces, atol=5e-6)
    none = kohn_sham.on_gpu(dft.RKS(solver.mol, xc="b3lyp").density_fit(), 2, 1e-10, False)[1]
    assert none is None


def test_stored_values_follow_the_grid():
    mol = gto.M(atom="O 0 0 0; H 0 0 1; H 0 1 0", basis="sto-3g", verbose=0)
    solver = dft.RKS(mol, xc="b3lyp").density_fit().run()
    density = solver.make_rdm1()
    stored, own = kohn_sham.StoredOrbitals(), dft.numint.NumInt()
    energies = []
    for level in (0, 1):
        grids = dft.Grids(mol)
        grids.level = level
        grids.build(with_non0tab=True)
        mine = stored.nr_rks(mol, grids, "b3lyp", density)
        check = own.nr_rks(mol, grids, "b3lyp", density)
        for value, expected in zip(mine, check, strict=True):
            np.testing.assert_allclose(value, expected, atol=1e-9)
        energies.append(mine[1])
    assert abs(energies[0] - energies[1]) > 1e-6


def test_other_functionals_use_the_loops_of_pyscf():
    record = reference_record(
        WATER, "x", "water", "given", Level("lda,vwn", basis="sto-3g", forces=True)
    )
    assert np.abs(record.forces.sum(axis=0)).max() < 1e-3
    assert np.abs(record.forces).max() > 1e-2


def test_minimal_kernel_against_a_dense_matrix():
    """A_(ia,jb) written out with the integrals of the auxiliary functions."""
    solver, _ = mean_field(FORMALDEHYDE, Level(method="b3lyp", basis="sto-3g"))
    response = MinimalResponse(solver, 2)
    o, v = response.occupied, response.virtual

    def fitted(exchange):
        fit = response._fit(exchange)
        fit.build()
        auxiliary = fit.auxmol
        three = df.incore.aux_e2(solver.mol, auxiliary, "int3c2e")
        inverse = np.linalg.inv(auxiliary.intor("int2c2e"))
        return np.einsum("mnP,PQ,rsQ->mnrs", three, inverse, three, optimize=True)

    coulomb, exchange = fitted(False), fitted(True)
    matrix = np.diag(response.gaps.ravel())
    iajb = np.einsum("mnrs,mi,na,rj,sb->iajb", coulomb, o, v, o, v, optimize=True)
    ijab = np.einsum("mnrs,mi,nj,ra,sb->iajb", exchange, o, o, v, v, optimize=True)
    matrix += (2.0 * iajb - 0.2 * ijab).reshape(matrix.shape)
    expected = np.linalg.eigvalsh(matrix)[:4]
    np.testing.assert_allclose(response.solve(4, False).energies, expected, atol=1e-6)
    with pytest.raises(InputError, match="singlets only"):
        response.solve(1, True)


def test_minimal_states_are_stored():
    record = reference_record(
        FORMALDEHYDE, "x", "C=O", "given", Level(basis="sto-3g", ris=3, forces=True)
    )
    assert record.ris_energies.shape == (3,)
    assert record.ris_transitions.shape == (3, *record.hamiltonian.shape)
    again = record_of(arrays_of(record))
    np.testing.assert_array_equal(again.ris_energies, record.ris_energies)
    np.testing.assert_array_equal(again.forces, record.forces)


def test_integrals_that_exceed_memory_stay_on_disk(monkeypatch):
    """PySCF's own store, of which forces and excitations know nothing."""
    level = Level(basis="def2-svp", grid=1, ris=2, forces=True)
    expected = reference_record(WATER, "water", "water", "given", level)
    monkeypatch.setattr(gto.Mole, "max_memory", 1.0)
    assert not isinstance(mean_field(WATER, level)[0].with_df._cderi, np.ndarray)
    found = reference_record(WATER, "water", "water", "given", level)
    assert found.energy == pytest.approx(expected.energy, abs=1e-9)
    for name in ("orbital_energies", "forces", "ris_energies"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-6)
