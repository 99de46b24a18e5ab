"""Band structures: energies along a path through the Brillouin zone, gaps, widths, masses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mlsemi.errors import InputError
from mlsemi.machine.clock import Clock
from mlsemi.machine.threads import limited
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.periodic.density_of_states import density_of_states
from mlsemi.periodic.filling import Filling
from mlsemi.periodic.masses import effective_masses
from mlsemi.periodic.point import Mesh, gap_doubts, mesh_of
from mlsemi.periodic.result import heading
from mlsemi.periodic.state import CellState, cell_state, diagonalise
from mlsemi.units import BOLTZMANN, HARTREE_EV

if TYPE_CHECKING:
    from ase.dft.kpoints import BandPath
    from matplotlib.figure import Figure

MOST = 10_000
"""Points of the longest path."""


@dataclass(frozen=True, eq=False, repr=False)
class Bands:
    """Energies along a path, and the state of the mesh that gave the Fermi level; atomic units.

    Attributes
    ----------
    structure : Structure
    parameters : Parameters
    path : ase.dft.kpoints.BandPath
        Points, their labels, and what the corners of the zone are called.
    energies : (n_point, n_band) array
        Hartree.
    state : CellState
        Of the mesh.
    warnings : tuple of str
    timings : dict of str to float
        Wall time of each step, s.
    """

    structure: Structure
    parameters: Parameters
    path: BandPath
    energies: np.ndarray
    state: CellState
    warnings: tuple[str, ...]
    timings: dict[str, float]

    def __repr__(self) -> str:
        """One line."""
        gap = f"gap {self.filling.gap * HARTREE_EV:.3f} eV"
        return (
            f"Bands({self.structure.formula}, {self.path.path}, {len(self.kpoints)} points, {gap})"
        )

    @property
    def kpoints(self) -> np.ndarray:
        """(n_point, 3) fractional coordinates."""
        return np.asarray(self.path.kpts)

    @property
    def fermi(self) -> float:
        """Fermi level of the mesh, hartree."""
        return self.state.filling.fermi

    @cached_property
    def filling(self) -> Filling:
        """Levels of mesh and path together, for edges and gaps."""
        mesh = self.state.filling
        weights = np.concatenate([mesh.weights, np.zeros(len(self.kpoints))])
        levels = np.concatenate([mesh.energies, self.energies])
        return Filling(levels, weights, mesh.n_electron, mesh.kt)

    def edge(self, band: int, top: bool) -> np.ndarray:
        """(3,) fractional point, of path and mesh, where a band is highest or lowest."""
        levels = self.filling.energies[:, band]
        at = int(np.argmax(levels) if top else np.argmin(levels))
        return np.concatenate([self.state.kpoints.points, self.kpoints])[at]

    def width(self, band: int) -> float:
        """Highest less lowest energy of a band, hartree."""
        return float(np.ptp(self.filling.energies[:, band]))

    def masses(self) -> dict[str, list[list[float]]]:
        """Effective masses of hole and electron along each periodic reciprocal vector, in m_e."""
        n, bloch = self.filling.n_occupied, self.state.hamiltonian
        out = {"hole": effective_masses(bloch, self.edge(n - 1, True), n - 1)}
        if n < self.energies.shape[1]:
            out["electron"] = effective_masses(bloch, self.edge(n, False), n)
        return out

    def plot(self) -> Figure:
        """Figure of the bands with the density of states beside them."""
        from mlsemi.draw.bands import bands_figure

        return bands_figure(self.to_dict(), self.densities())

    def densities(self, width_ev: float = 0.15) -> dict[str, np.ndarray]:
        """Densities of states of the mesh, states / eV: ``energies_ev``, ``total`` and parts.

        Parameters
        ----------
        width_ev : float
            Standard deviation of the Gaussian of a state.
        """
        width = width_ev / HARTREE_EV
        low, high = self.filling.energies.min(), self.filling.energies.max()
        grid = np.arange(low - 5.0 * width, high + 5.0 * width, 0.25 * width)
        found = density_of_states(self.state, grid, width)
        parts = {name: part / HARTREE_EV for name, part in found.parts.items()}
        return {"energies_ev": grid * HARTREE_EV, "total": found.total / HARTREE_EV} | parts

    def to_dict(self) -> dict[str, Any]:
        """Record for JSON: eV, 1/angstrom."""
        filling, n = self.filling, self.filling.n_occupied
        x, marks, labels = self.path.get_linear_kpoint_axis()
        scale = 2.0 * np.pi  # ASE measures in crystallographers' units
        record = {
            **heading(self.structure, self.parameters),
            "path": self.path.path,
            "special_points": {k: v.tolist() for k, v in self.path.special_points.items()},
            "labels": [
                [float(m * scale), str(name)] for m, name in zip(marks, labels, strict=True)
            ],
            "kpoints": {
                "points": self.kpoints.tolist(),
                "distances_per_angstrom": (x * scale).tolist(),
                "energies_ev": (self.energies * HARTREE_EV).tolist(),
                "fermi_ev": self.fermi * HARTREE_EV,
            },
            "mesh": list(self.state.kpoints.counts or ()),
            "n_occupied": n,
            "homo_ev": filling.homo * HARTREE_EV,
            "lumo_ev": filling.lumo * HARTREE_EV,
            "gap_ev": filling.gap * HARTREE_EV,
            "direct_gap_ev": filling.direct_gap * HARTREE_EV,
            "homo_at": self.edge(n - 1, True).tolist(),
            "homo_width_ev": self.width(n - 1) * HARTREE_EV,
        }
        if n < self.energies.shape[1]:
            record["lumo_at"] = self.edge(n, False).tolist()
            record["lumo_width_ev"] = self.width(n) * HARTREE_EV
        record["effective_masses"] = self.masses()
        return record | {"warnings": list(self.warnings), "timings_s": self.timings}


def band_path(structure: Structure, path: str | None, npoints: int) -> BandPath:
    """A path through the special points of the lattice, by ASE.

    Parameters
    ----------
    structure : Structure
        With a cell.
    path : str or None
        Names of special points, as ``GXWG``, ``G,X``; None: all of them.
    npoints : int

    Raises
    ------
    InputError
        For a structure without a cell, a point with another name, too few or many points.
    """
    if structure.cell is None:
        raise InputError("bands need a periodic cell, and the structure has none")
    if not 2 <= npoints <= MOST:
        raise InputError(f"{npoints} points of a path: from 2 to {MOST}")
    cell, pbc = structure.to_ase().cell, structure.cell.periodic
    try:
        found: BandPath = cell.bandpath(path, npoints, pbc=pbc, eps=1e-3)
    except (KeyError, ValueError, RuntimeError, AssertionError, IndexError) as error:
        try:
            names = " ".join(sorted(cell.bandpath(npoints=2, pbc=pbc, eps=1e-3).special_points))
        except Exception:  # ASE knows no name for such a cell
            raise InputError(
                f"no special points are known for this cell ({error}); reduce it first"
            ) from None
        raise InputError(f"path {path!r}: the special points of this cell are {names}") from None
    if len(found.kpts) < 2:
        raise InputError(f"path {path!r}: give two points at least, as GX")
    return found


def bands_of(
    structure: Structure,
    parameters: Parameters,
    *,
    path: str | None = None,
    npoints: int = 60,
    kpts: Mesh = None,
    electronic_temperature: float = 0.0,
    threads: int = 1,
) -> Bands:
    """Bands along a path, with the Fermi level of a mesh.

    Parameters
    ----------
    structure : Structure
        With a cell.
    parameters : Parameters
    path : str, optional
        Names of special points; None: all that the lattice has.
    npoints : int
        On the whole path.
    kpts : str, sequence of int or None
        Mesh of the Fermi level and of the density of states.
    electronic_temperature : float
        Of the occupations, kelvin.
    threads : int
        Of the linear-algebra libraries.

    Raises
    ------
    InputError
        For a structure without a cell, an element without parameters, paths and meshes that make
        no sense.
    """
    clock, way, kpoints = Clock(), band_path(structure, path, npoints), mesh_of(structure, kpts)
    parameters.check(structure)
    model = parameters.model
    with clock.step("total"), limited(threads):
        with clock.step("hamiltonian"):
            pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
            prediction, _ = model.predict(pairs)
        with clock.step("mesh"):
            state = cell_state(prediction.hamiltonian, kpoints, electronic_temperature * BOLTZMANN)
        with clock.step("path"):
            energies, _ = diagonalise(state.hamiltonian, np.asarray(way.kpts))
        shifts = parameters.atom_shifts(prediction)
        notes = parameters.warnings(structure, prediction, shifts)
    notes = structure.unit_doubts() + notes + gap_doubts(state.filling)
    return Bands(structure, parameters, way, energies, state, notes, clock.timings)
