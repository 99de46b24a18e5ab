"""What a single point of a cell returns: a record in atomic units, and the JSON made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import mlsemi
from mlsemi.errors import InputError
from mlsemi.lattice.cell import Cell
from mlsemi.machine.threads import limited
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import counted
from mlsemi.parameters import Parameters
from mlsemi.periodic.bond_orders import BondOrders, bond_orders
from mlsemi.periodic.density_of_states import DensityOfStates, density_of_states
from mlsemi.periodic.state import CellState
from mlsemi.units import BOHR_ANGSTROM, BOLTZMANN, FORCE_EV_ANGSTROM, HARTREE_EV


def refuse_in_cells(asked: Mapping[str, bool]) -> None:
    """Refuse what is there for molecules alone.

    Parameters
    ----------
    asked : mapping of str to bool
        What there is, and whether it is asked for.

    Raises
    ------
    InputError
        Naming the first that is.
    """
    for name, wanted in asked.items():
        if wanted:
            raise InputError(
                f"{name} in a periodic cell: not supported; for a molecule alone remove its cell"
            )


STRESS_EV_ANGSTROM3 = HARTREE_EV / BOHR_ANGSTROM**3


@dataclass(frozen=True, eq=False, repr=False)
class CellResult:
    """Everything computed for a chain, a layer or a crystal, per cell, atomic units.

    Attributes
    ----------
    structure : Structure
    parameters : Parameters
    state : CellState
        Energies, orbitals and their occupation at every k-point.
    energy : float
        With dispersion, hartree; a free energy at a finite electronic temperature.
    dispersion : float or None
        What D4 contributes; None if it was left out.
    forces : (n_atom, 3) array or None
        Hartree / bohr.
    strain : (3, 3) array or None
        dE / d strain of r -> (1 + strain) r for atoms and cell, hartree: volume times stress.
    warnings : tuple of str
    timings : dict of str to float
        Wall time of each step, s.
    threads : int
        Of the linear-algebra libraries.
    name : str
        Title of the record, or what the Atoms are called; empty without one.
    """

    structure: Structure
    parameters: Parameters
    state: CellState
    energy: float
    dispersion: float | None
    forces: np.ndarray | None
    strain: np.ndarray | None
    warnings: tuple[str, ...]
    timings: dict[str, float]
    threads: int
    name: str = ""

    def __repr__(self) -> str:
        """One line."""
        cell, n = self.structure.cell, self.state.kpoints.n_point
        assert cell is not None
        parts = [
            self.structure.formula,
            f"cell of {cell.kind}",
            self.parameters.name,
            counted(n, "k-point"),
            f"energy {self.energy * HARTREE_EV:.4f} eV",
            f"gap {self.state.filling.gap * HARTREE_EV:.3f} eV",
            counted(len(self.warnings), "warning"),
        ]
        return f"CellResult({', '.join(parts)})"

    @property
    def charges(self) -> np.ndarray:
        """(n_atom,) Loewdin charges, e."""
        return self.state.charges

    @cached_property
    def bond_orders(self) -> BondOrders:
        """Mayer bond orders between atoms and images of atoms."""
        with limited(self.threads):
            return bond_orders(self.state)

    @property
    def stress(self) -> np.ndarray | None:
        """(3, 3) stress, hartree / bohr^3 (bohr^2, bohr in layers, chains): strain / measure."""
        cell = self.structure.cell
        assert cell is not None
        return None if self.strain is None else self.strain / cell.measure

    def density_of_states(self, energies: np.ndarray, width: float) -> DensityOfStates:
        """Whole density of states and its parts by element and shell.

        Parameters
        ----------
        energies : (n,) array
            Hartree.
        width : float
            Standard deviation of the Gaussian of a state, hartree.
        """
        return density_of_states(self.state, energies, width)

    @property
    def singlets(self) -> None:
        """Cells have no excited states."""
        return None

    def to_dict(
        self,
        bond_order_threshold: float = 0.1,
        fragments: Sequence[Sequence[int]] | None = None,
    ) -> dict[str, Any]:
        """Record for JSON (eV, angstrom, e); keys not asked for are absent.

        Bond orders have a fourth entry, the translation of the second atom in cell vectors.

        Parameters
        ----------
        bond_order_threshold : float
            Smaller bond orders are left out.
        fragments : None
            They belong to excited states.

        Raises
        ------
        InputError
            For fragments.
        """
        refuse_in_cells({"fragments": bool(fragments)})
        filling, bonds = self.state.filling, self.bond_orders
        record: dict[str, Any] = {
            **heading(self.structure, self.parameters),
            "n_occupied": filling.n_occupied,
            "homo_ev": filling.homo * HARTREE_EV,
            "lumo_ev": filling.lumo * HARTREE_EV,
            "gap_ev": filling.gap * HARTREE_EV,
            "direct_gap_ev": filling.direct_gap * HARTREE_EV,
            "kpoints": self._kpoints(),
            "charges_e": self.charges.tolist(),
            "bond_orders": [
                [int(i), int(j), float(order), shift.tolist()]
                for i, j, shift, order in zip(*bonds, strict=True)
                if order > bond_order_threshold
            ],
            "energy_ev": self.energy * HARTREE_EV,
        }
        if self.name:
            record["name"] = self.name
        if self.dispersion is not None:
            record["dispersion_ev"] = self.dispersion * HARTREE_EV
        if filling.kt:
            record["electronic_temperature_k"] = filling.kt / BOLTZMANN
            record["electronic_entropy_term_ev"] = -filling.kt * filling.entropy * HARTREE_EV
        if self.forces is not None:
            record["forces_ev_per_angstrom"] = (self.forces * FORCE_EV_ANGSTROM).tolist()
        cell = self.structure.cell
        if self.strain is not None and cell is not None and cell.dimension == 3:
            stress = self.strain / cell.measure * STRESS_EV_ANGSTROM3
            record["stress_ev_per_angstrom3"] = stress.tolist()
        return record | {"warnings": list(self.warnings), "timings_s": self.timings}

    def _kpoints(self) -> dict[str, Any]:
        kpoints, filling = self.state.kpoints, self.state.filling
        return {
            "mesh": list(kpoints.counts or ()),
            "points": kpoints.points.tolist(),
            "weights": kpoints.weights.tolist(),
            "energies_ev": (filling.energies * HARTREE_EV).tolist(),
            "fermi_ev": filling.fermi * HARTREE_EV,
        }


def cell_record(cell: Cell) -> dict[str, Any]:
    """What a record says of a cell under ``structure``."""
    return {
        "cell_angstrom": (cell.vectors * BOHR_ANGSTROM).tolist(),
        "pbc": cell.periodic.tolist(),
    }


def heading(structure: Structure, parameters: Parameters) -> dict[str, Any]:
    """What every record begins with: version, parameters, structure."""
    found: dict[str, Any] = {
        "symbols": structure.symbols,
        "positions_angstrom": (structure.positions * BOHR_ANGSTROM).tolist(),
        "charge": structure.charge,
        "multiplicity": structure.multiplicity,
    }
    if structure.cell is not None:
        found |= cell_record(structure.cell)
    return {
        "mlsemi_version": mlsemi.__version__,
        "parameters": {"name": parameters.name, "checksum": parameters.checksum},
        "structure": found,
    }
