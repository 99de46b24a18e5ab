"""Accuracy on held-out molecules of every further element.

    python validation/elements.py organic-1.1

Errors are differences to B3LYP/def2-TZVP at the same geometry (relaxed or thermal, one of each
molecule), for the test molecules of the recipe's files that hold the element: neutral closed
shells. Levels as in accuracy.py; forces per component. Molecules with two of the elements count for
both.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse

import numpy as np
import report
from accuracy import QUANTITIES, UNITS, errors, of_model, of_reference
from held_out import test_records
from rich.progress import track

from mlsemi import singlepoint
from mlsemi.molecule.elements import symbol
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference
from mlsemi.training.objective.force_matching import has_response
from mlsemi.units import FORCE_EV_ANGSTROM

FURTHER = (5, 14, 15, 34, 35, 53)


def force_error(record: Reference, parameters: Parameters) -> float:
    """Mean absolute error of a component, eV/angstrom; the reference has no dispersion."""
    found = singlepoint(record.structure, parameters=parameters, forces=True, dispersion=False)
    assert found.forces is not None
    assert record.forces is not None
    return float(np.abs(found.forces - record.forces).mean()) * FORCE_EV_ANGSTROM


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parameters", nargs="?", default="organic-1.1")
    parameters = Parameters.load(parser.parse_args().parameters)
    records = [
        record
        for record in test_records("organic-1.1")
        if set(FURTHER) & set(record.structure.numbers.tolist())
        and not has_response(record.structure)
    ]
    targets = [of_reference(record) for record in records]
    model = [of_model(record, parameters) for record in track(records, "levels", transient=True)]
    forces = [
        force_error(r, parameters) if r.forces is not None else np.nan
        for r in track(records, "forces", transient=True)
    ]
    rows, data = [], {}
    for number in (0, *FURTHER):
        chosen = [k for k, r in enumerate(records) if not number or number in r.structure.numbers]
        if not chosen:
            continue
        name = symbol(number) if number else "all"
        row = errors(
            name,
            [model[k] for k in chosen],
            [targets[k] for k in chosen],
            [records[k].molecule for k in chosen],
        )
        of_forces = float(np.nanmean([forces[k] for k in chosen]))
        molecules = len({records[k].molecule for k in chosen})
        rows.append([name, molecules, *row.cells()[1:], f"{of_forces:.3f}"])
        data[name] = {"molecules": molecules, "forces": of_forces, **row.mae}
    head = ["element", "molecules"]
    head += [f"{name} / {unit}" for name, unit in zip(QUANTITIES, UNITS, strict=True)]
    head += ["forces / (eV/A)"]
    report.write(
        "elements",
        f"Further elements of {parameters.name}, held-out molecules",
        [report.table(head, rows)],
        {"parameters": parameters.name, "elements": data},
    )


if __name__ == "__main__":
    main()
