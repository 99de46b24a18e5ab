"""Measured spectra, from tables of two columns."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass

import numpy as np

from mlsemi.brief import Brief
from mlsemi.errors import InputError
from mlsemi.units import EV_NM

UNITS = {"nm": r"\bnm\b|nanomet|wavelength|lambda", "ev": r"\bev\b|energy", "cm": r"cm|wavenumber"}
"""How a header says the unit of the first column."""
CM_EV = EV_NM / 1e7
"""EV of one cm^-1."""


@dataclass(frozen=True, eq=False, repr=False)
class Measured(Brief):
    """A measured curve.

    Attributes
    ----------
    energies_ev : (n_point,) array
        Ascending.
    values : (n_point,) array
        In whatever unit.
    """

    energies_ev: np.ndarray
    values: np.ndarray

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Measured:
        """Curve of a table: wavelength (nm), energy (eV) or wavenumber (cm^-1), then absorption.

        Columns are parted by commas, semicolons, tabs or spaces; further ones are not read. The
        header says the unit (``wavelength_nm``, ``Energy / eV``, ``1/cm``); without one it is nm.

        Parameters
        ----------
        path : path

        Raises
        ------
        InputError
            Naming the file, if it cannot be read so.
        """
        try:
            with open(path, encoding="utf-8-sig") as stream:
                text = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise InputError(f"{path}: cannot be read ({reason})") from None
        header, rows = "", []
        for line in text.splitlines():
            cells = _cells(line)
            try:
                rows.append((float(cells[0]), float(cells[1])))
            except (ValueError, IndexError):
                if not rows and cells:
                    header = cells[0]
        if len(rows) < 2:
            raise InputError(f"{path}: need a column of nm or eV and one of absorption")
        first, values = np.array(rows).T
        if not (np.isfinite(rows).all() and (first > 0.0).all()):
            raise InputError(f"{path}: wavelengths and energies must be positive")
        found = (u for u, words in UNITS.items() if re.search(words, header.lower()))
        unit = next(found, "nm")
        energies = {"nm": EV_NM / first, "ev": first, "cm": first * CM_EV}[unit]
        order = np.argsort(energies)
        return cls(energies[order], values[order])

    def scaled_to(self, grid_ev: np.ndarray, curve: np.ndarray) -> np.ndarray:
        """Values, as high as a computed curve in the range that both share.

        Parameters
        ----------
        grid_ev, curve : (n_point,) arrays

        Raises
        ------
        InputError
            If they share none.
        """
        low, high = (max(grid_ev[0], self.energies_ev[0]), min(grid_ev[-1], self.energies_ev[-1]))
        shared = (grid_ev >= low) & (grid_ev <= high)
        if not shared.any():
            raise InputError(
                f"the measured spectrum ({self.energies_ev[0]:.2f} to "
                f"{self.energies_ev[-1]:.2f} eV) and the computed one ({grid_ev[0]:.2f} to "
                f"{grid_ev[-1]:.2f} eV) share no range"
            )
        mine = np.interp(grid_ev[shared], self.energies_ev, self.values)
        largest = float(np.abs(mine).max())
        scale = float(np.abs(curve[shared]).max()) / largest if largest else 1.0
        return np.asarray(scale * self.values)


def _cells(line: str) -> list[str]:
    """Words of a row, whatever parts them; decimal commas between semicolons or tabs."""
    for mark in (";", "\t"):
        if mark in line:
            return [cell.strip().replace(",", ".") for cell in line.split(mark)]
    if "," in line:
        return [cell.strip() for cell in next(csv.reader([line]))]
    return line.split()
