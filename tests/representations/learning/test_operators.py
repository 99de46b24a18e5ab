"""Blocks of operators over any shells: every element once, each irrep turning as it says."""

import numpy as np
import pytest
from harness import Move, assert_equivariant, wigner
from molecules import distorted, symmetric
from scipy.linalg import block_diag
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from mlsemi.errors import InputError
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.integrals import overlap
from mlsemi.molecule.structure import Structure
from mlsemi.representations.learning.block_features import BlockFeatures
from mlsemi.representations.learning.hamiltonian import OperatorRegressor, levels
from mlsemi.representations.learning.invariant_products import InvariantProducts
from mlsemi.representations.learning.kernels import EquivariantKernelRidge, SparseKernelRidge
from mlsemi.representations.learning.operators import BlockKey, OperatorLayout
from mlsemi.representations.learning.readout import NeuralReadout
from mlsemi.representations.learning.ridge import SymmetryRidge
from mlsemi.representations.learning.samples import records

SHELLS = {1: (0, 0, 1), 6: (0, 1, 1, 2), 8: (0, 1, 3)}
MINIMAL = {1: (0,), 6: (0, 1), 8: (0, 1)}


def symmetric_matrix(layout, numbers, seed=0, n=2):
    size = layout.size(numbers)
    shape = (n, size, size, 2 * layout.rank + 1)[: 4 if layout.rank else 3]
    matrix = np.random.default_rng(seed).normal(size=shape)
    return matrix + np.swapaxes(matrix, 1, 2)


@pytest.mark.parametrize("rank", [0, 1])
def test_irreps_hold_every_element_once(rank):
    numbers = np.array([8, 1, 6, 6, 1])
    layout = OperatorLayout(SHELLS, rank)
    matrices = symmetric_matrix(layout, numbers)
    irreps = layout.decompose(numbers, matrices)
    size = layout.size(numbers)
    assert sum(v[0].size for v in irreps.values()) == (2 * rank + 1) * size * (size + 1) // 2
    np.testing.assert_allclose(layout.assemble(numbers, irreps), matrices, atol=1e-13)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("improper", [False, True])
def test_irreps_turn_as_their_key_says(rank, improper):
    """M -> D M D^T moves each irrep by sigma-fold Wigner matrices and nothing else."""
    numbers = np.array([6, 1, 8, 6, 1])
    layout = OperatorLayout(SHELLS, rank)
    matrices = symmetric_matrix(layout, numbers)
    rotation = Move.random(numbers.size, 3, improper).rotation
    turn = block_diag(*[wigner(l, rotation) for z in numbers.tolist() for l in SHELLS[z]])
    moved = np.einsum("ij,xjk...,lk->xil...", turn, matrices, turn)
    if rank:
        moved = np.einsum("pq,xilq->xilp", wigner(1, rotation), moved)
    before, after = (layout.decompose(numbers, m) for m in (matrices, moved))
    for key, value in before.items():
        sign = key.sigma if improper else 1
        expected = sign * np.einsum("mn,xsnc->xsmc", wigner(key.l, rotation), value)
        np.testing.assert_allclose(after[key], expected, atol=1e-11, err_msg=str(key))


def test_even_and_odd_under_exchange():
    """Exchanging the two atoms of a pair leaves even irreps and changes the sign of odd ones."""
    numbers = np.array([6, 6])
    layout = OperatorLayout(SHELLS)
    matrices = symmetric_matrix(layout, numbers)
    n = layout.size(numbers) // 2
    order = np.roll(np.arange(2 * n), n)
    before = layout.decompose(numbers, matrices)
    after = layout.decompose(numbers, matrices[:, order][:, :, order])
    for key, value in before.items():
        if key.kind != "atom":
            sign = 1.0 if key.kind == "even" else -1.0
            np.testing.assert_allclose(after[key], sign * value, atol=1e-13)
            assert np.abs(value).max() > 0.1


def test_wrong_input_says_so():
    layout = OperatorLayout(MINIMAL)
    with pytest.raises(InputError, match="element N"):
        layout.columns(np.array([7]))
    with pytest.raises(InputError, match="need 5 x 5"):
        layout.decompose(np.array([8, 1]), np.zeros((1, 4, 4)))


def frames(name, n, seed=0):
    return [distorted(name, seed=seed + k, amplitude=0.06) for k in range(n)]


def overlaps(structures):
    return [overlap(Basis.of(s), s.positions) for s in structures]


@pytest.fixture(scope="module")
def model():
    """Block features and a regressor of the analytic overlap of formic acid."""
    train = frames("HCOOH", 40)
    features = BlockFeatures(OperatorLayout(MINIMAL), nu=1, cutoff=7.0, n_radial=5, l_density=2)
    return make_pipeline(features, OperatorRegressor(OperatorLayout(MINIMAL))).fit(
        train, overlaps(train)
    )


def test_overlap_is_learnt(model):
    """Two-center integrals are functions of the bare bond, which is among the features."""
    test = frames("HCOOH", 3, seed=50)
    truth = overlaps(test)
    predicted = model.predict(test)
    rest = np.abs(np.array(predicted) - truth)
    spread = np.abs(np.array(truth) - np.mean(overlaps(frames("HCOOH", 40)), axis=0)).max()
    assert rest.max() < 0.05 * spread
    assert model.score(test, truth) > -5e-3


def test_predicted_matrices_are_equivariant(model):
    assert_equivariant(
        lambda s: {"matrix": ("orbital_pair", model.predict([s])[0])}, distorted("HCOOH", seed=9)
    )


@pytest.mark.parametrize("name", ["CH4", "C6H6"])
def test_degeneracies_are_exact_for_random_weights(name):
    """Random targets give random weights; the point group is in the features."""
    exact, _ = symmetric(name)
    bent = [distorted(name, seed=s) for s in range(2)]
    layout = OperatorLayout(MINIMAL)
    features = BlockFeatures(layout, nu=1, cutoff=8.0, n_radial=4, l_density=2).fit(bent)
    matrices = symmetric_matrix(layout, exact.numbers)
    model = OperatorRegressor(layout, SymmetryRidge(alpha=1e-3))
    model.fit(features.transform(bent), matrices)
    (energies,) = levels(model.predict(features.transform([exact])))
    gaps = np.diff(energies)
    # methane 2 a1 + 2 t2; benzene 10 one- and 10 two-dimensional representations
    assert np.sum(gaps < 1e-10) == {"CH4": 4, "C6H6": 10}[name]
    assert np.sort(gaps)[{"CH4": 4, "C6H6": 10}[name]] > 1e-5


def test_blocks_beyond_the_cutoff_vanish(model):
    near = distorted("HCOOH")
    far = Structure([1, 8, 1, 6], [[0, 0, 0], [2.0, 0, 0], [30.0, 0, 0], [32.1, 0, 0]])
    matrix = model.predict([far])[0]
    assert np.abs(matrix[:5, 5:]).max() == 0.0
    assert np.abs(matrix[0, 1]) > 0.1
    assert model.predict([near, far])[1].shape == matrix.shape


def test_unknown_pairs_are_refused():
    layout = OperatorLayout(MINIMAL)
    train = [*frames("H2O", 3), *frames("CH4", 3)]
    features = BlockFeatures(layout, nu=1, n_radial=4, l_density=1).fit(train)
    model = OperatorRegressor(layout).fit(features.transform(train), overlaps(train))
    with pytest.raises(InputError, match="C and O together"):
        model.predict(features.transform([distorted("HCOOH")]))


def test_scikit_learn_splits_molecules():
    layout = OperatorLayout(MINIMAL)
    train = [s for k in range(3) for s in (*frames("H2O", 2, k), *frames("HCOOH", 1, k))]
    features = BlockFeatures(layout, nu=1, n_radial=4, l_density=1, n_fit=9).fit(train)
    scores = cross_val_score(
        OperatorRegressor(layout), features.transform(train), overlaps(train), cv=3
    )
    assert scores.shape == (3,)
    assert np.all(scores < 0.0)


def test_levels_with_a_metric():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4)) + 4.0 * np.eye(4)
    metric, energies = root @ root.T, np.array([-2.0, -1.0, 0.5, 3.0])
    matrix = root @ np.diag(energies) @ root.T
    np.testing.assert_allclose(levels([matrix], [metric])[0], energies, atol=1e-12)
    np.testing.assert_allclose(levels([np.diag(energies)])[0], energies, atol=1e-14)


def test_products_with_invariants_are_a_nonlinear_model():
    """A feature times an invariant is what a linear model lacks."""
    rng = np.random.default_rng(0)
    features, invariants = rng.normal(size=(200, 3, 4)), rng.normal(size=(200, 1, 3))
    target = features[:, :, 0] * invariants[:, :, 1]
    products = InvariantProducts().fit((features, invariants))
    lifted = products.transform((features, invariants))
    assert lifted.shape == (200, 3, 4 + 4 * 3)
    ridge = SymmetryRidge(l=1, alpha=1e-12)
    assert ridge.fit(lifted, target).score(lifted, target) > 1.0 - 1e-9
    assert ridge.fit(features, target).score(features, target) < 0.1


def test_products_with_invariants_stay_equivariant():
    layout = OperatorLayout(MINIMAL)
    train = frames("HCOOH", 20)
    features = BlockFeatures(layout, nu=1, cutoff=7.0, n_radial=4, l_density=2).fit(train)
    model = OperatorRegressor(layout, products=InvariantProducts(6, 5))
    model.fit(features.transform(train), overlaps(train))
    assert_equivariant(
        lambda s: {"matrix": ("orbital_pair", model.predict(features.transform([s]))[0])},
        distorted("HCOOH", seed=9),
    )


NONLINEAR = [
    EquivariantKernelRidge(alpha=None),
    EquivariantKernelRidge(alpha=1e-6, zeta=3),
    SparseKernelRidge(alpha=None, n_point=12),
    NeuralReadout(n_hidden=4, n_channel=12, n_invariant=6, n_iteration=15),
]


@pytest.mark.parametrize("estimator", NONLINEAR)
def test_kernels_and_networks_of_blocks(estimator):
    """Equivariant, and better than guessing the mean; with two elements and pairs of one."""
    layout = OperatorLayout(MINIMAL)
    train, test = frames("HCOOH", 20), frames("HCOOH", 3, seed=50)
    features = BlockFeatures(layout, nu=1, cutoff=7.0, n_radial=4, l_density=2).fit(train)
    model = OperatorRegressor(layout, estimator)
    model.fit(features.transform(train), overlaps(train))
    error = -model.score(features.transform(test), overlaps(test))
    spread = np.sqrt(np.mean((np.array(overlaps(test)) - np.mean(overlaps(train), axis=0)) ** 2))
    assert error < 0.5 * spread
    assert_equivariant(
        lambda s: {"matrix": ("orbital_pair", model.predict(features.transform([s]))[0])},
        distorted("HCOOH", seed=9),
    )


def test_pseudo_blocks_of_one_element_read_the_invariants_of_the_pair():
    """Odd scalars of a pair change sign with its atoms; invariants of the same pair do not."""
    train = frames("HCOOH", 6)
    layout = OperatorLayout({1: (0, 0), 6: (0, 1), 8: (0, 0, 1)})
    features = BlockFeatures(layout, nu=1, cutoff=7.0, n_radial=4, l_density=2)
    x = features.fit_transform(train)
    model = OperatorRegressor(layout, EquivariantKernelRidge(alpha=1e-8))
    model.fit(x, symmetric_matrix(layout, train[0].numbers, n=6))
    key = BlockKey(8, 8, "odd", 0, 1)
    estimator = model.estimators_[key]
    rows = records({key.irrep: x[0].features[key]}, x[0].features[key.invariant])
    swapped = records({key.irrep: -x[0].features[key]}, x[0].features[key.invariant])
    np.testing.assert_allclose(estimator.predict(swapped), -estimator.predict(rows), atol=1e-10)
    assert np.abs(estimator.predict(rows)).max() > 1e-3


def test_products_of_few_samples_and_of_zeros():
    zeros, few = np.zeros((3, 3, 5)), np.random.default_rng(0).normal(size=(3, 1, 4))
    products = InvariantProducts(7, 7).fit((zeros, few))
    assert np.array_equal(products.transform((zeros, few)), zeros)
