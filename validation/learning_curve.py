"""Held-out errors against the number of training molecules (log-log), one model per size.

    python validation/learning_curve.py [--epochs 60]

Every model is trained with the settings of the first stage of ``parameters/organic-1.toml``, forces
and all other sources left out, on a random subset of its training molecules; validation molecules
choose the epoch, test molecules give the errors.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import tempfile
from dataclasses import replace

import numpy as np
import report
from held_out import FOLDER, recipe, test_records

from mlsemi.draw.plots import learning_curve_figure, save
from mlsemi.training.calibration.validate import errors_of
from mlsemi.training.fit.run import fit
from mlsemi.training.objective.evaluation import summarise


def main() -> None:
    """Train at several sizes, print the table, save the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 200, 400, 800])
    arguments = parser.parse_args()
    base = recipe("organic-1").until(0)
    base = replace(base, source=base.source[:1]).with_stage(
        epochs=arguments.epochs, force_share=0.0
    )
    test = list(test_records("organic-1"))
    rows = {}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            config = replace(base, output=f"{folder}/set", limit=size)
            parameters = fit(config, FOLDER, resume=False, quiet=True)
        rows[size] = summarise([0.0], errors_of(parameters.model, test))
        print(size, {key: round(value, 4) for key, value in rows[size].items()}, flush=True)
    sizes = np.array(arguments.sizes)
    curves = {
        "occupied": np.array([rows[n]["occupied_ev"] for n in rows]),
        "HOMO": np.array([rows[n]["homo_ev"] for n in rows]),
        "LUMO": np.array([rows[n]["lumo_ev"] for n in rows]),
    }
    save(
        learning_curve_figure(sizes, curves, "held-out error / eV"),
        report.HERE / "learning_curve.png",
    )
    head = ("molecules", "occupied / eV", "HOMO / eV", "LUMO / eV", "charges / e", "dipole / D")
    columns = ("occupied_ev", "homo_ev", "lumo_ev", "charges_e", "dipole_debye")
    table = [[size, *(f"{row[key]:.4f}" for key in columns)] for size, row in rows.items()]
    slopes = {
        name: round(float(np.polyfit(np.log(sizes), np.log(values), 1)[0]), 2)
        for name, values in curves.items()
    }
    about = f"Mean absolute errors on {len(test)} held-out structures; log-log slopes {slopes}."
    report.write(
        "learning_curve",
        "Learning curve",
        [about, report.table(head, table), "![learning curve](learning_curve.png)"],
        {"epochs": arguments.epochs, "errors": rows, "slopes": slopes},
    )


if __name__ == "__main__":
    main()
