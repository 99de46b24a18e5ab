"""Errors of a parameter set on reference data: ``mlsemi validate``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mlsemi.draw.plots import parity_figure, save
from mlsemi.errors import ParameterError
from mlsemi.model.model import Model
from mlsemi.outputs import complete_or_absent
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference, ReferenceDataset, part_of
from mlsemi.training.objective.evaluation import losses_and_errors, summarise
from mlsemi.training.objective.loss import Errors, LossWeights, Target
from mlsemi.units import HARTREE_EV

QUANTITIES = {
    "occupied_ev": "occupied valence levels / eV",
    "homo_ev": "HOMO / eV",
    "lumo_ev": "LUMO / eV",
    "charges_e": "charges / e",
    "dipole_debye": "dipole vector / D",
    "energy_ev": "total energy / eV",
    "forces_ev_per_angstrom": "forces / (eV/angstrom)",
}


def errors_of(model: Model, records: Sequence[Reference]) -> list[Errors]:
    """Errors of a model on every record, model minus reference, atomic units."""
    return losses_and_errors(model, [Target(record) for record in records], LossWeights())[1]


def select(
    dataset: ReferenceDataset, split: str, elements: Sequence[str], divided: str = "molecule"
) -> list[Reference]:
    """Records of one split (or ``all``) whose elements a model knows.

    Parameters
    ----------
    dataset : ReferenceDataset
    split : str
        ``train``, ``validation``, ``test`` or ``all``.
    elements : sequence of str
        Symbols.
    divided : str
        ``molecule`` or ``frame``: what the model's training kept together.

    Raises
    ------
    ParameterError
        If nothing is left.
    """
    records = [
        r
        for r in dataset
        if split in ("all", part_of(r, divided)) and set(r.structure.symbols) <= set(elements)
    ]
    if not records:
        raise ParameterError(f"no structure of split {split!r} has only {' '.join(elements)}")
    return records


def validate(
    parameters: str,
    datasets: Sequence[Path],
    split: str = "test",
    plot: Path | None = None,
    json_output: Path | None = None,
) -> dict[str, float]:
    """Print mean absolute errors of a parameter set on a split of datasets.

    The LUMO is the lowest virtual level of the reference whose projection weight on the minimal
    frame exceeds one half; the dipole error is the length of the error vector.

    Parameters
    ----------
    parameters : str
        Name or path.
    datasets : sequence of Path
    split : str
        ``train``, ``validation``, ``test`` or ``all``: molecules, or frames if the set was trained
        with ``split = "frame"``.
    plot : Path, optional
        Parity plots of levels and charges.
    json_output : Path, optional
        The table as JSON.

    Returns
    -------
    dict of str to float
        Mean absolute errors in the unit each name ends in, and the counts.
    """
    chosen = Parameters.load(parameters)
    records = select(ReferenceDataset.load(*datasets), split, chosen.elements, chosen.divided)
    errors = errors_of(chosen.model, records)
    row = summarise([0.0], errors)
    summary = {key: row[key] for key in QUANTITIES if key in row}
    counts = {"structures": len(records), "molecules": len({r.molecule for r in records})}
    table = Table("quantity", "mean absolute error", box=None, pad_edge=False)
    for key, value in summary.items():
        table.add_row(QUANTITIES[key], f"{value:.4f}")
    console = Console()
    console.print(
        f"{chosen.name} on {counts['structures']} structures of {counts['molecules']} molecules "
        f"({split}{', frames' if chosen.divided == 'frame' and split != 'all' else ''})",
        highlight=False,
    )
    console.print(table, highlight=False)
    if plot is not None:
        save(parity_figure(_panels(records, errors), "eV"), plot)
    if json_output is not None:
        with complete_or_absent(json_output) as temporary:
            temporary.write_text(json.dumps(counts | summary, indent=2) + "\n")
    return counts | summary


def _panels(
    records: Sequence[Reference], errors: Sequence[Errors]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(reference, predicted) of occupied levels, HOMO and LUMO in eV."""
    targets = [Target(record) for record in records]
    pairs = {
        "occupied levels": (
            np.concatenate([t.occupied_energies for t in targets]),
            np.concatenate([e.occupied for e in errors]),
        ),
        "HOMO": (
            np.array([t.occupied_energies[-1] for t in targets]),
            np.array([e.homo for e in errors]),
        ),
        "LUMO": (np.array([t.lumo for t in targets]), np.array([e.lumo for e in errors])),
    }
    out = {}
    for name, (reference, error) in pairs.items():
        finite = np.isfinite(error)
        out[name] = (reference[finite] * HARTREE_EV, (reference + error)[finite] * HARTREE_EV)
    return out
