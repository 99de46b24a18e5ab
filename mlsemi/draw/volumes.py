"""Orbitals and densities on a grid in space, and the cube files that hold them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from mlsemi.brief import Brief
from mlsemi.errors import InputError
from mlsemi.kernels.values import orbital_values
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.structure import Structure, read_only
from mlsemi.outputs import complete_or_absent
from mlsemi.units import BOHR_ANGSTROM

BATCH = 8192
"""Points whose orbitals are kept at a time."""

REACH = 40.0
"""Primitives below exp(-40) are left out."""

MOST_POINTS = 100_000_000

COARSEST = 2.0
"""Bohr between points; orbitals change sign over less than more would show."""


@dataclass(frozen=True, eq=False, repr=False)
class Grid(Brief):
    """Points of a box with its edges along x, y, z.

    Attributes
    ----------
    origin : (3,) array
        First point, bohr.
    spacing : float
        Between neighbouring points, bohr.
    shape : tuple of int
        Points along x, y, z.
    """

    origin: np.ndarray
    spacing: float
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, structure: Structure, spacing: float, margin: float) -> Grid:
        """Box around a molecule.

        Parameters
        ----------
        structure : Structure
        spacing, margin : float
            Between points, and from the outermost nuclei to the faces, bohr.

        Raises
        ------
        InputError
            For lengths that are not positive and finite, a spacing that shows nothing, or a grid
            that would not fit into memory.
        """
        if not (0.0 < spacing < np.inf and 0.0 < margin < np.inf):
            raise InputError("spacing and margin of a grid must be positive and finite")
        if spacing > COARSEST:
            raise InputError(
                f"a grid with {spacing * BOHR_ANGSTROM:.3g} angstrom between points shows nothing: "
                f"{COARSEST * BOHR_ANGSTROM:.2f} at most"
            )
        low = structure.positions.min(axis=0) - margin
        size = structure.positions.max(axis=0) + margin - low
        with np.errstate(over="ignore"):
            counts = np.ceil(size / spacing) + 1.0
            total = float(np.prod(counts))
        if total > MOST_POINTS:
            raise InputError(
                f"a grid of {total:.2g} points is too large: {MOST_POINTS:.0e} at most"
            )
        nx, ny, nz = counts.astype(int).tolist()
        return cls(read_only(low), spacing, (nx, ny, nz))

    @property
    def points(self) -> np.ndarray:
        """(n_point, 3) points, z fastest, bohr."""
        index = np.stack(np.meshgrid(*map(np.arange, self.shape), indexing="ij"), axis=-1)
        return self.origin + self.spacing * index.reshape(-1, 3)


def _orbitals(basis: Basis, positions: np.ndarray, points: np.ndarray) -> np.ndarray:
    values = np.zeros((len(points), basis.n_orbital))
    orbital_values(
        points,
        positions,
        basis.atom_species,
        basis.atom_offset,
        basis.species_exponents,
        basis.species_coefficients,
        REACH,
        values,
    )
    return values


def orbital_on(
    grid: Grid, basis: Basis, positions: np.ndarray, coefficients: np.ndarray
) -> np.ndarray:
    """Values of one orbital on a grid, bohr^-3/2.

    Parameters
    ----------
    grid : Grid
    basis : Basis
    positions : (n_atom, 3) array
        Bohr.
    coefficients : (n_orbital,) array
        Over atomic orbitals.

    Returns
    -------
    array of the grid's shape.
    """
    points = grid.points
    parts = [
        _orbitals(basis, positions, points[k : k + BATCH]) @ coefficients
        for k in range(0, len(points), BATCH)
    ]
    return np.concatenate(parts).reshape(grid.shape)


def density_on(grid: Grid, basis: Basis, positions: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """sum_mn phi_m(r) P_mn phi_n(r) on a grid, bohr^-3; arguments as :func:`orbital_on`.

    ``matrix`` (n_orbital, n_orbital) is a density or a transition density over atomic orbitals;
    it need not be symmetric.
    """
    points, parts = grid.points, []
    for k in range(0, len(points), BATCH):
        values = _orbitals(basis, positions, points[k : k + BATCH])
        parts.append(np.einsum("pm,pm->p", values @ matrix, values))
    return np.concatenate(parts).reshape(grid.shape)


def write_cube(
    path: str | os.PathLike[str], structure: Structure, grid: Grid, values: np.ndarray, title: str
) -> None:
    """Write a Gaussian cube file (bohr).

    Parameters
    ----------
    path : path
    structure : Structure
    grid : Grid
    values : (n_x, n_y, n_z) array
    title : str
        First line; characters beyond ASCII, which not every program reads, are written as escapes.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    x, y, z = grid.origin
    lines = [" ".join(title.split())]
    lines.append(f"mlsemi; bohr; spacing {grid.spacing * BOHR_ANGSTROM:.4f} angstrom")
    lines.append(f"{structure.n_atom:5d} {x:12.6f} {y:12.6f} {z:12.6f}")
    for axis, n in enumerate(grid.shape):
        step = np.zeros(3)
        step[axis] = grid.spacing
        lines.append(f"{n:5d} " + " ".join(f"{value:12.6f}" for value in step))
    for number, charge, at in zip(
        structure.numbers, structure.core_charges, structure.positions, strict=True
    ):
        lines.append(f"{number:5d} {charge:12.6f} " + " ".join(f"{value:12.6f}" for value in at))
    with (
        complete_or_absent(path) as temporary,
        open(temporary, "w", encoding="ascii", errors="backslashreplace") as stream,
    ):
        stream.write("\n".join(lines) + "\n")
        for row in values.reshape(-1, grid.shape[2]):
            for k in range(0, row.size, 6):
                stream.write(" ".join(f"{value:12.5e}" for value in row[k : k + 6]) + "\n")
