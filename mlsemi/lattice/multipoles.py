"""Gaussian charges and dipoles summed over all images of a chain, a layer or a crystal (eq 27).

    erf(r / a) / r = [erf(r / a) - erf(s r)] / r + erf(s r) / r

The first part is short, and its sum over images converges at once (theory eq 22, with the width of
the split taken off); the second is smooth, and Poisson's formula turns

    erf(s r) / r = 2 / pi^1/2  int_0^s exp(-r^2 t^2) dt

into waves as in :mod:`mlsemi.lattice.ewald`. In a crystal the integral over t is known, and in
chains and layers taken by Gauss and Legendre's rule. Charges and dipoles are derivatives of it.

Charges of a cell sum to zero. The surroundings of a crystal conduct: its shape makes no field.
"""

from __future__ import annotations

import numpy as np

from mlsemi.kernels.multipole_waves import add_waves, add_waves_adjoint
from mlsemi.kernels.multipoles import add_chosen_pairs, add_chosen_pairs_adjoint
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.ewald import N_NODE, RANGE, SPLIT, nodes
from mlsemi.lattice.images import neighbour_images

Arrays = tuple[np.ndarray, ...]


class _Split:
    """Where the sum is split, with what both halves need."""

    def __init__(
        self, positions: np.ndarray, cell: Cell, squared: np.ndarray, moments: np.ndarray
    ) -> None:
        d, self.cell, self.moments = cell.dimension, cell, moments
        self.positions, self.squared = positions, squared
        self.split = SPLIT[d] / cell.measure ** (1.0 / d)
        reach = RANGE * max(1.0 / self.split, np.sqrt(2.0 * squared.max()))
        found = neighbour_images(positions, cell, reach)
        forward = found.forward
        self.pairs = found.first[forward], found.second[forward], found.vector[forward]
        self.waves = cell.waves(2.0 * RANGE * self.split)
        self.square = np.sum(self.waves**2, axis=1)
        across = np.eye(3) - cell.span
        self.across, self.flat = positions @ across, moments[:, 1:] @ across
        self.dipole = moments[:, 1:] @ self.waves.T
        phase = positions @ self.waves.T
        self.angle = np.stack([np.cos(phase), np.sin(phase)], axis=2)
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
        return t**2, weight, np.repeat(-quarters, self.square.size, axis=1), level

    def near(self) -> list[tuple[Arrays, float]]:
        """Arguments of the sum over images, and the sign it counts with."""
        split = np.full(self.squared.size, 0.5 / self.split**2)
        ones = np.ones(self.pairs[0].size)
        return [
            ((*self.pairs, width, self.moments, sign * ones), sign)
            for width, sign in ((self.squared, 1.0), (split, -1.0))
        ]

    @property
    def waved(self) -> Arrays:
        """Arguments of the sum over waves."""
        layers = self.t2, self.weight, self.level
        return self.angle, self.dipole, self.moments, self.across, self.flat, *layers

    @property
    def own(self) -> np.ndarray:
        """(4,) what an atom has with itself in the waves, by the squares of its moments."""
        s = self.split / np.sqrt(np.pi)
        return np.array([s, *[2.0 / 3.0 * self.split**2 * s] * 3])


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
    moments : (n, 4) array
        Charges, which sum to zero, and dipoles.
    """
    of = _Split(positions, cell, squared, moments)
    energies = -(moments**2) @ of.own
    for arguments, _ in of.near():
        add_chosen_pairs(*arguments, energies)
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
    for arguments, _ in of.near():
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
    the dipoles included.
    """
    n, n_wave = of.dipole.shape
    shapes = (n, n_wave), (n, n_wave), (n,), (n, 3), (n, 3)
    bars = tuple(np.zeros(shape) for shape in shapes)
    layer_bars = np.zeros_like(of.weight), np.zeros_like(of.level), np.zeros((n_wave, 3))
    add_waves_adjoint(*of.waved, energies_bar, bars, layer_bars)
    angle_bar, dipole_bar, charge_bar, across_bar, flat_bar = bars
    weight_bar, level_bar, tilt = layer_bars
    along = of.cell.span
    across = np.eye(3) - along
    moved = angle_bar @ of.waves + across_bar @ across
    dipoles = of.moments[:, 1:]
    dipoles_bar = dipole_bar @ of.waves + flat_bar @ across
    weighed = weight_bar * of.weight
    bent = -2.0 * np.sum(weighed * of.slope, axis=0)
    level = np.sum(weighed) + level_bar @ of.level
    inside = (of.waves * bent[:, None]).T @ of.waves - level * along
    inside -= of.waves.T @ (dipole_bar.T @ dipoles)
    tilted = of.waves.T @ tilt @ across
    turn = dipoles_bar.T @ dipoles
    turned = across @ (tilted.T - turn + turn.T) @ along
    strained = along @ inside @ along + tilted + turned + across @ (across_bar.T @ of.across)
    return moved, strained, np.concatenate([charge_bar[:, None], dipoles_bar], axis=1)
