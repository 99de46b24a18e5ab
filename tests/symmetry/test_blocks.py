import numpy as np
import pytest
from harness import assert_adjoint, assert_equivariant
from molecules import SMALL, distorted, random_model

from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.observables import orbital_atom
from mlsemi.symmetry.blocks import (
    N_ATOM_IRREP,
    N_PAIR_IRREP,
    P_LEVEL,
    BlockedOperator,
    irreps_of,
    matrices_adjoint,
)

STRUCTURES = (distorted("CH3CONH2"), distorted("HCOOH", seed=2))


def listed(structures=STRUCTURES, cutoff=SMALL.cutoff):
    return PairList.of(structures, SMALL.elements, cutoff)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_operator(pairs, rng):
    return BlockedOperator(
        pairs,
        rng.normal(size=(pairs.n_atom, N_ATOM_IRREP)),
        rng.normal(size=(pairs.first.size, N_PAIR_IRREP)),
    )


def symmetric_matrices(rng, structures=STRUCTURES):
    out = [rng.normal(size=(s.n_orbital, s.n_orbital)) for s in structures]
    return [m + m.T for m in out]


def test_irreps_of_inverts_matrix(rng):
    pairs = listed(cutoff=40.0)
    matrices = symmetric_matrices(rng)
    operator = irreps_of(pairs, matrices)
    for index, matrix in enumerate(matrices):
        np.testing.assert_allclose(operator.matrix(index), matrix, atol=1e-13)
    again = irreps_of(pairs, [operator.matrix(0), operator.matrix(1)])
    np.testing.assert_allclose(again.atoms, operator.atoms, atol=1e-13)
    np.testing.assert_allclose(again.bonds, operator.bonds, atol=1e-13)


def test_elements_beyond_the_cutoff_are_left_out(rng):
    pairs = listed()
    matrices = symmetric_matrices(rng)
    operator = irreps_of(pairs, matrices)
    for index, (structure, matrix) in enumerate(zip(STRUCTURES, matrices, strict=True)):
        x = structure.positions[orbital_atom(structure)]
        inside = np.linalg.norm(x[:, None] - x[None, :], axis=2) < SMALL.cutoff
        np.testing.assert_allclose(operator.matrix(index), matrix * inside, atol=1e-13)
        assert index == 1 or not inside.all()


def test_any_irreps_make_a_symmetric_matrix(rng):
    operator = random_operator(listed(), rng)
    for index, structure in enumerate(STRUCTURES):
        matrix = operator.matrix(index)
        assert matrix.shape == (structure.n_orbital,) * 2
        np.testing.assert_array_equal(matrix, matrix.T)


def test_predicted_matrix_is_equivariant():
    model = random_model(seed=3)

    def observe(structure):
        pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
        return {"H": ("orbital_pair", model.predict(pairs)[0].hamiltonian.matrix())}

    for name in ("CH3CONH2", "CH3NO2"):
        assert_equivariant(observe, distorted(name, seed=7), atol=1e-12)


def test_level_of_a_p_shell():
    pairs = listed([Structure([8], np.zeros((1, 3)))])
    atoms = np.zeros((1, N_ATOM_IRREP))
    atoms[0, 0], atoms[0, 4] = -1.0, P_LEVEL * 0.25
    operator = BlockedOperator(pairs, atoms, np.zeros((0, N_PAIR_IRREP)))
    np.testing.assert_allclose(operator.matrix(), np.diag([-1.0, 0.25, 0.25, 0.25]), atol=1e-15)


def test_matrices_adjoint(rng):
    pairs = listed()
    operator = random_operator(pairs, rng)

    def forward(atoms, bonds):
        moved = BlockedOperator(pairs, atoms, bonds)
        return moved.matrix(0), moved.matrix(1)

    numbers = np.empty(pairs.n_atom, dtype=int)
    numbers[pairs.atom] = np.concatenate([s.numbers for s in STRUCTURES])
    with_p = numbers > 1
    atoms_read = np.ones(operator.atoms.shape, dtype=bool)
    atoms_read[~with_p, 1:] = False
    bonds_read = np.ones(operator.bonds.shape, dtype=bool)
    bonds_read[~with_p[pairs.second], 1:] = False
    bonds_read[~with_p[pairs.first], 4:] = False

    def adjoint(*matrices_bar):
        bar = matrices_adjoint(pairs, list(matrices_bar))
        atoms_bar, bonds_bar = bar.atoms, bar.bonds
        assert not atoms_bar[~atoms_read].any()
        assert not bonds_bar[~bonds_read].any()
        return atoms_bar, bonds_bar

    assert_adjoint(forward, adjoint, [operator.atoms, operator.bonds])
