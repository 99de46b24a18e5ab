"""Forms of the energy, compared where they were not trained: larger molecules, stretched bonds.

    cd parameters/reference
    python ../../validation/energy_forms.py organic.h5 stretches.h5 [--epochs 25]

Each form is trained like the first stage of organic-1, without other methods and with a weight
decay that makes up for the fewer steps, on the training molecules of the datasets, and measured on
their validation molecules, on the larger molecules (energies against isolated atoms) and along the
stretched bonds of `dissociation.py` (unrestricted B3LYP; a curve is sane when beyond 1.1 times the
length it never falls by more than 0.1 eV). One seed each: differences below 10 % are noise.
Finished rows are kept in energy_forms.json: the same command continues a run that was stopped.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import report
from ablation import CONFIG, finished, reference_alone, variants
from dissociation import LEVEL_EV, largest_fall
from rich.progress import track
from stretched import PATH, stretch

from mlsemi import singlepoint
from mlsemi.parameters import Parameters
from mlsemi.training.calibration.validate import errors_of, select
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.fit.run import fit
from mlsemi.training.objective.evaluation import summarise
from mlsemi.units import HARTREE_EV

FORMS = {
    "readout (released)": "organic-1 recipe",
    "bands and pairs": "energy of bands and pairs",
    "bands and readout": "energy of bands and readout",
}
DECAY = 2600.0
"""Weight decay times the number of steps, as in organic-1."""

LARGER = ("larger.h5", "larger-2.h5", "larger-3.h5")
COLUMNS = {
    "occupied_ev": "occupied / eV",
    "forces_ev_per_angstrom": "forces / (eV/angstrom)",
    "larger_mev_per_atom": "larger: energy / (meV per atom)",
    "sane": "sane curves of 5",
    "at_end_ev": "error at 2.5 / eV",
    "rough_ev": "largest fall / eV",
}


def stretched_bonds(parameters: Parameters) -> dict[str, float]:
    """Sane curves, mean error at the longest bonds and the largest fall, eV."""
    molecules = json.loads(PATH.read_text())["molecules"]
    falls, ends = [], []
    for name, entry in molecules.items():
        factors = np.array(entry["factors"])
        structures = [stretch(name, factor) for factor in factors]
        points = [singlepoint(s, parameters=parameters, dispersion=False) for s in structures]
        start = int(np.argmin(np.abs(factors - 1.0)))
        curve = HARTREE_EV * np.array([point.energy for point in points])
        reference = HARTREE_EV * np.array(entry["unrestricted_hartree"])
        falls.append(largest_fall(factors, curve))
        ends.append((curve[-1] - curve[start]) - (reference[-1] - reference[start]))
    return {
        "sane": float(np.sum(np.array(falls) <= LEVEL_EV)),
        "at_end_ev": float(np.abs(ends).mean()),
        "rough_ev": max(falls),
    }


def main() -> None:
    """Train the rows that are missing, write energy_forms.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=25)
    options = parser.parse_args()
    base = reference_alone(options.datasets, options.epochs)
    dataset = ReferenceDataset.load(*options.datasets)
    records = len(select(dataset, "train", base.elements))
    steps = options.epochs * records / base.stage[0].batch
    base = base.with_stage(weight_decay=round(DECAY / steps, 2))
    held_out = select(dataset, "validation", base.elements)
    folder = CONFIG.parent / "reference"
    larger = list(ReferenceDataset.load(*(folder / file for file in LARGER)))
    atoms = np.array([record.structure.n_atom for record in larger])
    settings = {"stage": asdict(base.stage[0]), "dataset": dataset.checksum}
    results = finished("energy_forms", settings)
    configurations = variants(base)
    for name, row in track(FORMS.items(), "forms", transient=True):
        if name in results:
            continue
        with tempfile.TemporaryDirectory() as output:
            config = replace(configurations[row], output=f"{output}/set")
            parameters = fit(config, Path(output), resume=False, quiet=True)
        errors = errors_of(parameters.model, larger)
        per_atom = np.array([error.energy for error in errors]) / atoms
        results[name] = (
            summarise([0.0], errors_of(parameters.model, held_out))
            | {"larger_mev_per_atom": 1e3 * HARTREE_EV * float(np.abs(per_atom).mean())}
            | stretched_bonds(parameters)
        )
        rows = [[form, *(f"{r[key]:.4g}" for key in COLUMNS)] for form, r in results.items()]
        about = " ".join(__doc__.split("\n\n", 2)[2].split())
        report.write(
            "energy_forms",
            "Forms of the energy",
            [about, report.table(["form", *COLUMNS.values()], rows)],
            {"settings": settings, "errors": results},
        )


if __name__ == "__main__":
    main()
