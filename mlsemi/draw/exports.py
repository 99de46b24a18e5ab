"""What can be drawn of a result: orbitals, natural transition orbitals, densities of states.

Names: ``homo``, ``lumo+1``, ``orbital:17``, ``density``; of an excited state, S1, T2, ...,
``hole:S1`` and ``electron:S1`` (the heaviest pair of natural transition orbitals),
``transition:S1``, ``difference:S1`` and ``ntos:S1`` (all pairs, Molden).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlsemi.draw.molden import write_orbitals
from mlsemi.draw.volumes import Grid, density_on, orbital_on, write_cube
from mlsemi.errors import InputError
from mlsemi.excited.states import ExcitedStates
from mlsemi.model.applicability import check_closed
from mlsemi.molecule.structure import Structure

if TYPE_CHECKING:
    from mlsemi.result import Result

OF_STATES = ("hole", "electron", "transition", "difference", "ntos")
NAMES = "homo, homo-1, lumo, lumo+1, orbital:17, density, " + ", ".join(
    f"{kind}:S1" for kind in OF_STATES
)
SMALLEST_WEIGHT = 0.01
"""Natural transition orbital pairs below this weight are left out of Molden files."""


@dataclass(frozen=True)
class Quantity:
    """Something to draw.

    Attributes
    ----------
    kind : str
        ``orbital``, ``density`` or one of ``OF_STATES``.
    index : int
        Of the orbital (alpha where spins differ), relative to the HOMO for ``homo`` and ``lumo``;
        of the state from 1.
    of : str
        ``homo``, ``lumo`` or empty; ``S`` or ``T``.
    """

    kind: str
    index: int = 0
    of: str = ""

    @classmethod
    def named(cls, text: str) -> Quantity:
        """Quantity of a name.

        Raises
        ------
        InputError
            With the names there are.
        """
        name = text.strip().lower()
        if name == "density":
            return cls("density")
        if match := re.fullmatch(r"(homo|lumo)([+-]\d+)?", name):
            return cls("orbital", int(match[2] or 0), match[1])
        if match := re.fullmatch(r"orbital:(\d+)", name):
            return cls("orbital", int(match[1]))
        if match := re.fullmatch(rf"({'|'.join(OF_STATES)}):([st])([1-9]\d*)", name):
            return cls(match[1], int(match[3]), match[2].upper())
        raise InputError(f"{text!r} cannot be exported; there are {NAMES}")

    @property
    def file_name(self) -> str:
        """Part of the name of its file, with the extension."""
        if self.kind == "orbital":
            sign = f"{self.index:+d}" if self.of and self.index else ""
            return (self.of or f"orbital-{self.index}") + sign + ".cube"
        if self.kind == "density":
            return "density.cube"
        return f"{self.kind}-{self.of}{self.index}" + (
            ".molden" if self.kind == "ntos" else ".cube"
        )

    def orbital(self, structure: Structure) -> int:
        """Number of the orbital of a structure.

        Raises
        ------
        InputError
            If it does not exist.
        """
        n = structure.n_alpha
        index = {"homo": n - 1, "lumo": n, "": 0}[self.of] + self.index
        if not 0 <= index < structure.n_orbital:
            raise InputError(f"no orbital {index}: there are {structure.n_orbital}")
        return index

    def check(self, structure: Structure) -> None:
        """Refuse an orbital or state that a structure does not have, before the work.

        Raises
        ------
        InputError
            If it does not exist.
        """
        if self.kind == "orbital":
            self.orbital(structure)
        if self.kind in OF_STATES:
            check_closed(structure)
        n = structure.n_electron // 2
        most = n * (structure.n_orbital - n)
        if self.kind in OF_STATES and self.index > most:
            raise InputError(f"no excited state {self.of}{self.index}: there are {most}")

    def states(self, result: Result) -> tuple[ExcitedStates, int]:
        """The states of a result that it belongs to, and its place among them.

        Raises
        ------
        InputError
            If the state does not exist.
        """
        states = result.singlets if self.of == "S" else result.triplets
        if states is None or self.index > states.n_state:
            raise InputError(f"no excited state {self.of}{self.index}")
        return states, self.index - 1


def needed(quantities: list[Quantity]) -> dict[str, int]:
    """Numbers of singlets and triplets that quantities need."""
    highest = {
        of: max((q.index for q in quantities if q.of == of and q.kind in OF_STATES), default=0)
        for of in ("S", "T")
    }
    return {"singlets": highest["S"], "triplets": highest["T"]}


def export(result: Result, quantity: Quantity, grid: Grid, path: Path) -> None:
    """Write one quantity of a result.

    Parameters
    ----------
    result : Result
        With the excited states that :func:`needed` asks for.
    quantity : Quantity
    grid : Grid
        Of cube files.
    path : Path
    """
    at = (grid, result.basis, result.structure.positions)
    title = f"{path.name}, parameters {result.parameters.name}"
    if quantity.kind == "ntos":
        _write_natural_orbitals(result, quantity, path)
    elif quantity.kind == "orbital":
        values = orbital_on(*at, result.orbitals[:, quantity.orbital(result.structure)])
        write_cube(path, result.structure, grid, values, title)
    elif quantity.kind in ("hole", "electron"):
        states, k = quantity.states(result)
        _, holes, electrons = states.natural_orbitals(k, result.state)
        chosen = (holes if quantity.kind == "hole" else electrons)[:, 0]
        values = orbital_on(*at, result.inverse_root @ chosen)
        write_cube(path, result.structure, grid, values, title)
    else:
        frame = result.inverse_root
        values = density_on(*at, frame @ density_of(result, quantity) @ frame)
        write_cube(path, result.structure, grid, values, title)


def density_of(result: Result, quantity: Quantity) -> np.ndarray:
    """Density matrix in the Loewdin frame.

    ``transition`` is sqrt(2) sum_ia (X + Y)_ia |i><a|, whose dipole moment is the transition
    dipole of a singlet; ``difference`` is electron minus hole.
    """
    if quantity.kind == "density":
        return result.frame_density
    states, k = quantity.states(result)
    n, C, X = result.state.n_occupied, result.state.orbitals, states.amplitudes[k]
    if quantity.kind == "transition":
        Y = 0.0 if states.deexcitations is None else states.deexcitations[k]
        return np.sqrt(2.0) * C[:, :n] @ (X + Y) @ C[:, n:].T
    X = X / np.linalg.norm(X)
    return C[:, n:] @ (X.T @ X) @ C[:, n:].T - C[:, :n] @ (X @ X.T) @ C[:, :n].T


def _write_natural_orbitals(result: Result, quantity: Quantity, path: Path) -> None:
    """Pairs of natural transition orbitals, hole then electron, heaviest first."""
    states, k = quantity.states(result)
    weights, holes, electrons = states.natural_orbitals(k, result.state)
    kept = weights > SMALLEST_WEIGHT
    pairs = np.stack([holes[:, kept], electrons[:, kept]], axis=2).reshape(len(holes), -1)
    levels = np.einsum("mk,m->k", (result.state.orbitals.T @ pairs) ** 2, result.state.energies)
    write_orbitals(
        path,
        result,
        result.inverse_root @ pairs,
        levels,
        np.repeat(weights[kept], 2),
        [f"{p}{side}" for p in range(1, int(kept.sum()) + 1) for side in ("h", "e")],
    )
