"""Singlets of larger molecules against CAM-B3LYP/def2-TZVP, TDA-ris.

    python validation/excitations_larger.py --parameters organic-1

Molecules of `larger.smi`, most of them of eight to fourteen heavy atoms, none in any fit: valence
states of the reference (those that the minimal basis holds), raised by what TDA-ris lacks on
average (0.08 eV, `ris.md`), beside those of the model that they resemble most. The bright state is
the one of the lowest five with the largest oscillator strength of the reference; its strength is
compared with that of the state matched to it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import report
from rich.progress import track

from mlsemi import singlepoint
from mlsemi.parameters import Parameters
from mlsemi.training.dataset import Reference, ReferenceDataset
from mlsemi.training.excitation_cases import VALENCE_NORM, cases_of, match
from mlsemi.training.excitation_fit import shifted_ris
from mlsemi.units import HARTREE_EV

DATASET = report.HERE.parent / "parameters" / "reference" / "larger-ris.h5"
N_MODEL, N_LOWEST = 20, 5


class Singlets(NamedTuple):
    """What one molecule shows: energies in eV, NaN where nothing matches.

    ``matched`` are errors of the lowest five valence states; ``bright`` and ``strength`` pairs of
    model and reference.
    """

    label: str
    lowest: tuple[float, float]
    matched: np.ndarray
    bright: tuple[float, float]
    strength: tuple[float, float]


def valence(record: Reference) -> np.ndarray:
    """Which TDA-ris singlets of a record the minimal basis holds."""
    assert record.ris_transitions is not None
    return np.sum(record.ris_transitions**2, axis=(1, 2)) > VALENCE_NORM


def compare(record: Reference, parameters: Parameters) -> Singlets:
    """Model and reference of one molecule."""
    (case,) = cases_of(parameters, [shifted_ris(record)])
    states = singlepoint(record.structure, parameters=parameters, singlets=N_MODEL).singlets
    assert states is not None
    assert record.ris_strengths is not None
    reference = HARTREE_EV * case.energies["singlet"][:N_LOWEST]
    found = match(case, states)[0][:N_LOWEST]
    model = np.where(found >= 0, HARTREE_EV * states.energies[found], np.nan)
    strengths = record.ris_strengths[valence(record)][:N_LOWEST]
    bright = int(np.argmax(strengths))
    own = states.oscillator_strengths[found[bright]] if found[bright] >= 0 else np.nan
    return Singlets(
        record.label,
        (HARTREE_EV * float(states.energies[0]), float(reference[0])),
        model - reference,
        (float(model[bright]), float(reference[bright])),
        (float(own), float(strengths[bright])),
    )


def summary(found: list[Singlets]) -> dict[str, tuple[int, float, float]]:
    """Number, mean and mean absolute error of each quantity (strengths: relative)."""
    errors = {
        "lowest singlet / eV": np.array([s.lowest[0] - s.lowest[1] for s in found]),
        "five lowest, matched / eV": np.concatenate([s.matched for s in found]),
        "bright state / eV": np.array([s.bright[0] - s.bright[1] for s in found]),
        "its strength, relative": np.array([s.strength[0] / s.strength[1] - 1.0 for s in found]),
    }
    return {
        name: (int(e.size), float(e.mean()), float(np.abs(e).mean()))
        for name, e in ((name, e[np.isfinite(e)]) for name, e in errors.items())
    }


def main() -> None:
    """Compare, write excitations_larger.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    parser.add_argument("--dataset", type=Path, default=DATASET)
    options = parser.parse_args()
    parameters = Parameters.load(options.parameters)
    records = [r for r in ReferenceDataset.load(options.dataset) if valence(r).any()]
    found = [compare(r, parameters) for r in track(records, "molecules", transient=True)]
    errors = summary(found)
    head = ["molecule", "S1", "reference", "bright state", "reference", "strength", "reference"]
    rows = [
        [f"`{s.label}`", *(f"{v:.2f}" for v in (*s.lowest, *s.bright, *s.strength))] for s in found
    ]
    report.write(
        "excitations_larger",
        f"Singlets of larger molecules, {options.parameters}",
        [
            " ".join(__doc__.split("\n\n", 2)[2].split()),
            report.table(
                ["quantity", "number", "mean error", "mean absolute error"],
                [[k, n, f"{mean:+.3f}", f"{mae:.3f}"] for k, (n, mean, mae) in errors.items()],
            ),
            "Energies in eV:\n\n" + report.table(head, rows),
        ],
        {
            "parameters": parameters.name,
            "checksum": parameters.checksum,
            "errors": errors,
            "molecules": [s._asdict() | {"matched": s.matched.tolist()} for s in found],
        },
    )


if __name__ == "__main__":
    main()
