"""Energies along stretched bonds against B3LYP/def2-TZVP.

    python validation/dissociation.py --parameters organic-1

Reference: restricted and unrestricted B3LYP/def2-TZVP by PySCF, kept in stretched.json
(`stretched.py`); one bond of each molecule at 0.8 to 2.5 times its length, both fragments rigid.
All curves count from the molecule as built. A curve is sane when beyond 1.1 times the length it
never falls by more than 0.1 eV from one point to the next; the largest fall is given. Points where
the SCF of GFN2-xTB does not converge are left out. Dispersion is left out as in the reference.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json

import numpy as np
import report
from gfn2 import gfn2
from panels import Panel, figure_of
from stretched import PATH, stretch
from tblite.exceptions import TBLiteRuntimeError

from mlsemi import singlepoint
from mlsemi.draw.plots import save
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.units import HARTREE_EV

RISES_FROM, LEVEL_EV = 1.1, 0.1


def largest_fall(factors: np.ndarray, energies: np.ndarray) -> float:
    """Of a curve beyond ``RISES_FROM`` times the bond length, in its own unit; zero if it rises."""
    beyond = energies[factors >= RISES_FROM]
    steps = np.diff(beyond[np.isfinite(beyond)])
    return float(max(0.0, -steps.min()))


def of_model(name: str, factors: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Energies of a parameter set at every factor, without dispersion, hartree."""
    structures = [stretch(name, factor) for factor in factors]
    return np.array(
        [singlepoint(s, parameters=parameters, dispersion=False).energy for s in structures]
    )


def curves(name: str, factors: np.ndarray, parameters: Parameters) -> dict[str, np.ndarray]:
    """Energies of mlsemi and GFN2-xTB at every factor, hartree; NaN where an SCF fails."""
    return {
        parameters.name: of_model(name, factors, parameters),
        "GFN2-xTB": np.array([of_gfn2(stretch(name, factor)) for factor in factors]),
    }


def of_gfn2(structure: Structure) -> float:
    """Energy, hartree; NaN if the SCF does not converge."""
    try:
        return float(gfn2(structure).get("energy"))
    except TBLiteRuntimeError:
        return float("nan")


def main() -> None:
    """Compute, compare, write dissociation.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    parameters = Parameters.load(parser.parse_args().parameters)
    stored = json.loads(PATH.read_text())
    rows, panels, found = [], [], {}
    for name, entry in stored["molecules"].items():
        factors = np.array(entry["factors"])
        all_curves = {
            "unrestricted B3LYP": np.array(entry["unrestricted_hartree"]),
            "restricted B3LYP": np.array(entry["restricted_hartree"]),
        } | curves(name, factors, parameters)
        start = int(np.argmin(np.abs(factors - 1.0)))
        relative = {k: (e - e[start]) * HARTREE_EV for k, e in all_curves.items()}
        for method, energies in relative.items():
            down = largest_fall(factors, energies)
            sane = "yes" if down <= LEVEL_EV else "no"
            end = f"{energies[-1]:.2f}" if np.isfinite(energies[-1]) else "not converged"
            rows.append([name, method, end, f"{down:.2f}", sane])
        found[name] = {k: e.round(4).tolist() for k, e in relative.items()}
        lines = {k: (factors, e, ".-") for k, e in relative.items()}
        panels.append(Panel("length / length as built", "energy / eV", lines, "", title=name))
    save(figure_of(panels, columns=3), report.HERE / "dissociation.png")
    report.write(
        "dissociation",
        f"Stretched bonds of {parameters.name}",
        [
            " ".join(__doc__.split("\n\n", 2)[2].split()),
            report.table(["molecule", "method", "at 2.5 / eV", "largest fall / eV", "sane"], rows),
            "![curves](dissociation.png)",
        ],
        {"parameters": parameters.name, "checksum": parameters.checksum, "relative_ev": found},
    )


if __name__ == "__main__":
    main()
