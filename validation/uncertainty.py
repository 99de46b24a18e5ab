"""Does the uncertainty rank the errors? Held-out molecules, error against predicted spread.

    python validation/uncertainty.py --parameters organic-1

Test structures of all training files; for excitations the test molecules of `excitations*.h5`
against CAM-B3LYP (valence states, triplets shifted as in the fit of the constants). Occupied levels
count once per molecule (mean of errors and mean of uncertainties), charges once per atom. Panels of
one quantity: mean absolute error in ten bins of equal number, sorted by the uncertainty; on the
line the mean error of a normal distribution of that width. Last: share of the errors inside central
intervals of that distribution. The rank correlation is Spearman's; the last table separates
structures with an atom outside the training domain.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections import defaultdict

import numpy as np
import report
from accuracy import of_reference
from held_out import FOLDER, test_records
from panels import Panel, figure_of
from rich.progress import track
from scipy.stats import norm, spearmanr

from mlsemi import singlepoint
from mlsemi.draw.plots import save
from mlsemi.parameters import Parameters
from mlsemi.training.calibration.committee_fit import excitation_errors_and_spreads
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.units import HARTREE_EV

N_BIN = 10
UNITS = {
    "occupied": "eV",
    "HOMO": "eV",
    "LUMO": "eV",
    "charges": "e",
    "singlets": "eV",
    "triplets": "eV",
}
SHARES = np.linspace(0.05, 0.95, 19)
Pairs = dict[str, list[tuple[float, float]]]


def pairs_of(record: Reference, parameters: Parameters) -> tuple[Pairs, bool]:
    """(uncertainty, absolute error) of every quantity; whether an atom is outside the domain."""
    result = singlepoint(record.structure, parameters=parameters)
    target, n = of_reference(record), record.n_occupied
    energies = result.state.energies * HARTREE_EV
    spread = result.uncertainty
    assert spread is not None
    occupied = float(np.mean(spread.energies[:n]) * HARTREE_EV)
    out: Pairs = {
        "occupied": [(occupied, float(np.abs(energies[:n] - target["occupied"]).mean()))],
        "HOMO": [(spread.homo * HARTREE_EV, abs(float(energies[n - 1] - target["HOMO"][0])))],
        "charges": list(
            zip(spread.charges, np.abs(result.charges - target["charges"]), strict=True)
        ),
    }
    if target["LUMO"].size and energies.size > n:
        error = abs(float(energies[n] - target["LUMO"][0]))
        out["LUMO"] = [(spread.lumo * HARTREE_EV, error)]
    return out, any("outside" in text for text in result.warnings)


def excited_pairs(parameters: Parameters) -> Pairs:
    """(uncertainty, absolute error) of the excitations of test molecules, eV."""
    assert parameters.committee is not None
    dataset = ReferenceDataset.load(*sorted((FOLDER / "reference").glob("excitations*.h5")))
    found = excitation_errors_and_spreads(
        parameters, parameters.committee, list(dataset.split("test"))
    )
    return {
        name: list(zip(spread * HARTREE_EV, error * HARTREE_EV, strict=True))
        for name, (error, spread) in found.items()
    }


def binned(values: np.ndarray, n_bin: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean uncertainty and mean error of bins of equal number, sorted by the uncertainty."""
    order = np.argsort(values[:, 0], kind="stable")
    parts = np.array_split(values[order], n_bin)
    return (
        np.array([part[:, 0].mean() for part in parts]),
        np.array([part[:, 1].mean() for part in parts]),
    )


def main() -> None:
    """Predict, compare, write uncertainty.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    name = parser.parse_args().parameters
    parameters, records = Parameters.load(name), test_records(name)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    occupied: dict[bool, list[float]] = {True: [], False: []}
    for record in track(records, "test structures", transient=True):
        pairs, outside = pairs_of(record, parameters)
        for quantity, values in pairs.items():
            found[quantity] += values
        occupied[outside].append(pairs["occupied"][0][1])
    found |= excited_pairs(parameters)
    rows, figures, summary = [], [], {}
    coverage = {}
    for quantity, unit in UNITS.items():
        values = np.array(found[quantity])
        spread, error = binned(values, N_BIN)
        rank = float(spearmanr(values[:, 0], values[:, 1]).statistic)
        inside = float(np.mean(values[:, 1] < values[:, 0]))
        low, _, high = binned(values, 3)[1].tolist()
        summary[quantity] = {"rank": rank, "inside": inside, "low": low, "high": high}
        rows.append(
            [quantity, len(values), f"{rank:.2f}", f"{inside:.2f}", f"{low:.4f}", f"{high:.4f}"]
        )
        figures.append(
            Panel(
                f"uncertainty of {quantity} / {unit}",
                f"mean error / {unit}",
                {
                    "bins": (spread, error, "o"),
                    "normal": (spread, spread * np.sqrt(2.0 / np.pi), "-"),
                },
            )
        )
        widths = norm.ppf(0.5 + 0.5 * SHARES)
        below = np.mean(values[:, 1, None] < values[:, 0, None] * widths, axis=0)
        coverage[quantity] = (SHARES, below, "-")
    coverage["normal"] = (SHARES, SHARES, "--")
    figures.append(Panel("expected share of errors", "observed share", coverage, logarithmic=""))
    save(figure_of(figures), report.HERE / "uncertainty.png")
    domain = [
        [where, len(v), f"{np.mean(v):.3f}" if v else ""]
        for where, v in (("inside", occupied[False]), ("outside", occupied[True]))
    ]
    head = ["quantity", "values", "rank correlation", "errors below one uncertainty"]
    report.write(
        "uncertainty",
        f"Uncertainties of {name}",
        [
            " ".join(__doc__.split("\n\n", 2)[2].split()),
            report.table([*head, "MAE, surest third", "MAE, least sure third"], rows),
            report.table(["training domain", "structures", "occupied, MAE / eV"], domain),
            "![error against uncertainty](uncertainty.png)",
        ],
        {"parameters": name, "checksum": parameters.checksum, "summary": summary},
    )


if __name__ == "__main__":
    main()
