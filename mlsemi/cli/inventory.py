"""What there is: installed parameter sets and the content of datasets (``mlsemi info``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT, available, folder, folder_of
from mlsemi.units import AU_DEBYE, FORCE_EV_ANGSTROM, HARTREE_EV

if TYPE_CHECKING:
    from mlsemi.training.data.dataset import ReferenceDataset


def print_available(console: Console) -> None:
    """Print one line per installed parameter set.

    Raises
    ------
    ParameterError
        If one of them is corrupted.
    """
    names = available()
    if not names:
        console.print(f"No parameter sets in {folder()}", markup=False, highlight=False)
        return
    columns = ("parameter set", "elements", "reference", "training molecules", "checksum")
    table = Table(*columns, box=None, pad_edge=False)
    for name in names:
        shown = f"{name} (default)" if name == folder_of(DEFAULT).name else name
        parameters = Parameters.load(name)
        table.add_row(
            shown,
            " ".join(parameters.elements),
            _level_of(parameters.header),
            str(_entry(parameters.header, "training", "molecules")),
            parameters.checksum[:8],
        )
    console.print(table)
    console.print("\nEverything about one of them: mlsemi info NAME", highlight=False)


def print_parameters(console: Console, name: str) -> None:
    """Print the header of a parameter set: elements, reference level, training data, errors.

    Parameters
    ----------
    console : rich.console.Console
    name : str
        Name or path of the set.

    Raises
    ------
    ParameterError
        If the set is missing or corrupted.
    """
    parameters = Parameters.load(name)
    known = {"name": parameters.name, "elements": " ".join(parameters.elements)}
    _print_mapping(console, {**parameters.header, **known, "checksum": parameters.checksum})


def print_datasets(console: Console, paths: Sequence[Path], plot: Path | None = None) -> None:
    """Print counts, distributions and provenance of datasets, taken together.

    Parameters
    ----------
    console : rich.console.Console
    paths : sequence of Path
    plot : Path, optional
        Where to save histograms.

    Raises
    ------
    ParameterError
        If a file is not a dataset or is corrupted.
    """
    from mlsemi.draw.plots import distribution_figure, save
    from mlsemi.training.data.dataset import SPLITS, ReferenceDataset

    dataset = ReferenceDataset.load(*paths)
    elements = Counter(symbol for record in dataset for symbol in set(record.structure.symbols))
    table = Table("split", "molecules", "records", box=None, pad_edge=False)
    for name in (*SPLITS, "all"):
        part = dataset if name == "all" else dataset.split(name)
        table.add_row(name, str(len(part.molecules)), str(len(part)))
    console.print(table)
    optional = {
        "records with forces": "forces",
        "records with full excitations": "singlet_energies",
        "records with ris excitations": "ris_energies",
    }
    summary: dict[str, Any] = {
        "records with element": ", ".join(f"{s} {n}" for s, n in elements.most_common()),
        "atoms": sum(record.structure.n_atom for record in dataset),
        **{
            text: sum(getattr(record, name) is not None for record in dataset)
            for text, name in optional.items()
        },
    }
    ranges = Table("", "least", "median", "most", box=None, pad_edge=False)
    quantities = distributions(dataset)
    for label, values in quantities.items():
        ranges.add_row(label, *(f"{np.quantile(values, q):.4g}" for q in (0.0, 0.5, 1.0)))
    console.print()
    console.print(ranges)
    console.print()
    if len(paths) == 1:
        summary |= {"checksum": dataset.checksum, **dataset.provenance}
    _print_mapping(console, summary)
    if plot is not None:
        save(distribution_figure(quantities), plot)


def distributions(dataset: ReferenceDataset) -> dict[str, np.ndarray]:
    """What the records of a dataset are like: label with unit, one value per record or atom.

    Parameters
    ----------
    dataset : ReferenceDataset
    """
    lumo = [r.energies[r.n_occupied] for r in dataset if r.energies.size > r.n_occupied]
    out = {
        "atoms": np.array([r.structure.n_atom for r in dataset]),
        "heavy atoms": np.array([int(np.sum(r.structure.numbers > 1)) for r in dataset]),
        "HOMO / eV": HARTREE_EV * np.array([r.energies[r.n_occupied - 1] for r in dataset]),
        "LUMO / eV": HARTREE_EV * np.array(lumo),
        "dipole / D": AU_DEBYE * np.array([np.linalg.norm(r.dipole) for r in dataset]),
        "IAO charge / e": np.concatenate([r.charges for r in dataset]),
    }
    forces = [np.linalg.norm(r.forces, axis=1) for r in dataset if r.forces is not None]
    if forces:
        out["force / (eV/angstrom)"] = np.concatenate(forces) * FORCE_EV_ANGSTROM
    singlets = [r.ris_energies[0] for r in dataset if r.ris_energies is not None]
    if singlets:
        out["lowest ris singlet / eV"] = np.array(singlets) * HARTREE_EV
    singlets = [r.singlet_energies[0] for r in dataset if r.singlet_energies is not None]
    if singlets:
        out["lowest singlet / eV"] = np.array(singlets) * HARTREE_EV
    return out


def _entry(header: Mapping[str, Any], *keys: str) -> Any:
    """Entry of nested mappings, empty text where one is missing."""
    value: Any = header
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else ""
    return value


def _level_of(header: Mapping[str, Any]) -> str:
    """``b3lyp/def2-tzvp``."""
    words = [str(_entry(header, "reference", "level", key)) for key in ("method", "basis")]
    return "/".join(word for word in words if word)


def _print_mapping(console: Console, mapping: Mapping[str, Any], depth: int = 0) -> None:
    """Key and value per line, nested mappings indented."""
    width = max((len(str(key)) for key in mapping), default=0) + 2
    for key, value in mapping.items():
        indent = "  " * depth
        if isinstance(value, Mapping) and value:
            console.print(f"{indent}{key}", markup=False, highlight=False)
            _print_mapping(console, value, depth + 1)
            continue
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        line = f"{indent}{str(key).ljust(width)}{text}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
