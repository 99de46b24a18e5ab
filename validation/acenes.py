"""HOMO bands and couplings of crystals of acenes.

    python validation/acenes.py [--parameters contacts-1]

HOMO bands at published structures: naphthalene and anthracene of `crystals.py`; pentacene as
measured by R. B. Campbell, J. M. Robertson, J. Trotter, Acta Cryst. 14, 705 (1961), 15, 289 (1962).
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import report
from ase import Atoms
from crystals import CRYSTALS

import mlsemi
from mlsemi.errors import DomainWarning
from mlsemi.parameters import Parameters

CELL = [7.90, 6.06, 16.01, 101.9, 112.6, 85.8]
HALVES = """
C .1484 .0183 .4071  C .9848 .7366 .2786  C .0519 .8200 .3706  C .1707 .1361 .3491
C .1030 .0604 .2508  C .1274 .1650 .1894  C .0572 .0951 .0950  C .0925 .2095 .0335
C .9773 .8773 .0567  C .9460 .7675 .1225  C .0150 .8484 .2149  H .2020 .0870 .4820
H .9150 .5730 .2510  H .0330 .7280 .4200  H .2460 .2940 .3700  H .2020 .3210 .2180
H .1620 .3620 .0610  H .8780 .6050 .0980  C .5627 .5733 .4014  C .5035 .6805 .3286
C .5210 .5876 .2434  C .4582 .7010 .1686  C .4810 .6062 .0846  C .4231 .7138 .0100
C .5622 .3794 .0754  C .6103 .2743 .1483  C .6061 .3652 .2342  C .6549 .2570 .3094
C .6496 .3487 .3925  H .5530 .6610 .4750  H .4470 .8530 .3350  H .4010 .8730 .1780
H .3620 .8870 .0200  H .6730 .1040 .1420  H .7180 .0880 .3040  H .7000 .2650 .4530
"""
"""Half of each of the two molecules; the others by inversion."""


def pentacene() -> Atoms:
    """72 atoms, P-1."""
    words = HALVES.split()
    places = np.array([words[n::4] for n in (1, 2, 3)], dtype=float).T
    return Atoms(
        words[::4] * 2, scaled_positions=np.concatenate([places, -places]), cell=CELL, pbc=True
    )


def structures() -> dict[str, Atoms]:
    """The three crystals."""
    found = {name: CRYSTALS[name].structure() for name in ("naphthalene", "anthracene")}
    return found | {"pentacene": pentacene()}


def strongest(couplings: mlsemi.cells.Couplings) -> np.ndarray:
    """HOMO couplings of all pairs, meV."""
    return np.abs(couplings.homo) * 1e3


def bands(parameters: Parameters) -> list[list[str]]:
    """Widths of the HOMO bands and the two strongest couplings."""
    rows = []
    for name, atoms in structures().items():
        start = time.process_time()
        found = mlsemi.bands(atoms, npoints=40, kpts="3x4x2", parameters=parameters)
        seconds = time.process_time() - start
        largest = np.sort(strongest(mlsemi.couplings(atoms, parameters=parameters)))[::-1]
        width = found.to_dict()["homo_width_ev"] * 1e3
        strong = ", ".join(f"{value:.0f}" for value in np.unique(largest.round())[::-1][:3])
        rows.append([name, f"{width:.0f}", strong, f"{seconds:.2f}"])
    return rows


def main() -> None:
    """Write ``acenes.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parameters", default="contacts-1")
    given = parser.parse_args()
    warnings.simplefilter("ignore", DomainWarning)
    parameters = Parameters.load(given.parameters)
    widths = bands(parameters)
    sections = [
        f"Parameters {parameters.name}; couplings across contacts were not learned.",
        "meV; processor time of the bands (40 points, mesh 3x4x2), s.\n\n"
        + report.table(("crystal", "width", "strongest couplings", "s"), widths),
    ]
    report.write("acenes", "HOMO bands of acenes", sections, {"bands": widths})


if __name__ == "__main__":
    main()
