"""Gaussian multipoles summed over all images of a chain, a layer or a crystal (eq 27).

    erf(r / a) / r = [erf(r / a) - erf(s r)] / r + erf(s r) / r

The first part is short, and its sum over images converges at once (theory eq 22, with the width of
the split taken off); the second is smooth, and Poisson's formula turns

    erf(s r) / r = 2 / pi^1/2  int_0^s exp(-r^2 t^2) dt

into waves as in :mod:`mlsemi.lattice.ewald`. In a crystal the integral over t is known, and in
chains and layers taken by Gauss and Legendre's rule. Multipoles are derivatives of it.

Charges of a cell sum to zero. The surroundings of a crystal conduct: its shape makes no field.
"""

from __future__ import annotations

import numpy as np

from mlsemi.kernels.multipole_waves import add_waves, add_waves_adjoint
from mlsemi.kernels.multipoles import add_chosen_pairs, add_chosen_pairs_adjoint
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.ewald import N_NODE, RANGE, nodes
from mlsemi.lattice.images import neighbour_images

Arrays = tuple[np.ndarray, ...]

SPLIT = {1: 2.0, 2: 2.5, 3: 4.5}
"""Split times the length of a cell of the same measure, for d periodic directions. In a crystal the
waves cost least, since sums over atoms come first."""

POWERS = {
    3: np.array([[0, 0]]),
    2: np.array([[0, 0], [0, 1], [0, 2]]),
    1: np.array([[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]),
}
"""Derivatives across that a quadrupole has, for d periodic directions."""

PLACES = np.array([[4, 5, 6], [5, 7, 8], [6, 8, 9]])
"""Of T among the moments."""


class _Waves:
    """Multipoles on waves: z of the kernels, and the way back.

    With D = i G + sum_s n_s d_s, n_s unit vectors across, q + mu.D + T:DD is a polynomial in d_s.
    """

    def __init__(self, positions: np.ndarray, cell: Cell, moments: np.ndarray, waves: np.ndarray):
        self.moments, self.waves, self.positions = moments, waves, positions
        self.power = POWERS[cell.dimension]
        self.normals = np.zeros((2, 3))
        n_across = 3 - cell.dimension
        self.normals[2 - n_across :] = cell.completed[~cell.periodic]
        self.across = positions @ self.normals.T
        self.charges, self.mu = moments[:, 0], moments[:, 1:4]
        self.T = moments[:, PLACES] if moments.shape[1] > 4 else np.zeros((len(moments), 3, 3))
        self.phase = np.exp(1j * positions @ waves.T)
        self.plain = self._polynomial()
        self.z = self.plain * self.phase[:, :, None]

    def _polynomial(self) -> np.ndarray:
        """(n, n_wave, n_power) coefficients without the phase."""
        G, N = self.waves, self.normals
        TG = np.einsum("ixy,gy->igx", self.T, G)
        out = np.empty((*self.phase.shape, len(self.power)), dtype=complex)
        for column, (y, z) in enumerate(self.power.tolist()):
            if y + z == 0:
                out[..., column] = self.charges[:, None] + 1j * self.mu @ G.T
                out[..., column] -= np.einsum("igx,gx->ig", TG, G)
            elif y + z == 1:
                out[..., column] = (self.mu @ N[z])[:, None] + 2j * TG @ N[z]
            else:
                one, two = _normals_of(y, z)
                twice = 2.0 if y == z else 1.0
                out[..., column] = (twice * (self.T @ N[two]) @ N[one])[:, None]
        return out

    def adjoint(self, z_bar: np.ndarray, across_bar: np.ndarray) -> tuple[Arrays, Arrays]:
        """Cotangents of positions, moments; of the waves, of what turns the multipoles.

        Those of the waves are at constant phase, which no strain changes.
        """
        G, N = self.waves, self.normals
        angle_bar = np.sum(np.imag(z_bar) * self.z.real - np.real(z_bar) * self.z.imag, axis=2)
        plain_bar = z_bar * self.phase.conj()[:, :, None]
        real, imaginary = plain_bar.real, plain_bar.imag
        mu_bar, T_bar = imaginary[..., 0] @ G, -np.einsum("ig,gx,gy->ixy", real[..., 0], G, G)
        waves_bar = imaginary[..., 0].T @ self.mu
        waves_bar -= 2.0 * np.einsum("ig,ixy,gy->gx", real[..., 0], self.T, G)
        for column, (y, z) in enumerate(self.power.tolist()):
            if y + z == 1:
                mu_bar += real[..., column].sum(axis=1)[:, None] * N[z]
                along = 2.0 * imaginary[..., column]
                T_bar += np.einsum("ig,gx,y->ixy", along, G, N[z])
                waves_bar += along.T @ (self.T @ N[z])
            elif y + z == 2:
                one, two = _normals_of(y, z)
                weight = (2.0 if y == z else 1.0) * real[..., column].sum(axis=1)
                T_bar += np.einsum("i,x,y->ixy", weight, N[one], N[two])
        moments_bar = np.zeros_like(self.moments)
        moments_bar[:, 0], moments_bar[:, 1:4] = real[..., 0].sum(axis=1), mu_bar
        if self.moments.shape[1] > 4:
            moments_bar[:, PLACES] += T_bar + T_bar.swapaxes(1, 2)
            moments_bar[:, np.diag(PLACES)] *= 0.5
        turn = mu_bar.T @ self.mu + ((T_bar + T_bar.swapaxes(1, 2)) @ self.T).sum(axis=0)
        moved = angle_bar @ G + across_bar @ N
        tilt = G.T @ (angle_bar.T @ (self.across @ N))
        return (moved, moments_bar), (waves_bar, turn, tilt)


def _normals_of(y: int, z: int) -> tuple[int, int]:
    """Which normals a second derivative is along."""
    return (0 if y else 1), (1 if z else 0)


class _Split:
    """Where the sum is split, with what both halves need."""

    def __init__(
        self, positions: np.ndarray, cell: Cell, squared: np.ndarray, moments: np.ndarray
    ) -> None:
        d, self.cell, self.moments = cell.dimension, cell, moments
        self.squared = squared
        self.split = SPLIT[d] / cell.measure ** (1.0 / d)
        reach = RANGE * max(1.0 / self.split, np.sqrt(2.0 * squared.max()))
        found = neighbour_images(positions, cell, reach)
        forward = found.forward
        self.pairs = found.first[forward], found.second[forward], found.vector[forward]
        waves = cell.waves(2.0 * RANGE * self.split)
        if d < 3:  # the wave of no length, which the Gaussian across is left of
            waves = np.concatenate([np.zeros((1, 3)), waves])
        self.square = np.sum(waves**2, axis=1)
        self.waves = _Waves(positions, cell, moments, waves)
        self.t2, self.weight, self.slope, self.level = self._layers()

    def _layers(self) -> Arrays:
        """t^2, weights of both G and -G and their slopes by G^2 over themselves, l_t."""
        d, measure = self.cell.dimension, self.cell.measure
        if d == 3:
            quarter = 0.25 / self.split**2
            weight = 8.0 * np.pi / (measure * self.square) * np.exp(-quarter * self.square)
            slope = -1.0 / self.square - quarter
            return np.zeros(1), weight[None], slope[None], np.zeros(1)
        t, strength = nodes(self.split, N_NODE[d])
        level = strength * np.pi ** (0.5 * d) / (measure * t**d)
        quarters = 0.25 / t[:, None] ** 2
        weight = 2.0 * level[:, None] * np.exp(-quarters * self.square)
        weight[:, 0] = level
        return t**2, weight, np.repeat(-quarters, self.square.size, axis=1), level

    def near(self) -> list[Arrays]:
        """Arguments of both sums over images."""
        split = np.full(self.squared.size, 0.5 / self.split**2)
        ones = np.ones(self.pairs[0].size)
        return [
            (*self.pairs, width, self.moments, sign * ones)
            for width, sign in ((self.squared, 1.0), (split, -1.0))
        ]

    @property
    def waved(self) -> Arrays:
        """Arguments of the sum over waves."""
        of = self.waves
        z = np.stack([of.z.real, of.z.imag], axis=3)
        return z, of.across, of.power, self.t2, self.weight, self.level, of.charges

    @property
    def own(self) -> np.ndarray:
        """(n_moment,) what an atom has with itself in the waves, by the squares of its moments."""
        charge = self.split / np.sqrt(np.pi)
        dipole = 2.0 / 3.0 * self.split**2 * charge
        by = np.array([charge, *[dipole] * 3, *[2.4 * self.split**2 * dipole] * 6])
        by[[5, 6, 8]] *= 2.0
        return by[: self.moments.shape[1]]


def multipole_sum(
    positions: np.ndarray, cell: Cell, squared: np.ndarray, moments: np.ndarray
) -> np.ndarray:
    """(n,) half of the interaction of each atom with all others and all images, hartree.

    Parameters
    ----------
    positions : (n, 3) array
    cell : Cell
    squared : (n,) array
        Squared widths; those of two atoms are added.
    moments : (n, 4) or (n, 10) array
        Charges, which sum to zero, dipoles, and quadrupoles xx, xy, xz, yy, yz, zz where there are.
    """
    of = _Split(positions, cell, squared, moments)
    energies = -(moments**2) @ of.own
    for arguments in of.near():
        add_chosen_pairs(*arguments, energies)
    if cell.dimension == 3:
        z = of.waves.z[..., 0]
        energies += 0.5 * np.real(z.conj() @ (of.weight[0] * z.sum(axis=0)))
    else:
        add_waves(*of.waved, energies)
    return energies


def multipole_sum_adjoint(
    positions: np.ndarray,
    cell: Cell,
    squared: np.ndarray,
    moments: np.ndarray,
    energies_bar: np.ndarray,
    moments_bar: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Adjoint of :func:`multipole_sum`; adds to ``moments_bar``.

    Returns
    -------
    positions_bar (n, 3), and strain_bar (3, 3): dL/d strain of r -> (1 + strain) r for positions
    and cell, at constant moments.
    """
    of = _Split(positions, cell, squared, moments)
    moments_bar -= 2.0 * energies_bar[:, None] * moments * of.own
    positions_bar, strain_bar = np.zeros_like(positions), np.zeros((3, 3))
    first, second, vectors = of.pairs
    for arguments in of.near():
        vectors_bar, share_bar = np.zeros_like(vectors), np.zeros(first.size)
        add_chosen_pairs_adjoint(*arguments, energies_bar, moments_bar, vectors_bar, share_bar)
        np.add.at(positions_bar, second, vectors_bar)
        np.subtract.at(positions_bar, first, vectors_bar)
        strain_bar += vectors_bar.T @ vectors
    moved, strained, turned = _waves_adjoint(of, energies_bar)
    moments_bar += turned
    return positions_bar + moved, strain_bar + strained


def _waves_adjoint(of: _Split, energies_bar: np.ndarray) -> Arrays:
    """Cotangents of positions, strain and moments of the sum over waves.

    A strain that tilts the periodic directions is one that does not, after a turn of everything,
    the multipoles included.
    """
    z, across, _, _, weight, level, charges = of.waved
    bars = tuple(np.zeros_like(array) for array in (z, across, weight, level, charges))
    z_bar, across_bar, weight_bar, level_bar, charges_bar = bars
    if of.cell.dimension == 3:
        z = of.waves.z[..., 0]
        everything, seen = z.sum(axis=0), energies_bar @ z
        found = 0.5 * weight[0] * (energies_bar[:, None] * everything + seen)
        z_bar[:, :, 0] = np.stack([found.real, found.imag], axis=2)
        weight_bar[0] = 0.5 * np.real(seen.conj() * everything)
    else:
        add_waves_adjoint(*of.waved, energies_bar, bars)
    back = of.waves.adjoint(z_bar[..., 0] + 1j * z_bar[..., 1], across_bar)
    (moved, moments_bar), (waves_bar, turn, tilt) = back
    moments_bar[:, 0] += charges_bar
    G, N, along = of.waves.waves, of.waves.normals, of.cell.span
    beside = np.eye(3) - along
    weighed = weight_bar * of.weight
    bent = -2.0 * np.sum(weighed * of.slope, axis=0)
    inside = (G * bent[:, None]).T @ G - (np.sum(weighed) + level_bar @ level) * along
    inside -= G.T @ waves_bar
    turned = beside @ (tilt.T - turn + turn.T) @ along
    strained = along @ inside @ along + tilt + turned
    strained += N.T @ (across_bar.T @ across) @ N
    return moved, strained, moments_bar
