"""What a page holds: numbers, and orbitals and transition densities on grids, as JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data.colors import jmol_colors

from mlsemi.draw.colour import solution_colour
from mlsemi.draw.exports import Quantity, density_of
from mlsemi.draw.pictures import WIDTH_EV
from mlsemi.draw.report import orbital_name
from mlsemi.draw.spectrum import spectrum
from mlsemi.draw.volumes import Grid, density_on, orbital_on
from mlsemi.errors import InputError
from mlsemi.molecule.elements import covalent_radius, formula
from mlsemi.units import BOHR_ANGSTROM

if TYPE_CHECKING:
    from mlsemi.result import Result

POINTS = 40_000
"""Of the grid of a surface, about."""
MARGIN = 5.0
"""Around the nuclei, bohr."""
FINEST = 0.35
"""Bohr between points."""
BELOW, ABOVE = 8, 8
"""Levels shown on either side of the gap ..."""
DRAWN = 3
"""... and those that can be seen as surfaces."""
MOST_STATES = 8
"""Excited states with surfaces: the lowest, and of the others the strongest."""
BOND = 0.3
"""Smallest bond order drawn."""


def content(result: Result, command: str = "", name: str = "") -> dict[str, Any]:
    """Numbers of a page, as JSON can hold them.

    Parameters
    ----------
    result : Result
    command : str
        That made the page.
    name : str
        Of the molecule.
    """
    record = result.to_dict()
    numbers = result.structure.numbers
    rgb = np.rint(255 * jmol_colors[numbers]).astype(int)
    out = {
        "name": name or result.name or result.structure.formula,
        "formula": formula(result.structure.symbols),
        "command": command,
        "record": record,
        "colours": ["#%02x%02x%02x" % tuple(c) for c in rgb.tolist()],  # noqa: UP031
        "radii": (covalent_radius(numbers) * BOHR_ANGSTROM).tolist(),
        "bonds": [bond for bond in record["bond_orders"] if bond[2] >= BOND],
        "axes": _axes(result).tolist(),
        "levels": _levels(result, record),
        "drawable": names_of(result),
        "spectrum": None,
    }
    if result.singlets is not None and result.singlets.n_state and result.singlets.energies[-1] > 0:
        curves = spectrum(result.singlets, WIDTH_EV)
        part = curves.complete_part()
        out["spectrum"] = {
            "energies_ev": np.round(part.energies_ev, 5).tolist(),
            "extinction": np.round(part.extinction, 2).tolist(),
            "complete": curves.has_complete_part,
            "colour": solution_colour(curves),
        }
    return out


def _axes(result: Result) -> np.ndarray:
    """(3, 3) rows: directions in which the molecule is longest, less long, flattest."""
    away = result.structure.positions - result.structure.positions.mean(axis=0)
    return np.asarray(np.linalg.svd(np.vstack([away, 1e-6 * np.eye(3)]))[2])


def _levels(result: Result, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Levels around the gap, alpha ones where spins differ."""
    n, energies = result.state.n_occupied, record["orbital_energies_ev"]
    shown = range(max(0, n - BELOW), min(len(energies), n + ABOVE))
    return [
        {
            "index": k,
            "name": orbital_name(k, n),
            "energy_ev": energies[k],
            "occupied": k < n,
            "surface": f"orbital:{k}" if n - DRAWN <= k < n + DRAWN else None,
        }
        for k in shown
    ]


def names_of(result: Result) -> list[str]:
    """Names of everything that can be seen as a surface, as ``mlsemi export`` knows them."""
    n, size = result.state.n_occupied, len(result.state.energies)
    names = [f"orbital:{k}" for k in range(max(0, n - DRAWN), min(size, n + DRAWN))]
    for letter, states in (("S", result.singlets), ("T", result.triplets)):
        if states is None:
            continue
        strengths = states.oscillator_strengths if letter == "S" else np.zeros(states.n_state)
        others = np.argsort(-strengths[1:], kind="stable") + 1
        chosen = sorted([0, *others.tolist()][: min(MOST_STATES, states.n_state)])
        for k in chosen:
            names += [f"{kind}:{letter}{k + 1}" for kind in ("hole", "electron", "transition")]
    return names


def grid_of(result: Result) -> Grid:
    """Box around the molecule with about ``POINTS`` points."""
    extent = np.ptp(result.structure.positions, axis=0) + 2.0 * MARGIN
    spacing = max(FINEST, float(np.cbrt(np.prod(extent) / POINTS)))
    return Grid.around(result.structure, spacing, MARGIN)


def surface(result: Result, name: str, grid: Grid) -> dict[str, Any]:
    """One orbital or density on a grid, in 16 bits.

    Parameters
    ----------
    result : Result
    name : str
        One of :func:`names_of`.
    grid : Grid

    Raises
    ------
    InputError
        For another name.
    """
    if name not in names_of(result):
        raise InputError(f"{name!r} cannot be drawn")
    quantity = Quantity.named(name)
    at = (grid, result.basis, result.structure.positions)
    if quantity.kind == "orbital":
        values = orbital_on(*at, result.orbitals[:, quantity.index])
    elif quantity.kind == "transition":
        frame = result.inverse_root
        values = density_on(*at, frame @ density_of(result, quantity) @ frame)
    else:
        states, k = quantity.states(result)
        _, holes, electrons = states.natural_orbitals(k, result.state)
        chosen = (holes if quantity.kind == "hole" else electrons)[:, 0]
        values = orbital_on(*at, result.inverse_root @ chosen)
    largest = float(np.abs(values).max()) or 1.0
    whole = np.rint(values / largest * 32767).astype("<i2")
    return {
        "largest": largest,
        "data": base64.b64encode(whole.tobytes()).decode(),
        "origin": (grid.origin * BOHR_ANGSTROM).tolist(),
        "spacing": grid.spacing * BOHR_ANGSTROM,
        "shape": list(grid.shape),
    }


def surfaces(result: Result) -> dict[str, dict[str, Any]]:
    """All surfaces of a page by name."""
    grid = grid_of(result)
    return {name: surface(result, name, grid) for name in names_of(result)}
