"""Transfer integrals between molecules, from the predicted Hamiltonian itself.

The orbitals of a molecule are the eigenvectors of its own block of H_o, site energies the
eigenvalues, and a transfer integral is the element of H_o between orbitals of two molecules:

    H_AA c_A = e_A c_A,     t_AB = c_A^T H_AB c_B                       (theory eq 26)

The Loewdin frame is orthonormal, so that orbitals of different molecules are orthogonal and t needs
no correction for overlap. No second calculation is made.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.linalg

from mlsemi.errors import InputError
from mlsemi.machine.threads import limited
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.observables import orbital_atom
from mlsemi.parameters import Parameters
from mlsemi.periodic.bloch import BlochOperator
from mlsemi.periodic.fragments import Fragment, fragments_of
from mlsemi.periodic.result import heading
from mlsemi.units import BOHR_ANGSTROM, HARTREE_EV

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEGENERATE = 1e-4
"""Frontier levels of a molecule nearer than this (hartree) are one level of several orbitals."""


class Neighbours(NamedTuple):
    """Two molecules whose atoms are within the cutoff.

    Attributes
    ----------
    first, second : int
        Numbers of the molecules.
    shift : tuple of 3 int
        Translation of the second, in cell vectors.
    """

    first: int
    second: int
    shift: tuple[int, int, int]

    @property
    def name(self) -> str:
        """``0-1`` or ``0-1 (0 1 0)``."""
        moved = f" ({' '.join(map(str, self.shift))})" if any(self.shift) else ""
        return f"{self.first}-{self.second}{moved}"


@dataclass(frozen=True, eq=False, repr=False)
class Couplings:
    """Frontier levels of the molecules of a structure and the couplings between them, in eV.

    Attributes
    ----------
    structure : Structure
    parameters : Parameters
    fragments : list of Fragment
    pairs : list of Neighbours
    homo, lumo : (n_pair,) arrays
        Transfer integrals. Their signs belong to orbitals whose largest component is positive;
        with degenerate levels the root of the mean square, which has none.
    site_energies : (n_fragment, 2) array
        HOMO and LUMO of each molecule where it is.
    warnings : tuple of str
    timings : dict of str to float
        Wall time, s.
    """

    structure: Structure
    parameters: Parameters
    fragments: list[Fragment]
    pairs: list[Neighbours]
    homo: np.ndarray
    lumo: np.ndarray
    site_energies: np.ndarray
    warnings: tuple[str, ...]
    timings: dict[str, float]

    def __repr__(self) -> str:
        """One line."""
        n = len(self.fragments)
        return f"Couplings({self.structure.formula}, {n} molecules, {len(self.pairs)} pairs)"

    def plot(self, orbital: str = "homo") -> Figure:
        """Figure of the molecules and their couplings."""
        from mlsemi.draw.bands import couplings_figure

        return couplings_figure(self.to_dict(), orbital)

    def centers(self, pair: Neighbours) -> np.ndarray:
        """(2, 3) centres of two molecules, bohr."""
        out = np.array([self.fragments[n].center for n in (pair.first, pair.second)])
        if self.structure.cell is not None:
            out[1] += np.array(pair.shift) @ self.structure.cell.vectors
        return out

    def to_dict(self) -> dict[str, Any]:
        """Record for JSON: meV, eV, angstrom."""
        pairs = []
        for pair, homo, lumo in zip(self.pairs, self.homo, self.lumo, strict=True):
            centers = self.centers(pair)
            pairs.append(
                {
                    "name": pair.name,
                    "molecules": [pair.first, pair.second],
                    "shift": list(pair.shift),
                    "distance_angstrom": float(np.linalg.norm(centers[1] - centers[0]))
                    * BOHR_ANGSTROM,
                    "centers_angstrom": (centers * BOHR_ANGSTROM).tolist(),
                    "homo_mev": float(homo) * 1e3,
                    "lumo_mev": float(lumo) * 1e3 if np.isfinite(lumo) else None,
                }
            )
        molecules = [
            {
                "formula": fragment.formula,
                "atoms": fragment.atoms.tolist(),
                "homo_ev": float(homo),
                "lumo_ev": float(lumo) if np.isfinite(lumo) else None,
            }
            for fragment, (homo, lumo) in zip(self.fragments, self.site_energies, strict=True)
        ]
        record = heading(self.structure, self.parameters)
        record |= {"molecules": molecules, "pairs": pairs}
        return record | {"warnings": list(self.warnings), "timings_s": self.timings}


class _Frontier(NamedTuple):
    """Orbitals of one level of a molecule, (n_orbital of the molecule, n_degenerate)."""

    energy: float
    orbitals: np.ndarray


def couplings_of(structure: Structure, parameters: Parameters, *, threads: int = 1) -> Couplings:
    """Transfer integrals between all molecules of a structure whose atoms are within the cutoff.

    Parameters
    ----------
    structure : Structure
        Dimer, cluster or crystal.
    parameters : Parameters
    threads : int
        Of the linear-algebra libraries.

    Raises
    ------
    InputError
        For a charge or unpaired electrons, a single molecule, a polymer or network, a part with an
        odd number of electrons, an element without parameters.
    """
    start = time.perf_counter()
    if structure.charge or structure.multiplicity > 1:
        raise InputError(
            "couplings are those of the neutral closed shell: charge 0, multiplicity 1"
        )
    parameters.check(structure)
    fragments = fragments_of(structure)
    if len(fragments) == 1 and structure.cell is None:
        raise InputError("couplings are between molecules, and here is only one")
    for number, fragment in enumerate(fragments):
        if structure.core_charges[fragment.atoms].sum() % 2:
            raise InputError(
                f"molecule {number} ({fragment.formula}) has an odd number of electrons: couplings "
                "are those of closed shells"
            )
    model = parameters.model
    with limited(threads):
        pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
        prediction, _ = model.predict(pairs)
        bloch = BlochOperator.of(prediction.hamiltonian)
        blocks = _Blocks(structure, bloch, fragments)
        frontier = [blocks.frontier(n) for n in range(len(fragments))]
        neighbours = blocks.neighbours(pairs)
        values = [
            [
                _transfer(frontier[p.first][kind], blocks.between(*p), frontier[p.second][kind])
                for kind in range(2)
            ]
            for p in neighbours
        ]
        shifts = parameters.atom_shifts(prediction)
        notes = parameters.warnings(structure, prediction, shifts)
    if any(level.orbitals.shape[1] > 1 for both in frontier for level in both):
        notes += (
            "frontier orbitals of a molecule are degenerate: their couplings are roots of mean "
            "squares",
        )
    table = np.array(values).reshape(-1, 2) * HARTREE_EV
    sites = np.array([[level.energy for level in both] for both in frontier]) * HARTREE_EV
    seconds = {"total": time.perf_counter() - start}
    homo, lumo = table.T
    return Couplings(
        structure, parameters, fragments, neighbours, homo, lumo, sites, notes, seconds
    )


class _Blocks:
    """Blocks of H_o within and between whole molecules."""

    def __init__(
        self, structure: Structure, bloch: BlochOperator, fragments: list[Fragment]
    ) -> None:
        self.structure, self.bloch, self.fragments = structure, bloch, fragments
        atom = orbital_atom(structure)
        self.orbitals = [np.flatnonzero(np.isin(atom, f.atoms)) for f in fragments]
        moved = np.zeros((structure.n_atom, 3), dtype=np.int64)
        for fragment in fragments:
            moved[fragment.atoms] = fragment.shift
        self.moved = moved[atom]
        self.atom_shift, self.atom = moved, atom
        span = np.abs(bloch.shifts).max(initial=0) + 1
        self.lookup = np.full((2 * span + 1,) * 3, -1)
        self.lookup[tuple((bloch.shifts + span).T)] = np.arange(len(bloch.shifts))
        self.span = span

    def between(self, i: int, j: int, shift: tuple[int, int, int]) -> np.ndarray:
        """Block of molecule ``i`` with molecule ``j`` translated by ``shift``."""
        rows, columns = self.orbitals[i], self.orbitals[j]
        apart = np.array(shift) + self.moved[columns][None] - self.moved[rows][:, None]
        far = (np.abs(apart) > self.span).any(axis=2)
        apart[far] = self.span
        image = self.lookup[tuple(np.moveaxis(apart + self.span, 2, 0))]
        return np.where(image < 0, 0.0, self.bloch.blocks[image, rows[:, None], columns[None]])

    def frontier(self, i: int) -> tuple[_Frontier, _Frontier]:
        """HOMO and LUMO of a molecule (a NaN where all orbitals are filled)."""
        energies, C = scipy.linalg.eigh(self.between(i, i, (0, 0, 0)))
        n = int(self.structure.core_charges[self.fragments[i].atoms].sum()) // 2
        out = []
        for level in (n - 1, n):
            if level == energies.size:
                out.append(_Frontier(np.nan, np.full((energies.size, 1), np.nan)))
                continue
            same = np.abs(energies - energies[level]) < DEGENERATE
            orbitals = C[:, same]
            largest = np.argmax(np.round(np.abs(orbitals), 6), axis=0)
            signs = np.sign(orbitals[largest, np.arange(orbitals.shape[1])])
            out.append(_Frontier(float(energies[level]), orbitals * signs))
        return out[0], out[1]

    def neighbours(self, pairs: PairList) -> list[Neighbours]:
        """Every two molecules with atoms within the cutoff, once."""
        number = np.empty(self.structure.n_atom, dtype=np.int64)
        for n, fragment in enumerate(self.fragments):
            number[fragment.atoms] = n
        order = np.argsort(pairs.atom)
        a, b = order[pairs.first], order[pairs.second]
        between = np.zeros((a.size, 3), np.int64) if pairs.shift is None else pairs.shift
        apart = between + self.atom_shift[a] - self.atom_shift[b]
        found = np.unique(np.column_stack([number[a], number[b], apart]), axis=0)
        return [
            Neighbours(i, j, (x, y, z))
            for i, j, x, y, z in found.tolist()
            if (j - i, x, y, z) > (0, 0, 0, 0)
        ]


def _transfer(a: _Frontier, block: np.ndarray, b: _Frontier) -> float:
    """Element between two orbitals; of degenerate ones the root of the mean square."""
    values = a.orbitals.T @ block @ b.orbitals
    if values.size == 1:
        return float(values[0, 0])
    return float(np.sqrt(np.sum(values**2) / max(values.shape)))
