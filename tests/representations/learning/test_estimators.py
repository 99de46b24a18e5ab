"""Regressors of one irrep: exact on what they can represent, turning with their features."""

import numpy as np
import pytest
from harness import assert_adjoint, wigner
from scipy.stats import ortho_group
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from mlsemi.errors import InputError
from mlsemi.representations.learning.cartesian import (
    CartesianRegressor,
    cartesian_of_irreps,
    irreps_of_cartesian,
)
from mlsemi.representations.learning.kernels import (
    EquivariantKernelRidge,
    KernelFeatures,
    SparseKernelRidge,
    environments,
    equivariant_kernel,
)
from mlsemi.representations.learning.readout import NeuralReadout, readout, readout_adjoint
from mlsemi.representations.learning.ridge import (
    SymmetryRidge,
    SymmetryRidgeCV,
    SymmetryRidgeHoldout,
)
from mlsemi.representations.learning.samples import records, structure_records
from mlsemi.symmetry.tensors import Irrep

N, P, Q = 24, 5, 7
ALL = (
    SymmetryRidge,
    SymmetryRidgeCV,
    SymmetryRidgeHoldout,
    EquivariantKernelRidge,
    SparseKernelRidge,
    NeuralReadout,
)


def samples(l, seed=0, n=N, n_atom=None):
    """Random invariants and equivariants of degree l; with atoms, structures of unequal size."""
    rng = np.random.default_rng(seed)
    size = n if n_atom is None else n * n_atom
    tensors = {Irrep(0, 1): rng.normal(size=(size, 1, P))}
    tensors[Irrep(l, 1)] = rng.normal(size=(size, 2 * l + 1, Q)) if l else tensors[Irrep(0, 1)]
    if n_atom is None:
        return records(tensors)
    start = np.concatenate([[0], np.cumsum(rng.integers(1, n_atom + 1, n))])
    return structure_records({i: v[: start[-1]] for i, v in tensors.items()}, start)


def turned(x, l, rotation):
    """The same samples after a rotation."""
    out = x.copy()
    if l:
        out[f"{l}+"] = np.einsum("mn,...nq->...mq", wigner(l, rotation), x[f"{l}+"])
    return out


def nonlinear(x, l):
    """sum_q x_q (1 + p_0 p_1) over a few features: outside a linear model."""
    p = x["0+"][:, 0]
    return x[f"{l}+"][:, :, :3].sum(axis=2) * (1.0 + p[:, :1] * p[:, 1:2])


@pytest.mark.parametrize("l", [0, 1, 2])
@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("n_atom", [None, 3])
def test_predictions_turn_with_the_sample(kind, l, n_atom):
    x = samples(l, n_atom=n_atom)
    y = np.random.default_rng(1).normal(size=(N, 2 * l + 1))
    rotation = ortho_group.rvs(3, random_state=4)
    rotation *= np.linalg.det(rotation)
    model = kind(l=l).fit(x, y)
    before, after = model.predict(x), model.predict(turned(x, l, rotation))
    assert np.abs(before).max() > 0.1
    np.testing.assert_allclose(after, before @ wigner(l, rotation).T, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "n"),
    [(SymmetryRidge, 4), (SymmetryRidge, 40), (SymmetryRidgeCV, 40), (SymmetryRidgeHoldout, 40)],
)
def test_ridge_is_exact_where_the_target_is_linear(kind, n):
    """Both more features than samples (of all exact weights the smallest) and fewer."""
    l, rng = 1, np.random.default_rng(0)
    x, weights = rng.normal(size=(n, 3, 20)), rng.normal(size=(20, 2))
    y = x @ weights
    model = kind(l=l).fit(x, y)
    np.testing.assert_allclose(model.predict(x), y, atol=1e-6)
    if n == 40:
        np.testing.assert_allclose(model.coef_, weights, atol=1e-6)
        assert model.score(x, y) > 1.0 - 1e-10


def test_ridge_solves_its_equation():
    """(X^T X + alpha s) w = X^T y with s the mean diagonal of X^T X, primal and dual."""
    rng = np.random.default_rng(3)
    for n in (3, 30):
        x, y = rng.normal(size=(n, 5, 20)), rng.normal(size=(n, 5))
        weights = SymmetryRidge(l=2, alpha=0.3).fit(x, y).coef_[:, 0]
        flat = x.reshape(-1, 20)
        damping = 0.3 * np.sum(flat**2) / 20 * np.eye(20)
        expected = np.linalg.solve(flat.T @ flat + damping, flat.T @ y.ravel())
        np.testing.assert_allclose(weights, expected, atol=1e-12)


def test_constant_of_a_scalar_only():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 1, 4))
    y = x[:, 0] @ rng.normal(size=4) + 5.0
    assert SymmetryRidge(intercept=True).fit(x, y).score(x, y) > 1.0 - 1e-10
    assert SymmetryRidge().fit(x, y).score(x, y) < 0.5
    for l, sigma in ((1, 1), (0, -1)):
        with pytest.raises(InputError, match="constant"):
            SymmetryRidge(l=l, sigma=sigma, intercept=True).fit(
                rng.normal(size=(3, 2 * l + 1, 2)), np.ones((3, 2 * l + 1))
            )


@pytest.mark.parametrize("kind", [SymmetryRidgeCV, SymmetryRidgeHoldout])
def test_alpha_is_chosen_for_each_target(kind):
    """One target is linear, the other noise: no regularisation, and as much as there is."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 1, 30))
    y = np.stack([x[:, 0] @ rng.normal(size=30), rng.normal(size=40)], axis=1)[:, None]
    alphas = (1e-10, 1e2)
    assert kind(alphas=alphas).fit(x, y).alpha_.tolist() == list(alphas)


@pytest.mark.parametrize("intercept", [False, True])
def test_held_out_ridge_has_the_weights_of_ridge(intercept):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 1, 6)), 2.0 + rng.normal(size=(40, 1, 2))
    model = SymmetryRidgeHoldout(alphas=(1e-3, 0.1, 10.0), intercept=intercept).fit(x, y)
    for target, alpha in enumerate(model.alpha_):
        plain = SymmetryRidge(alpha=alpha, intercept=intercept).fit(x, y)
        np.testing.assert_allclose(model.coef_[:, target], plain.coef_[:, target], rtol=1e-8)
        np.testing.assert_allclose(model.predict(x)[..., target], plain.predict(x)[..., target])


def test_cross_validation_errors_are_those_of_refitting():
    rng = np.random.default_rng(0)
    for n_feature in (6, 60):
        x, y = rng.normal(size=(15, 3, n_feature)), rng.normal(size=(15, 3, 1))
        model = SymmetryRidgeCV(l=1, alphas=(1e-3, 0.1), n_fold=5)
        expected = np.zeros(2)
        for held in np.array_split(np.arange(15), 5):
            keep = np.setdiff1d(np.arange(15), held)
            for row, alpha in enumerate(model.alphas):
                # alpha counts in units of the mean diagonal of the rows that are fitted to
                plain = SymmetryRidge(l=1, alpha=alpha).fit(x[keep], y[keep])
                expected[row] += np.sum((y[held] - plain.predict(x[held])) ** 2)
        np.testing.assert_allclose(model._errors(x, y)[:, 0], expected, rtol=1e-8)


def slow_kernel(left, right, zeta):
    """Twin of equivariant_kernel, one pair of atoms and components at a time."""
    (p, x), (p2, x2) = left, right
    m = x.shape[2]
    out = np.zeros((x.shape[0], m, x2.shape[0], m))
    for i, a, j, b in np.ndindex(x.shape[0], x.shape[1], x2.shape[0], x2.shape[1]):
        scalar = (0.5 + 0.5 * p[i, a] @ p2[j, b]) ** zeta
        for u, v in np.ndindex(m, m):
            out[i, u, j, v] += scalar * (x[i, a, u] @ x2[j, b, v])
    return out.reshape(x.shape[0] * m, -1)


def test_kernel_against_its_slow_twin():
    left, right = (
        environments(samples(2, seed, n, 3), Irrep(2, 1)) for seed, n in ((0, 4), (1, 3))
    )
    fast = equivariant_kernel(left, right, 3)
    np.testing.assert_allclose(fast, slow_kernel(left, right, 3), atol=1e-12)


def test_linear_kernel_is_ridge():
    x = samples(1)
    y = np.random.default_rng(2).normal(size=(N, 3))
    ridge = SymmetryRidge(l=1, alpha=1e-2).fit(x, y)
    # both count alpha in units of a mean diagonal, of 3 N samples or of Q features
    kernel = EquivariantKernelRidge(l=1, alpha=1e-2 * 3 * N / Q, zeta=0).fit(x, y)
    np.testing.assert_allclose(kernel.predict(x), ridge.predict(x), atol=1e-10)


@pytest.mark.parametrize("selection", ["fps", "cur"])
def test_sparse_kernel_with_all_points_is_the_kernel(selection):
    x = samples(1)
    y = nonlinear(x, 1)
    n_point = N if selection == "fps" else P
    phi = KernelFeatures(l=1, n_point=n_point, selection=selection).fit(x)
    whole = equivariant_kernel(*[environments(x, Irrep(1, 1))] * 2, 2)
    flat = phi.transform(x).reshape(3 * N, -1)
    if selection == "fps":
        np.testing.assert_allclose(flat @ flat.T, whole, atol=1e-8)
        full = EquivariantKernelRidge(l=1, alpha=1e-10).fit(x, y)
        sparse = SparseKernelRidge(l=1, alpha=1e-10, n_point=N).fit(x, y)
        np.testing.assert_allclose(sparse.predict(x), full.predict(x), atol=1e-5)
    else:
        # CUR stops at the rank of the invariants; its kernel is a lower bound
        assert flat.shape[1] == 3 * P
        assert np.linalg.eigvalsh(whole - flat @ flat.T)[0] > -1e-9


def test_unknown_selection():
    with pytest.raises(InputError, match="fps or cur"):
        SparseKernelRidge(l=1, selection="best").fit(samples(1), np.zeros((N, 3)))


def test_kernel_and_readout_learn_what_a_linear_model_cannot():
    train, test = samples(1, 0, 400), samples(1, 1, 50)
    y, truth = nonlinear(train, 1), nonlinear(test, 1)
    linear = SymmetryRidge(l=1).fit(train, y).score(test, truth)
    kernel = EquivariantKernelRidge(l=1, alpha=1e-6).fit(train, y).score(test, truth)
    neural = NeuralReadout(l=1, n_hidden=16, n_iteration=400).fit(train, y).score(test, truth)
    assert linear < 0.7
    assert kernel > linear + 0.1
    assert neural > 0.98


def test_readout_adjoint():
    rng = np.random.default_rng(0)
    p, x = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 5, 6))
    shapes = {"linear": (6, 2), "gate.in": (3, 4), "gate.bias": (1, 4), "gate.out": (4, 12)}
    weights = [0.5 * rng.normal(size=shape) for shape in shapes.values()]

    def forward(p, x, *arrays):
        return readout(p, x, dict(zip(shapes, arrays, strict=True)))

    def adjoint(out_bar):
        named = dict(zip(shapes, weights, strict=True))
        p_bar, x_bar, gradients = readout_adjoint(p, x, named, out_bar)
        return p_bar, x_bar, *(gradients[name] for name in shapes)

    assert_adjoint(forward, adjoint, [p, x, *weights])


@pytest.mark.parametrize("kind", ALL)
def test_scikit_learn_form(kind):
    x = samples(1, n=30)
    y = x["1+"].sum(axis=2)
    model = clone(kind(l=1))
    assert model.get_params()["l"] == 1
    assert cross_val_score(model, x, y, cv=3).shape == (3,)
    assert cross_val_score(model, x, y, cv=3, scoring="neg_mean_squared_error").max() <= 0.0
    if "alpha" in model.get_params():
        search = GridSearchCV(model, {"alpha": [1e-8, 1e-4]}, cv=3).fit(x, y)
        assert search.best_score_ > 0.5


def test_elements_get_weights_of_their_own():
    """y = sum over atoms of w[species] . x is linear only with the species apart."""
    rng = np.random.default_rng(0)
    species, start = rng.integers(0, 2, 80), 4 * np.arange(21)
    x, weights = {Irrep(1, 1): rng.normal(size=(80, 3, 5))}, rng.normal(size=(2, 5))
    y = np.einsum("amq,aq->am", x[Irrep(1, 1)], weights[species]).reshape(20, 4, 3).sum(axis=1)
    model = SymmetryRidge(l=1)
    apart, together = structure_records(x, start, species), structure_records(x, start)
    assert model.fit(apart, y).score(apart, y) > 1.0 - 1e-8
    np.testing.assert_allclose(model.coef_[:, 0], weights.ravel(), atol=1e-5)
    assert model.fit(together, y).score(together, y) < 0.9


def test_wrong_shapes_say_so():
    x = samples(1)
    with pytest.raises(InputError, match="no features of symmetry 2"):
        SymmetryRidge(l=2).fit(x, np.zeros((N, 5)))
    with pytest.raises(InputError, match="targets have shape"):
        SymmetryRidge(l=1).fit(x, np.zeros((N, 5)))
    with pytest.raises(InputError, match="need"):
        SymmetryRidge(l=2).fit(x["1+"], np.zeros((N, 5)))
    with pytest.raises(InputError, match="vector or a tensor"):
        CartesianRegressor().fit(x, np.zeros((N, 2)))


@pytest.mark.parametrize("rank", [1, 2])
def test_cartesian_irreps_turn_with_the_tensor(rank):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(6, 3) if rank == 1 else (6, 3, 3))
    y = y if rank == 1 else y + y.transpose(0, 2, 1)
    rotation = ortho_group.rvs(3, random_state=1)
    rotation *= np.linalg.det(rotation)
    moved = y @ rotation.T if rank == 1 else rotation @ y @ rotation.T
    before, after = irreps_of_cartesian(y), irreps_of_cartesian(moved)
    np.testing.assert_allclose(cartesian_of_irreps(before), y, atol=1e-13)
    for l, value in before.items():
        np.testing.assert_allclose(after[l], value @ wigner(l, rotation).T, atol=1e-12)


def test_tensors_are_learnt_irrep_by_irrep():
    rng = np.random.default_rng(0)
    tensors = {Irrep(l, 1): rng.normal(size=(40, 2 * l + 1, 4)) for l in (0, 1, 2)}
    x = records(tensors)
    truth = {l: tensors[Irrep(l, 1)] @ rng.normal(size=4) for l in (0, 2)}
    truth[0] = truth[0] + 3.0
    y = cartesian_of_irreps(truth)
    model = CartesianRegressor(SymmetryRidge(alpha=1e-10)).fit(x[:30], y[:30])
    assert model.score(x[30:], y[30:]) > 1.0 - 1e-10
    np.testing.assert_allclose(model.predict(x), model.predict(x).transpose(0, 2, 1), atol=1e-12)
    vector = CartesianRegressor().fit(x, x["1+"].sum(axis=2))
    assert vector.predict(x).shape == (40, 3)
    assert cross_val_score(clone(model), x, y, cv=3).min() > 0.999
