"""A molecule drawn flat, for cards: bonds as lines, atoms as discs, its shortest axis in depth."""

from __future__ import annotations

import numpy as np
from ase.data.colors import jmol_colors

from mlsemi.molecule.elements import covalent_radius
from mlsemi.molecule.structure import Structure

BOND = 0.4
"""Bond order from which a line is drawn."""
MARGIN = 1.5
"""Around the outermost atoms, bohr."""
SHARE = 0.6
"""Radius of a disc, in covalent radii."""
LARGEST = (320.0, 200.0)
"""Width and height that a drawing does not exceed, pixels."""
MOST = 300
"""Atoms: of more, a flat picture shows nothing."""


def skeleton(structure: Structure, bond_orders: np.ndarray) -> str:
    """SVG of a molecule; empty for very large ones.

    Parameters
    ----------
    structure : Structure
    bond_orders : (n_atom, n_atom) array
    """
    if structure.n_atom > MOST:
        return ""
    flat = _projected(structure.positions)
    low, high = flat[:, :2].min(axis=0) - MARGIN, flat[:, :2].max(axis=0) + MARGIN
    scale = float(min(np.array(LARGEST) / (high - low)))
    width, height = (high - low) * scale
    at = (flat[:, :2] - low) * scale
    radii = SHARE * covalent_radius(structure.numbers) * scale
    parts: list[tuple[float, str]] = []
    for i, j in np.argwhere(np.triu(bond_orders, 1) > BOND):
        ends = " ".join(
            f'{name}="{value:.1f}"'
            for name, value in zip(("x1", "y1", "x2", "y2"), (*at[i], *at[j]), strict=True)
        )
        deeper = min(flat[i, 2], flat[j, 2])
        parts.append((deeper - 1e-3, f'<line {ends} stroke="#888" stroke-width="3"/>'))
    for (x, y), z, radius, number in zip(at, flat[:, 2], radii, structure.numbers, strict=True):
        red, green, blue = (round(255 * part) for part in jmol_colors[number])
        disc = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" stroke="#555"'
        parts.append((z, f'{disc} fill="rgb({red},{green},{blue})"/>'))
    drawn = "".join(text for _, text in sorted(parts, key=lambda part: part[0]))
    return f'<svg width="{width:.0f}" height="{height:.0f}">{drawn}</svg>'


def _projected(positions: np.ndarray) -> np.ndarray:
    """(n_atom, 3) coordinates on a screen, to the right, down and towards the reader.

    The longest extent lies to the right, the least towards the reader. Right, down and away from
    the reader are right-handed, so that a chiral molecule is not drawn as its mirror image.
    """
    centred = positions - positions.mean(axis=0)
    axes = np.linalg.svd(centred)[2]
    axes[2] *= np.sign(np.linalg.det(axes))
    along: np.ndarray = centred @ axes.T
    along[:, 2] *= -1.0
    return along
