"""Uncertainties for a parameter set that is trained already: ``mlsemi committee``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mlsemi.parameters import Parameters, folder_of
from mlsemi.training.calibration.committee_fit import with_fitted_committee
from mlsemi.training.calibration.validate import select
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.units import AU_DEBYE, HARTREE_EV

UNITS = {"charges": ("e", 1.0), "dipole": ("D", AU_DEBYE)}
"""Unit of each quantity that is no energy, and its size in that unit."""


def calibrate(
    parameters: str,
    datasets: Sequence[Path],
    excited: Sequence[Path] = (),
    members: int = 32,
    seed: int = 0,
) -> Parameters:
    """Fit a committee, write it into the folder of the set, and print its calibration.

    Parameters
    ----------
    parameters : str
        Name or path.
    datasets : sequence of Path
        Their training molecules make the committee, their validation molecules calibrate it.
    excited : sequence of Path
        Datasets with excitations, of any level; their validation molecules calibrate those.
    members, seed : int

    Returns
    -------
    The parameter set with its committee.

    Raises
    ------
    ParameterError
        If the set or a dataset cannot be read, or a split is empty.
    """
    chosen = Parameters.load(parameters)
    dataset = ReferenceDataset.load(*datasets)
    train, validation = (
        select(dataset, name, chosen.elements, chosen.divided) for name in ("train", "validation")
    )
    states = ReferenceDataset.load(*excited).split("validation")
    known = [r for r in states if set(r.structure.symbols) <= set(chosen.elements)]
    fitted = with_fitted_committee(chosen, train, validation, members, seed, known)
    fitted.save(folder_of(parameters))
    assert fitted.committee is not None
    table = Table("quantity", "factor on the spread", "floor", box=None, pad_edge=False)
    for name, (factor, floor) in fitted.committee.calibration.items():
        unit, size = UNITS.get(name, ("eV", HARTREE_EV))
        table.add_row(name, f"{factor:.3g}", f"{floor * size:.3g} {unit}")
    console = Console()
    console.print(
        f"{fitted.name}: {members} members from {len(train)} structures, "
        f"calibrated on {len(validation)}",
        highlight=False,
    )
    console.print(table, highlight=False)
    return fitted
