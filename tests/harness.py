"""The two assertions that most tests are made of: an adjoint is right, a function is equivariant.

``assert_adjoint`` compares a forward function of several arrays with its adjoint, and
``assert_equivariant`` moves a molecule in every way physics does not notice.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import sph_harm_y
from scipy.stats import ortho_group

from mlsemi.molecule.elements import n_orbital_of
from mlsemi.molecule.structure import Structure

STEP = 2e-2
NODES = 24
DIFFERENCE = 1e-4


def derivative(function, step=STEP):
    """d function / dt at t = 0 from Chebyshev series on [-h, h], h = 4 step .. step / 4.

    Central differences on Chebyshev nodes, of the highest order that rounding allows: the series
    of an analytic function falls geometrically to the noise of its values and is cut there; the
    error is that noise (or what is left of the series) over h, and the best h wins.
    """
    best, smallest = 0.0, np.inf
    j = np.arange(1, NODES, 2)
    angle = np.pi * (np.arange(NODES // 2) + 0.5) / NODES
    for h in step * np.array([4.0, 1.0, 0.25]):
        odd = np.array([function(t) - function(-t) for t in h * np.cos(angle)])
        series = 2.0 / NODES * np.cos(np.outer(j, angle)) @ odd
        noise = np.abs(series[-3:]).max() + 1e-300
        kept = np.flatnonzero(np.abs(series) > 4.0 * noise)
        n = kept[-1] + 1 if kept.size else j.size
        error = noise * j[n - 1] / h
        if error < smallest:
            best, smallest = np.sum((j * (-1.0) ** (j // 2) * series)[:n]) / h, error
    return best


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def assert_adjoint(
    forward, adjoint, arrays, *, seed=0, step=STEP, active=None, rtol=1e-10, n_element=3
):
    """Check <f'(x) dx, y_bar> = <dx, f'^T y_bar> for each argument, and single elements.

    Parameters
    ----------
    forward : callable
        ``forward(*arrays)`` -> array, number, or tuple of those.
    adjoint : callable
        ``adjoint(y_bar, ...)`` at ``arrays`` -> tuple of cotangents, one per array.
    arrays : sequence of arrays
    active : sequence of bool arrays or None, optional
        Elements that may be moved (None: all), where some must stay as they are.
    step : float
        Middle one of the steps that are tried, along a direction of unit norm.
    rtol : float
        Relative tolerance of the dot-product identity.
    """
    rng = np.random.default_rng(seed)
    arrays = [np.array(array, dtype=float) for array in arrays]
    y_bar = [rng.normal(size=np.shape(y)) for y in as_tuple(forward(*arrays))]
    bars = as_tuple(adjoint(*y_bar))
    assert len(bars) == len(arrays)

    def value(n, direction, t):
        moved = [*arrays[:n], arrays[n] + t * direction, *arrays[n + 1 :]]
        return sum(np.sum(a * b) for a, b in zip(as_tuple(forward(*moved)), y_bar, strict=True))

    for n, bar in enumerate(bars):
        assert np.shape(bar) == arrays[n].shape
        direction = rng.normal(size=arrays[n].shape)
        if active is not None and active[n] is not None:
            direction = direction * active[n]
        direction /= np.linalg.norm(direction)
        size = np.linalg.norm(bar * (direction != 0.0))
        assert size > 1e-6, f"argument {n}: nothing to compare"
        walked = np.sum(bar * direction)
        while abs(walked) < 0.05 * size / np.sqrt(np.size(bar)):
            direction = direction * rng.choice([-1.0, 1.0], direction.shape)
            walked = np.sum(bar * direction)
        found = derivative(lambda t, n=n, d=direction: value(n, d, t), step)
        assert abs(found - walked) <= rtol * max(abs(found), 0.1 * size), (
            f"argument {n}: derivative {found}, adjoint {walked}"
        )
        candidates = np.flatnonzero(direction)
        largest = candidates[np.argmax(np.abs(np.ravel(bar)[candidates]))]
        for at in {int(largest), *rng.choice(candidates, n_element).tolist()}:
            unit = np.zeros(arrays[n].size)
            unit[at] = 1.0
            unit = unit.reshape(arrays[n].shape)
            difference = (value(n, unit, DIFFERENCE) - value(n, unit, -DIFFERENCE)) / (
                2.0 * DIFFERENCE
            )
            assert abs(difference - np.ravel(bar)[at]) <= 1e-6 * max(size, 1e-2), (
                f"argument {n}, element {at}: difference {difference}, adjoint {np.ravel(bar)[at]}"
            )


def real_harmonics(l, unit):
    """(n, 2l+1) real orthonormal harmonics from SciPy's complex ones, without its phase."""
    x, y, z = np.asarray(unit).T
    theta, phi = np.arccos(np.clip(z, -1.0, 1.0)), np.arctan2(y, x)
    columns = []
    for m in range(-l, l + 1):
        value = sph_harm_y(l, abs(m), theta, phi)
        part = value.imag if m < 0 else value.real
        columns.append(part * ((-1.0) ** m * np.sqrt(2.0) if m else 1.0))
    return np.stack(columns, axis=1)


def random_directions(n, seed=0):
    """Unit vectors."""
    x = np.random.default_rng(seed).normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1)[:, None]


def wigner(l, rotation):
    """D with Y_l(R u) = D Y_l(u), fitted on random points."""
    u = random_directions(8 * l + 4)
    before, after = real_harmonics(l, u), real_harmonics(l, u @ rotation.T)
    return np.linalg.lstsq(before, after, rcond=None)[0].T


@dataclass(frozen=True, eq=False)
class Move:
    """An orthogonal map, then a shift, then atoms in another order: x'[a] = R x[order[a]] + t."""

    rotation: np.ndarray
    shift: np.ndarray
    order: np.ndarray

    @classmethod
    def random(cls, n_atom, seed, improper):
        rng = np.random.default_rng(seed)
        rotation = ortho_group.rvs(3, random_state=rng)
        if (np.linalg.det(rotation) < 0.0) != improper:
            rotation = -rotation
        return cls(rotation, 5.0 * rng.normal(size=3), rng.permutation(n_atom))

    def structure(self, structure):
        x = structure.positions[self.order] @ self.rotation.T + self.shift
        return Structure(structure.numbers[self.order], x, structure.charge)

    def number(self, structure, value):
        return value

    def vector(self, structure, value):
        return value @ self.rotation.T

    def atom(self, structure, value):
        return value[self.order]

    def atom_vector(self, structure, value):
        return value[self.order] @ self.rotation.T

    def atom_pair(self, structure, value):
        return value[np.ix_(self.order, self.order)]

    def atom_sphere(self, structure, value):
        """(n_atom, (l_max + 1)^2, n_channel) components of degree l rotate with D^l."""
        n_degree = int(np.sqrt(value.shape[1]))
        parts = [
            np.einsum("mn,ank->amk", wigner(l, self.rotation), value[:, l * l : (l + 1) ** 2])
            for l in range(n_degree)
        ]
        return np.concatenate(parts, axis=1)[self.order]

    def tensor(self, structure, value):
        """(n_atom, .., n_atom, 2l+1, n_feature) for any number of centers; rotates with D^l."""
        turn = wigner((value.shape[-2] - 1) // 2, self.rotation)
        turned = np.einsum("mn,...nk->...mk", turn, value)
        return turned[np.ix_(*[self.order] * (value.ndim - 2))]

    def pseudotensor(self, structure, value):
        """As ``tensor``, with another sign under inversion."""
        return np.linalg.det(self.rotation) * self.tensor(structure, value)

    def orbital_pair(self, structure, value):
        """Matrix over valence orbitals, s and p by atom."""
        sizes = np.array([n_orbital_of(z) for z in structure.numbers.tolist()])
        start = np.cumsum(sizes) - sizes
        turn = np.zeros((sizes.sum(), sizes.sum()))
        row = 0
        for atom in self.order:
            a, n = start[atom], sizes[atom]
            turn[row, a] = 1.0
            if n > 1:
                turn[row + 1 : row + 4, a + 1 : a + 4] = wigner(1, self.rotation)
            row += n
        return turn @ value @ turn.T


def assert_equivariant(observe, structure, *, atol=1e-10, seed=0, n_move=4):
    """Moving the molecule moves what is observed, and nothing else.

    ``observe(structure)`` returns {name: (kind, array)}; the kinds are the methods of ``Move``.
    Half of the random moves contain an inversion; every one shifts and permutes as well.
    """
    before = observe(structure)
    for index in range(n_move):
        move = Move.random(structure.n_atom, seed + index, improper=bool(index % 2))
        after = observe(move.structure(structure))
        for name, (kind, value) in before.items():
            expected = getattr(move, kind)(structure, value)
            assert np.abs(expected).max() > 1e-3, f"{name}: nothing to compare"
            np.testing.assert_allclose(after[name][1], expected, rtol=0, atol=atol, err_msg=name)
