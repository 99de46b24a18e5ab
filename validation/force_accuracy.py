"""Forces and relative energies of held-out molecules against B3LYP/def2-TZVP, beside GFN2-xTB.

    python validation/force_accuracy.py --parameters organic-1

Test structures of all training files that have forces, most of them thermal frames between 300 and
1000 K; those with one bond at 0.8 to 1.5 times its length have a row of their own and count nowhere
else. Errors are mean absolute errors of the Cartesian components; dispersion is left out of
mlsemi's forces as it is in the reference. Energies are compared among the thermal frames of one
molecule, each relative to the mean of its frames.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import report
from ase import units
from gfn2 import gfn2
from held_out import test_records
from panels import Panel, figure_of
from rich.progress import track

from mlsemi import singlepoint
from mlsemi.draw.plots import save
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV

KCAL_MOL = HARTREE_EV * units.mol / units.kcal
N_WORST = 8
SIZES = {"1 to 3 heavy atoms": (0, 3), "4 to 5": (4, 5), "6 and more": (6, 99)}
Answer = tuple[float, np.ndarray]
"""Energy and forces (n_atom, 3), atomic units."""


def of_model(record: Reference, parameters: Parameters) -> Answer:
    """Without dispersion."""
    result = singlepoint(record.structure, parameters=parameters, forces=True, dispersion=False)
    assert result.forces is not None
    return float(result.energy), result.forces


def of_gfn2(record: Reference) -> Answer:
    """GFN2-xTB by tblite."""
    result = gfn2(record.structure)
    return float(result.get("energy")), -result.get("gradient")


def heavy_atoms(record: Reference) -> int:
    """Number of atoms that are not hydrogen."""
    return int(np.sum(record.structure.numbers > 1))


def is_stretched(record: Reference) -> bool:
    """Whether one bond has been given another length."""
    return " times " in record.origin


def force_error(records: Sequence[Reference], answers: Sequence[Answer]) -> float:
    """Mean absolute error of all components, eV / angstrom."""
    rest = [(a[1] - r.forces).ravel() for r, a in zip(records, answers, strict=True)]
    return float(np.abs(np.concatenate(rest)).mean()) * FORCE_EV_ANGSTROM


def relative_energies(
    records: Sequence[Reference], answers: Sequence[Answer]
) -> tuple[np.ndarray, np.ndarray]:
    """Reference and prediction relative to the mean of the frames of a molecule, kcal/mol."""
    frames = defaultdict(list)
    for record, answer in zip(records, answers, strict=True):
        frames[record.molecule].append((record.energy, answer[0]))
    several = [np.array(values) for values in frames.values() if len(values) > 1]
    both = np.concatenate([values - values.mean(axis=0) for values in several])
    return both[:, 0] * KCAL_MOL, both[:, 1] * KCAL_MOL


def main() -> None:
    """Compute, compare, write force_accuracy.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    name = parser.parse_args().parameters
    parameters = Parameters.load(name)
    every = [r for r in test_records(name) if r.forces is not None]
    answers = {
        name: [of_model(r, parameters) for r in track(every, name, transient=True)],
        "GFN2-xTB": [of_gfn2(r) for r in track(every, "GFN2-xTB", transient=True)],
    }
    thermal = [k for k, r in enumerate(every) if not is_stretched(r)]
    parts = {
        label: [k for k in thermal if low <= heavy_atoms(every[k]) <= high]
        for label, (low, high) in SIZES.items()
    }
    parts |= {"all": thermal, "one bond stretched": sorted(set(range(len(every))) - set(thermal))}
    rows, found = [], {}
    for label, chosen in parts.items():
        some = [every[k] for k in chosen]
        found[label] = {m: force_error(some, [a[k] for k in chosen]) for m, a in answers.items()}
        molecules = len({r.molecule for r in some})
        rows.append([label, len(some), molecules, *(f"{v:.3f}" for v in found[label].values())])
    records = [every[k] for k in thermal]
    methods = {method: [a[k] for k in thermal] for method, a in answers.items()}
    single = sorted(
        ((force_error([r], [a]), r.label) for r, a in zip(records, methods[name], strict=True)),
        reverse=True,
    )
    worst = [[f"`{label}`", f"{error:.2f}"] for error, label in single[:N_WORST]]
    energies, curves = [], {}
    for method, points in methods.items():
        reference, predicted = relative_energies(records, points)
        mae = float(np.abs(predicted - reference).mean())
        found.setdefault("relative energies, kcal/mol", {})[method] = mae
        energies.append([method, len(reference), f"{mae:.2f}", f"{np.std(reference):.2f}"])
        curves[method] = (reference, predicted - reference, ".")
    forces = {
        method: (
            FORCE_EV_ANGSTROM * np.concatenate([r.forces.ravel() for r in records]),
            FORCE_EV_ANGSTROM
            * np.concatenate(
                [(a[1] - r.forces).ravel() for r, a in zip(records, points, strict=True)]
            ),
            ".",
        )
        for method, points in reversed(methods.items())
    }
    energy_errors = dict(reversed(curves.items()))
    panels = [
        Panel("reference force / (eV/angstrom)", "error / (eV/angstrom)", forces, logarithmic=""),
        Panel("relative energy / (kcal/mol)", "error / (kcal/mol)", energy_errors, logarithmic=""),
    ]
    save(figure_of(panels), report.HERE / "force_accuracy.png")
    report.write(
        "force_accuracy",
        f"Forces of {name} on held-out molecules",
        [
            " ".join(__doc__.split("\n\n", 2)[2].split()),
            report.table(
                [
                    "heavy atoms",
                    "structures",
                    "molecules",
                    *(f"{m} / (eV/angstrom)" for m in methods),
                ],
                rows,
            ),
            report.table([f"worst structures of {name}", "MAE / (eV/angstrom)"], worst),
            report.table(
                ["relative energies", "frames", "MAE / (kcal/mol)", "spread / (kcal/mol)"], energies
            ),
            "![errors](force_accuracy.png)",
        ],
        {"parameters": name, "checksum": parameters.checksum, "errors": found},
    )


if __name__ == "__main__":
    main()
