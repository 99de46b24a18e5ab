"""Orbitals in PySCF's order and in ours: turned molecules, round trips, a wrong order noticed."""

import numpy as np
import pytest
from harness import Move, wigner
from molecules import distorted
from scipy.linalg import block_diag

from mlsemi.errors import InputError
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.integrals import overlap
from mlsemi.molecule.structure import Structure
from mlsemi.representations.learning.block_features import BlockFeatures
from mlsemi.representations.learning.conventions import from_pyscf, pyscf_layout, to_pyscf
from mlsemi.representations.learning.hamiltonian import OperatorRegressor
from mlsemi.representations.learning.operators import OperatorLayout

gto = pytest.importorskip("pyscf.gto")
WATER = distorted("H2O")


def mole(structure, basis="cc-pvtz", **options):
    atoms = list(zip(structure.symbols, structure.positions.tolist(), strict=True))
    return gto.M(atom=atoms, basis=basis, unit="bohr", verbose=0, **options)


@pytest.mark.parametrize("improper", [False, True])
@pytest.mark.parametrize("rank", [0, 1])
def test_integrals_of_a_turned_molecule_turn_as_ours_do(rank, improper):
    """Up to f functions: M -> D M D^T with Wigner matrices of our harmonics."""
    rotation = Move.random(WATER.n_atom, 1, improper).rotation
    turned = Structure(WATER.numbers, WATER.positions @ rotation.T)
    layout = pyscf_layout([mole(WATER)], rank)
    assert max(layout.shells[8]) == 3
    name = "int1e_r" if rank else "int1e_kin"
    one, other = (from_pyscf(layout, WATER.numbers, mole(s).intor(name)) for s in (WATER, turned))
    turn = block_diag(*[wigner(l, rotation) for z in WATER.numbers for l in layout.shells[z]])
    expected = np.einsum("ij,jk...,lk->il...", turn, one, turn)
    if rank:
        expected = np.einsum("pq,ilq->ilp", wigner(1, rotation), expected)
    np.testing.assert_allclose(other, expected, atol=1e-10)
    assert np.abs(one).max() > 1.0


@pytest.mark.parametrize("rank", [0, 1])
def test_there_and_back(rank):
    layout = pyscf_layout([mole(WATER)], rank)
    shape = (3,) * rank + (58, 58)
    matrix = np.random.default_rng(0).normal(size=shape)
    found = to_pyscf(layout, WATER.numbers, from_pyscf(layout, WATER.numbers, matrix))
    np.testing.assert_array_equal(found, matrix)
    with pytest.raises(InputError, match="matrix of shape"):
        from_pyscf(layout, WATER.numbers, matrix[..., :5, :5])


def test_layouts_that_are_none():
    with pytest.raises(InputError, match="Cartesian functions"):
        pyscf_layout([mole(WATER, cart=True)])
    with pytest.raises(InputError, match="O has two different bases"):
        pyscf_layout([mole(WATER), mole(WATER, "sto-3g")])


def test_cores_that_are_left_out_do_not_change_the_element():
    zinc = gto.M(atom="Zn", basis="lanl2dz", ecp="lanl2dz", verbose=0)
    assert set(pyscf_layout([zinc]).shells) == {30}


def test_matrices_in_another_order_are_refused():
    """Overlaps of a few molecules: as they are, and with p as x, y, z."""
    layout = OperatorLayout({1: (0,), 6: (0, 1), 8: (0, 1)})
    molecules = [distorted("CH3CHO", seed=seed) for seed in range(4)]
    ours = [overlap(Basis.of(m), m.positions) for m in molecules]
    theirs = [to_pyscf(layout, m.numbers, s) for m, s in zip(molecules, ours, strict=True)]
    x = BlockFeatures(layout, nu=1, n_radial=4, l_density=2, n_keep=8).fit_transform(molecules)
    OperatorRegressor(layout).fit(x, ours)
    with pytest.raises(InputError, match="are in the order x, y, z, need y, z, x"):
        OperatorRegressor(layout).fit(x, theirs)
