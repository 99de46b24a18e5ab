"""Spectra of what a command was given: averaged over frames of one molecule, else one each."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.distance import pdist, squareform

from mlsemi.draw.ensemble import average_spectrum
from mlsemi.draw.measured import Measured
from mlsemi.draw.spectrum import Lines, Shape, Spectrum, grid_around
from mlsemi.errors import located
from mlsemi.molecule.elements import covalent_radius
from mlsemi.molecule.formats import STDIN
from mlsemi.molecule.structure import Structure
from mlsemi.units import HARTREE_EV

RECORDS = re.compile(r"^smiles:|\.(sdf|sd|mol|smi|smiles)(\.(gz|bz2|xz))?$", re.IGNORECASE)
"""Files whose records are molecules, not snapshots of one."""

BOND, APART = 1.25, 1.45
"""Times the sum of covalent radii: nearer than one is a bond, farther than the other is none."""


def same_molecule(one: Structure, other: Structure) -> bool:
    """Whether two structures are geometries of one molecule: same atoms, no bond made or broken."""
    if one.charge != other.charge or not np.array_equal(one.numbers, other.numbers):
        return False
    radius = covalent_radius(one.numbers)
    usual = squareform(radius[:, None] + radius, checks=False)
    near, far = (pdist(s.positions) / usual for s in (one, other))
    made_or_broken = (near < BOND) & (far > APART) | (near > APART) & (far < BOND)
    return not made_or_broken.any()


class Curves:
    """Lines of every structure, molecule by molecule, and the curves they broaden to.

    Parameters
    ----------
    width_ev : float
    shape : str
    lorentz_ev : float or None
    searched_ev : float or None
        Energy up to which all states are known.
    grid : (n_point,) array or None
        Energies of the curves; None for the range of the states.
    """

    def __init__(
        self,
        width_ev: float,
        shape: Shape,
        lorentz_ev: float | None,
        searched_ev: float | None,
        grid: np.ndarray | None,
    ) -> None:
        self.width_ev, self.shape, self.lorentz_ev = width_ev, shape, lorentz_ev
        self.searched_ev, self.grid = searched_ev, grid
        self.names: dict[str, None] = {}
        self.files: list[str] = []
        self.lines: list[list[Lines]] = []
        self._first: Structure | None = None

    def add(self, file: str, name: str, structure: Structure, lines: Lines) -> None:
        """Take in the states of one structure; frames of one molecule must follow each other."""
        record = RECORDS.search(file) is not None
        first = self._first
        if record or first is None or file != self.files[-1] or not same_molecule(first, structure):
            self._first = structure
            named = name if record else Path(file).stem
            self.names[self._unused("structure" if file == STDIN else named)] = None
            self.files.append(file)
            self.lines.append([])
        self.lines[-1].append(lines)

    def _unused(self, name: str) -> str:
        """The name, with a number if another curve has it."""
        for number in count(1):
            shown = f"{name} ({number})" if number > 1 else name
            if shown not in self.names:
                break
        return shown

    def spectra(self) -> dict[str, Spectrum]:
        """Spectrum of every molecule by its name, all on one grid.

        Raises
        ------
        InputError
            If no state lies in the range.
        """
        grid = self.grid
        place = self.files[0] if self.files else ""
        with located(place):
            if grid is None:
                sticks = [lines.energies * HARTREE_EV for many in self.lines for lines in many]
                grid = grid_around(np.concatenate([np.zeros(0), *sticks]), self.width_ev)
            return {
                name: average_spectrum(
                    lines, self.width_ev, self.shape, self.lorentz_ev, self.searched_ev, grid
                )
                for name, lines in zip(self.names, self.lines, strict=True)
            }

    def plot(
        self,
        spectra: dict[str, Spectrum],
        path: Path,
        axis: Literal["ev", "nm"],
        cd: bool,
        stack: bool,
        measured: Measured | None,
    ) -> None:
        """Save the figure.

        Parameters
        ----------
        spectra : dict
            Of :meth:`spectra`.
        path : Path
        axis : "ev" or "nm"
        cd : bool
            Circular dichroism instead of absorption.
        stack : bool
            One above another.
        measured : Measured or None
        """
        from mlsemi.draw.comparison import comparison_figure
        from mlsemi.draw.pictures import spectrum_picture
        from mlsemi.draw.plots import save

        if len(spectra) == 1 and not stack:
            ((title, only),) = spectra.items()
            whole, named = self.grid is not None, len(self.lines[0]) == 1
            figure = spectrum_picture(only, axis, cd, title, whole, measured, named)
        else:
            figure = comparison_figure(
                list(spectra.values()),
                list(spectra),
                axis=axis,
                cd=cd,
                stack=stack,
                measured=measured,
            )
        save(figure, path)
