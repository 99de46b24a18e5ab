"""B3LYP/def2-TZVP energies along stretched bonds (PySCF), restricted and unrestricted, as JSON.

    python validation/stretched.py

One bond of each molecule is stretched, 0.8 to 2.5 times its length in `ase.build.molecule`, both
fragments rigid. Unrestricted energies are the lower of two solutions, found from closed shells and
from the solution of the next longer bond (`mlsemi/training/generators/breaking.py`). Density
fitting, grid level 3. Finished molecules are kept: the same command continues a run that was
stopped.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json

import numpy as np
import report
from ase.build import molecule
from rich.progress import track

from mlsemi.molecule.structure import Structure
from mlsemi.training.data.geometries import bond_graph, bridges, with_bond
from mlsemi.training.generators.breaking import lowest_unrestricted
from mlsemi.training.reference.calculation import Level, mean_field

BONDS = {"H2O": (0, 1), "CH4": (0, 1), "CH3OH": (0, 1), "H3CNH2": (0, 1), "C2H6": (0, 1)}
FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.7, 1.9, 2.1, 2.3, 2.5)
LEVEL = Level(grid=3)
PATH = report.HERE / "stretched.json"


def bond_of(name: str) -> tuple[int, int, np.ndarray]:
    """The stretched bond of a molecule, and its atoms on the side of the second."""
    return next(b for b in bridges(bond_graph(molecule(name))) if b[:2] == BONDS[name])


def stretch(name: str, factor: float) -> Structure:
    """The molecule with its bond ``factor`` times as long."""
    return Structure.from_ase(with_bond(molecule(name), bond_of(name), factor))


def energies(name: str) -> dict[str, object]:
    """Restricted and unrestricted energies of a molecule at every factor, hartree."""
    restricted, unrestricted = [], []
    side, density = bond_of(name)[2], None
    for factor in FACTORS[::-1]:
        structure = stretch(name, factor)
        restricted.append(float(mean_field(structure, LEVEL)[0].e_tot))
        solver = lowest_unrestricted(structure, side, 1, LEVEL, density)
        density = solver.make_rdm1()
        unrestricted.append(float(solver.e_tot))
    return {
        "bond": BONDS[name],
        "factors": FACTORS,
        "restricted_hartree": restricted[::-1],
        "unrestricted_hartree": unrestricted[::-1],
    }


def main() -> None:
    """Compute what is missing from stretched.json."""
    done = json.loads(PATH.read_text()) if PATH.exists() else {"molecules": {}}
    done["level"] = LEVEL.provenance() | {"made_by": "python validation/stretched.py"}
    for name in track(BONDS, "stretched bonds", transient=True):
        if name not in done["molecules"]:
            done["molecules"][name] = energies(name)
            PATH.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()
