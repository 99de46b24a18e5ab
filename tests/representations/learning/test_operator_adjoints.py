"""From what is made of a predicted operator back to positions: every step against differences."""

import numpy as np
import pytest
from harness import assert_adjoint
from molecules import distorted, moved
from sklearn.pipeline import make_pipeline

from mlsemi.molecule.basis import Basis
from mlsemi.molecule.integrals import overlap
from mlsemi.orbitals.eigen import solve, solve_adjoint
from mlsemi.representations.learning.block_features import BlockFeatures
from mlsemi.representations.learning.cartesian import CartesianRegressor
from mlsemi.representations.learning.hamiltonian import OperatorRegressor, matrices_adjoint
from mlsemi.representations.learning.invariant_products import InvariantProducts
from mlsemi.representations.learning.kernels import EquivariantKernelRidge, SparseKernelRidge
from mlsemi.representations.learning.operators import OperatorLayout
from mlsemi.representations.learning.readout import NeuralReadout
from mlsemi.representations.learning.ridge import (
    SymmetryRidge,
    SymmetryRidgeCV,
    SymmetryRidgeHoldout,
)
from mlsemi.representations.learning.samples import (
    records,
    structure_records,
    structure_records_adjoint,
)
from mlsemi.symmetry.tensors import Irrep

MINIMAL = {1: (0,), 6: (0, 1), 8: (0, 1)}
ESTIMATORS = [
    SymmetryRidge(l=1, alpha=1e-3),
    SymmetryRidgeCV(l=1),
    SymmetryRidgeHoldout(l=1),
    EquivariantKernelRidge(l=1, alpha=None),
    EquivariantKernelRidge(l=1, alpha=1e-4, zeta=3),
    SparseKernelRidge(l=1, alpha=1e-4, n_point=6),
    NeuralReadout(l=1, n_hidden=4, n_channel=5, n_invariant=3, n_iteration=10),
]


def samples(invariants, vectors):
    return records({Irrep(0, 1): invariants, Irrep(1, 1): vectors})


@pytest.mark.parametrize("atoms", [(), (3,)])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators(estimator, atoms):
    """Samples of one atom, and sums over the atoms of a structure."""
    rng = np.random.default_rng(0)
    invariants, vectors = rng.normal(size=(12, *atoms, 1, 4)), rng.normal(size=(12, *atoms, 3, 5))
    target = rng.normal(size=(12, 3, 2))
    estimator.fit(samples(invariants, vectors), target)
    few = invariants[:4] + 0.1, vectors[:4] - 0.2

    def adjoint(bar):
        out = estimator.adjoint(samples(*few), bar)
        return out["0+"], out["1+"]

    if not estimator.reads_invariants:
        assert not adjoint(target[:4])[0].any()
        assert_adjoint(
            lambda x: estimator.predict(x), lambda bar: estimator.adjoint(few[1], bar), few[1:]
        )
        return
    assert_adjoint(lambda p, x: estimator.predict(samples(p, x)), adjoint, few, rtol=1e-8)


def test_scalars_read_themselves():
    """Of a scalar the features are the invariants: both cotangents land on one field."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(10, 1, 4))
    y = np.sin(x[:, 0, 0]) * x[:, 0, 1]
    estimator = EquivariantKernelRidge(alpha=1e-6, intercept=True).fit(records({Irrep(0, 1): x}), y)
    some = records({Irrep(0, 1): x[:3] + 0.1})
    assert_adjoint(
        lambda v: estimator.predict(records({Irrep(0, 1): v})),
        lambda bar: estimator.adjoint(some, bar)["0+"],
        [some["0+"]],
        rtol=1e-8,
    )


@pytest.mark.parametrize("shape", [(3,), (3, 3)])
def test_vectors_and_tensors(shape):
    rng = np.random.default_rng(2)
    parts = {Irrep(l, 1): rng.normal(size=(9, 2 * l + 1, 4)) for l in range(3)}
    target = rng.normal(size=(9, *shape))
    target = target + np.swapaxes(target, 1, 2) if len(shape) == 2 else target
    model = CartesianRegressor().fit(records(parts), target)
    used = [Irrep(1, 1)] if len(shape) == 1 else [Irrep(0, 1), Irrep(2, 1)]

    def forward(*values):
        return model.predict(records(parts | dict(zip(used, values, strict=True))))

    def adjoint(bar):
        out = model.adjoint(records(parts), bar)
        return tuple(out[f"{irrep.l}+"] for irrep in used)

    assert_adjoint(forward, adjoint, [parts[irrep] for irrep in used])


@pytest.mark.parametrize("species", [None, np.array([0, 1, 1, 0, 1])])
def test_records_of_structures(species):
    rng = np.random.default_rng(3)
    start = [0, 3, 5]
    value = rng.normal(size=(5, 3, 2))
    irrep = Irrep(1, -1)

    def forward(x):
        return structure_records({irrep: x}, start, species)["1-"]

    def adjoint(bar):
        whole = records({irrep: bar})
        return structure_records_adjoint(whole, start, species)[irrep]

    assert_adjoint(forward, adjoint, [value])


def test_products():
    rng = np.random.default_rng(4)
    pair = rng.normal(size=(8, 3, 4)), rng.normal(size=(8, 1, 5))
    products = InvariantProducts(3, 2).fit(pair)
    assert_adjoint(
        lambda x, p: products.transform((x, p)), lambda bar: products.adjoint(pair, bar), pair
    )


@pytest.mark.parametrize("rank", [0, 1])
def test_assembly(rank):
    """One and two shells of a kind, one and two elements."""
    layout = OperatorLayout({1: (0, 0), 6: (0, 1, 1), 8: (0, 1)}, rank)
    numbers = np.array([6, 8, 1, 6])
    rng = np.random.default_rng(5)
    shape = {
        key: (2, len(layout.samples(numbers, key)), 2 * key.l + 1, len(columns))
        for key, columns in layout.columns(numbers).items()
    }
    irreps = {key: rng.normal(size=size) for key, size in shape.items()}
    bar = rng.normal(size=layout.assemble(numbers, irreps).shape)
    found = layout.assemble_adjoint(numbers, bar)
    # the map is linear: the identity of the two products is all there is to it, key by key
    for key, value in irreps.items():
        alone = {k: v if k == key else np.zeros_like(v) for k, v in irreps.items()}
        expected = np.sum(layout.assemble(numbers, alone) * bar)
        assert np.sum(found[key] * value) == pytest.approx(expected, rel=1e-10, abs=1e-10)


def fitted(estimator, products=None):
    """A model of something that is no Hamiltonian, but has a gap."""
    train = [distorted("HCOOH", seed=n, amplitude=0.06) for n in range(12)]
    matrices = [-overlap(Basis.of(s), s.positions) for s in train]
    layout = OperatorLayout(MINIMAL)
    features = BlockFeatures(layout, nu=1, cutoff=7.0, n_radial=4, l_density=2, n_keep=6)
    return make_pipeline(features, OperatorRegressor(layout, estimator, products)).fit(
        train, matrices
    )


@pytest.mark.parametrize(
    ("estimator", "products"),
    [
        (SymmetryRidge(alpha=1e-6), None),
        (SymmetryRidge(alpha=1e-6), InvariantProducts(4, 3)),
        (EquivariantKernelRidge(alpha=1e-6), None),
        (SparseKernelRidge(alpha=1e-4, n_point=8), None),
        (NeuralReadout(n_hidden=3, n_channel=6, n_invariant=4, n_iteration=8), None),
    ],
)
def test_positions(estimator, products):
    """Every element of the matrices of two molecules at once."""
    model = fitted(estimator, products)
    pair = [distorted("HCOOH", seed=30), distorted("H2O", seed=31)]
    where = np.array([0, pair[0].n_atom, pair[0].n_atom + pair[1].n_atom])

    def both(x):
        return [moved(s, x[a:b]) for s, a, b in zip(pair, where, where[1:], strict=False)]

    assert_adjoint(
        lambda x: tuple(model.predict(both(x))),
        lambda *bars: matrices_adjoint(model, pair, bars),
        [np.concatenate([s.positions for s in pair])],
        rtol=1e-7,
        n_element=1,
    )


def test_observables():
    """Energies of the frontier orbitals and populations, theory eqs 10 and 11."""
    model = fitted(SymmetryRidge(alpha=1e-6))
    molecule = distorted("HCOOH", seed=40)
    n = 10

    def forward(x):
        state = solve(model.predict([moved(molecule, x)])[0], n)
        return state.energies[n // 2 - 1 : n // 2 + 1], np.diag(state.density)

    def adjoint(levels_bar, populations_bar):
        state = solve(model.predict([molecule])[0], n)
        energies_bar = np.zeros_like(state.energies)
        energies_bar[n // 2 - 1 : n // 2 + 1] = levels_bar
        matrix_bar = solve_adjoint(state, energies_bar, np.diag(populations_bar))
        return matrices_adjoint(model, [molecule], [matrix_bar])

    assert_adjoint(forward, adjoint, [molecule.positions], rtol=1e-7, n_element=1)
