"""Accuracy on held-out molecules, beside the physics baseline and GFN2-xTB.

    python validation/accuracy.py --parameters organic-1

Errors are differences to the reference calculation of the same structure. Occupied levels are
compared by index, HOMO and LUMO also on their own. The LUMO of the reference is its lowest
virtual orbital whose weight in the valence minimal frame, w_a = sum_m T_ma^2, exceeds 0.5;
structures without one (small saturated molecules) do not count for the LUMO. GFN2-xTB orbital
energies are mapped by the best straight line (least squares), fitted separately for occupied
levels, HOMO and LUMO on the training molecules only.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import report
from gfn2 import gfn2
from rich.progress import track

from mlsemi import singlepoint
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.run import fit
from mlsemi.units import AU_DEBYE, HARTREE_EV

matplotlib.use("Agg")
from matplotlib import pyplot

QUANTITIES = ("occupied", "HOMO", "LUMO", "charges", "dipole")
UNITS = ("eV", "eV", "eV", "e", "D")
MAPPED = ("occupied", "HOMO", "LUMO")
Sample = dict[str, np.ndarray]


@dataclass(frozen=True)
class Row:
    """One line of a table: a method on a set of structures.

    Attributes
    ----------
    method : str
    mae : dict of str to float
        Mean absolute error of each quantity; for the dipole the mean length of the error vector.
    uncertainty : dict of str to float
        Standard error of the mean over molecules.
    """

    method: str
    mae: dict[str, float]
    uncertainty: dict[str, float]

    def cells(self) -> list[str]:
        """Table cells: error ± its uncertainty."""
        return [self.method] + [
            f"{self.mae[q]:.3f} ± {self.uncertainty[q]:.3f}" if q in self.mae else ""
            for q in QUANTITIES
        ]


def of_reference(record: Reference) -> Sample:
    """Target values, eV, e and D; the LUMO is empty where no virtual is valence-like."""
    n = record.n_occupied
    energies = record.energies * HARTREE_EV
    return {
        "occupied": energies[:n],
        "HOMO": energies[n - 1 : n],
        "LUMO": energies[record.valence_virtuals[:1]],
        "charges": record.charges,
        "dipole": record.dipole * AU_DEBYE,
    }


def of_orbitals(energies: np.ndarray, n: int) -> Sample:
    """Levels of a valence-only method with ``n`` occupied orbitals, given in hartree."""
    ev = energies * HARTREE_EV
    return {"occupied": ev[:n], "HOMO": ev[n - 1 : n], "LUMO": ev[n : n + 1]}


def of_model(record: Reference, parameters: Parameters) -> Sample:
    """Predictions of a parameter set."""
    result = singlepoint(record.structure, parameters=parameters)
    levels = of_orbitals(result.state.energies, record.n_occupied)
    return levels | {"charges": result.charges, "dipole": result.dipole * AU_DEBYE}


def of_gfn2(record: Reference) -> Sample:
    """GFN2-xTB orbital energies (its basis is the valence minimal one) and dipole."""
    result = gfn2(record.structure)
    levels = of_orbitals(result.get("orbital-energies"), record.n_occupied)
    return levels | {"dipole": result.get("dipole") * AU_DEBYE}


def physics_baseline() -> Parameters:
    """Levels and two-center functions trained on their own (``baseline.toml``), once."""
    return fit(Recipe.load(report.HERE / "baseline.toml"), report.HERE, quiet=True)


def linear_map(samples: list[Sample], targets: list[Sample]) -> dict[str, tuple[float, float]]:
    """Slope and intercept of every mapped quantity."""
    out = {}
    for name in MAPPED:
        x, y = _paired(samples, targets, name)
        slope, intercept = np.polyfit(np.concatenate(x), np.concatenate(y), 1)
        out[name] = (float(slope), float(intercept))
    return out


def mapped(sample: Sample, lines: dict[str, tuple[float, float]]) -> Sample:
    """Apply the straight lines."""
    levels = {name: lines[name][0] * sample[name] + lines[name][1] for name in MAPPED}
    return sample | levels


def _paired(
    samples: list[Sample], targets: list[Sample], name: str
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Values of the structures where both have the quantity (every structure keeps its place)."""
    x, y = [], []
    for sample, target in zip(samples, targets, strict=True):
        usable = name in sample and sample[name].size == target[name].size
        x.append(sample[name] if usable else np.empty(0))
        y.append(target[name] if usable else np.empty(0))
    return x, y


def errors(method: str, samples: list[Sample], targets: list[Sample], molecules: list[str]) -> Row:
    """Mean absolute errors with their uncertainty."""
    mae, uncertainty = {}, {}
    for name in QUANTITIES:
        x, y = _paired(samples, targets, name)
        per_structure = [
            np.linalg.norm(a - b)[None] if name == "dipole" and a.size else np.abs(a - b)
            for a, b in zip(x, y, strict=True)
        ]
        if not any(e.size for e in per_structure):
            continue
        groups: dict[str, list[np.ndarray]] = {}
        for molecule, error in zip(molecules, per_structure, strict=True):
            if error.size:
                groups.setdefault(molecule, []).append(error)
        means = [np.concatenate(group).mean() for group in groups.values()]
        mae[name] = float(np.concatenate(per_structure).mean())
        spread = np.std(means, ddof=1) if len(means) > 1 else np.nan
        uncertainty[name] = float(spread / np.sqrt(len(means)))
    return Row(method, mae, uncertainty)


def section(
    records: list[Reference],
    parameters: Parameters,
    lines: dict[str, tuple[float, float]],
) -> tuple[list[Row], list[Sample], list[Sample]]:
    """Rows of all methods on one set; targets and model samples for plots and details."""
    targets = [of_reference(r) for r in records]
    model = [of_model(r, parameters) for r in _track(records, parameters.name)]
    baseline = physics_baseline()
    plain = [of_model(r, baseline) for r in _track(records, "baseline")]
    gfn2 = [mapped(of_gfn2(r), lines) for r in _track(records, "GFN2-xTB")]
    molecules = [r.molecule for r in records]
    rows = [
        errors(parameters.name, model, targets, molecules),
        errors("physics baseline alone", plain, targets, molecules),
        errors("GFN2-xTB, best linear map", gfn2, targets, molecules),
    ]
    return rows, targets, model


def _track(records: list[Reference], what: str) -> Iterable[Reference]:
    return track(records, f"{what}, {len(records)} structures", transient=True)


def details(records: list[Reference], targets: list[Sample], model: list[Sample]) -> str:
    """Table of every structure of the larger set."""
    rows = []
    for record, target, sample in zip(records, targets, model, strict=True):
        row = errors("", [sample], [target], [""])
        cells = [f"{row.mae[q]:.3f}" if q in row.mae else "" for q in QUANTITIES]
        rows.append([f"`{record.label}`", record.structure.n_atom, *cells])
    return report.table(["structure", "atoms", *_head()], rows)


def _head() -> list[str]:
    return [f"{name} / {unit}" for name, unit in zip(QUANTITIES, UNITS, strict=True)]


def parity_plot(path: Path, sets: dict[str, tuple[list[Sample], list[Sample]]], title: str) -> None:
    """Predicted against reference values; one panel per quantity, one colour per set.

    Axes cover the reference's values; predictions far outside lie at the edge.
    """
    figure, axes = pyplot.subplots(2, 2, figsize=(8.0, 8.0), layout="constrained")
    panels = ("occupied", "HOMO", "LUMO", "charges")
    for axis, name in zip(axes.flat, panels, strict=True):
        values = np.concatenate([t[name] for targets, _ in sets.values() for t in targets])
        margin = 0.1 * np.ptp(values)
        low, high = values.min() - margin, values.max() + margin
        for label, (targets, samples) in sets.items():
            x, y = (np.concatenate(v) for v in _paired(samples, targets, name)[::-1])
            axis.plot(x, np.clip(y, low, high), ".", markersize=3, alpha=0.6, label=label)
        axis.axline((low, low), slope=1.0, color="0.5", linewidth=0.8, zorder=0)
        unit = UNITS[QUANTITIES.index(name)]
        axis.set(xlabel=f"reference / {unit}", ylabel=f"model / {unit}", title=name)
        axis.set_aspect("equal", adjustable="datalim")
    lines = axes[0, 0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=2, frameon=False, markerscale=3)
    figure.suptitle(title)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def covered(dataset: Iterable[Reference], parameters: Parameters) -> list[Reference]:
    """Records whose elements the parameter set knows."""
    known = set(parameters.elements)
    return [r for r in dataset if set(r.structure.symbols) <= known]


def check_apart(held_out: list[Reference], used: Iterable[Reference], name: str) -> None:
    """Refuse to quote errors on molecules that the fit has seen, in any stereochemistry."""
    seen = {r.molecule.split("-")[0] for r in used}
    both = sorted({r.label for r in held_out if r.molecule.split("-")[0] in seen})
    if both:
        raise SystemExit(f"{name} set shares {len(both)} molecules with the fit: {both[:5]}")


def counts(records: list[Reference], targets: list[Sample]) -> str:
    """How much there is to average over."""
    with_lumo = sum(t["LUMO"].size for t in targets)
    heavy = [int(np.sum(r.structure.numbers > 1)) for r in records]
    return (
        f"{len(records)} structures of {len({r.molecule for r in records})} molecules with "
        f"{min(heavy)} to {max(heavy)} heavy atoms; {with_lumo} have a valence LUMO."
    )


def main() -> None:
    """Compute, write accuracy.md, accuracy.json and accuracy-parity.png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reference = report.HERE.parent / "parameters" / "reference"
    parser.add_argument("--parameters", default="organic-1")
    datasets = [reference / f"{name}.h5" for name in ("organic", "organic-forces")]
    parser.add_argument("--dataset", type=Path, nargs="+", default=datasets)
    larger_files = sorted(reference.glob("larger*.h5"))
    parser.add_argument("--larger", type=Path, nargs="*", default=larger_files)
    options = parser.parse_args()
    parameters = Parameters.load(options.parameters)
    dataset = ReferenceDataset.load(*options.dataset)
    larger = ReferenceDataset.load(*options.larger)

    training = covered(dataset.split("train"), parameters)
    targets = [of_reference(r) for r in training]
    lines = linear_map([of_gfn2(r) for r in _track(training, "GFN2-xTB fit")], targets)
    sets = {"test molecules": covered(dataset.split("test"), parameters)}
    if len(larger):
        sets["larger molecules"] = covered(larger, parameters)

    sections = [" ".join(__doc__.split("\n\n", 2)[2].split()), _lines_text(lines)]
    data: dict[str, object] = {
        "parameters": {"name": parameters.name, "checksum": parameters.checksum},
        "dataset": {"files": [d.name for d in options.dataset], "checksum": dataset.checksum},
        "gfn2_linear_map": lines,
    }
    plots = {}
    for name, records in sets.items():
        used = [r for r in dataset if name == "larger molecules" or r.split != "test"]
        check_apart(records, used, name)
        rows, expected, model = section(records, parameters, lines)
        plots[name] = (expected, model)
        sections += [
            f"## {name.capitalize()}",
            counts(records, expected),
            report.table(["method", *_head()], [row.cells() for row in rows]),
        ]
        data[name] = {row.method: {"mae": row.mae, "sem": row.uncertainty} for row in rows}
        if name == "larger molecules":
            sections.append(details(records, expected, model))
    parity_plot(report.HERE / "accuracy-parity.png", plots, parameters.name)
    sections.append("![Parity plots](accuracy-parity.png)")
    report.write("accuracy", f"Accuracy of {parameters.name}", sections, data)


def _lines_text(lines: dict[str, tuple[float, float]]) -> str:
    parts = [f"{name} {slope:.3f} x {offset:+.2f} eV" for name, (slope, offset) in lines.items()]
    return (
        "Mean absolute errors ± standard error over molecules; the dipole error is the length of "
        "the error vector. GFN2-xTB lines: " + ", ".join(parts) + "; its dipole is not mapped."
    )


if __name__ == "__main__":
    main()
