"""Uncertainties for a parameter set that is trained already: ``mlsemi committee``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mlsemi.parameters import Parameters, folder_of
from mlsemi.training.committee_fit import with_fitted_committee
from mlsemi.training.dataset import ReferenceDataset
from mlsemi.training.validate import select


def calibrate(parameters: str, datasets: Sequence[Path], members: int, seed: int) -> Parameters:
    """Fit a committee, write it into the folder of the set, and print its calibration.

    Parameters
    ----------
    parameters : str
        Name or path.
    datasets : sequence of Path
        Their training molecules make the committee, their validation molecules calibrate it.
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
    train, validation = (select(dataset, name, chosen.elements) for name in ("train", "validation"))
    fitted = with_fitted_committee(chosen, train, validation, members, seed)
    fitted.save(folder_of(parameters))
    assert fitted.committee is not None
    table = Table("quantity", "factor on the spread", box=None, pad_edge=False)
    for name, factor in fitted.committee.scale.items():
        table.add_row(name, f"{factor:.3g}")
    console = Console()
    console.print(
        f"{fitted.name}: {members} members from {len(train)} structures, "
        f"calibrated on {len(validation)}",
        highlight=False,
    )
    console.print(table, highlight=False)
    return fitted
