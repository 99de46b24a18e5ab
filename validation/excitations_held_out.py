"""Singlets of held-out and of larger molecules against CAM-B3LYP/def2-TZVP, TDA-ris.

    python validation/excitations_held_out.py --parameters organic-1

Test molecules of `singlets.h5` and `ris-camb3lyp*.h5`, of up to nine heavy atoms, and molecules of
`larger.smi`, none of them in any fit (S1 of some was computed for the table of `excitations.md`).
Valence states of the reference, those that the minimal basis holds, raised by what TDA-ris lacks
on average (0.07 eV, `ris.md`), beside those of the model that they resemble most. The bright state
is the one of the lowest five with the largest oscillator strength of the reference; it counts where
that is 0.05 at least, and its strength is compared with that of the state matched to it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from typing import NamedTuple

import numpy as np
import report
from rich.progress import track

from mlsemi import singlepoint
from mlsemi.parameters import Parameters
from mlsemi.training.calibration.moment_fit import N_LOWEST, brightest
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.objective.excitation_cases import (
    BRIGHT,
    N_MODEL,
    cases_of,
    match,
    reference_strengths,
    shifted_ris,
)
from mlsemi.units import HARTREE_EV

FOLDER = report.HERE.parent / "parameters" / "reference"
HELD_OUT = ("singlets.h5", "ris-camb3lyp.h5", "ris-camb3lyp-2.h5")
LARGER = "ris-larger.h5"


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


def compare(record: Reference, parameters: Parameters) -> Singlets:
    """Model and reference of one molecule, a record of :func:`shifted_ris`."""
    (case,) = cases_of(parameters, [record])
    states = singlepoint(record.structure, parameters=parameters, singlets=N_MODEL).singlets
    assert states is not None
    reference = HARTREE_EV * case.energies["singlet"][:N_LOWEST]
    found = match(case, states)[0][:N_LOWEST]
    model = np.where(found >= 0, HARTREE_EV * states.energies[found], np.nan)
    bright, ours = brightest(case, states)
    own = states.oscillator_strengths[ours] if ours >= 0 else np.nan
    return Singlets(
        record.label,
        (HARTREE_EV * float(states.energies[0]), float(reference[0])),
        model - reference,
        (float(model[bright]), float(reference[bright])),
        (float(own), float(reference_strengths(record)[bright])),
    )


def held_out_sets() -> dict[str, ReferenceDataset]:
    """Records of the two tables."""
    return {
        "held-out molecules": ReferenceDataset.load(*(FOLDER / f for f in HELD_OUT)).split("test"),
        "larger molecules": ReferenceDataset.load(FOLDER / LARGER),
    }


def compare_all(records: ReferenceDataset, name: str, parameters: Parameters) -> list[Singlets]:
    """Those with a valence state; ``name`` is for the progress bar."""
    return [
        compare(r, parameters)
        for r in track(list(map(shifted_ris, records)), name, transient=True)
        if reference_strengths(r).size
    ]


def summary(found: list[Singlets]) -> dict[str, tuple[int, float, float]]:
    """Number, mean and mean absolute error of each quantity (strengths: relative)."""
    bright = [s for s in found if s.strength[1] >= BRIGHT]
    errors = {
        "lowest singlet / eV": np.array([s.lowest[0] - s.lowest[1] for s in found]),
        "five lowest, matched / eV": np.concatenate([s.matched for s in found]),
        "bright state / eV": np.array([s.bright[0] - s.bright[1] for s in bright]),
        "its strength, relative": np.array([s.strength[0] / s.strength[1] - 1.0 for s in bright]),
    }
    return {
        name: (int(e.size), float(e.mean()), float(np.abs(e).mean()))
        for name, e in ((name, e[np.isfinite(e)]) for name, e in errors.items())
    }


def main() -> None:
    """Compare, write excitations_held_out.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    parameters = Parameters.load(parser.parse_args().parameters)
    found = {
        name: compare_all(records, name, parameters) for name, records in held_out_sets().items()
    }
    errors = {name: summary(some) for name, some in found.items()}
    summaries = [
        [name, len(found[name]), quantity, n, f"{mean:+.3f}", f"{mae:.3f}"]
        for name, some in errors.items()
        for quantity, (n, mean, mae) in some.items()
    ]
    head = ["molecule", "S1", "reference", "bright state", "reference", "strength", "reference"]
    tables = [
        f"{name.capitalize()}, energies in eV:\n\n"
        + report.table(
            head,
            [
                [f"`{s.label}`", *(f"{v:.2f}" for v in (*s.lowest, *s.bright, *s.strength))]
                for s in some
            ],
        )
        for name, some in found.items()
    ]
    report.write(
        "excitations_held_out",
        f"Singlets of molecules outside the fit, {parameters.name}",
        [
            " ".join(__doc__.split("\n\n", 2)[2].split()),
            report.table(
                ["set", "molecules", "quantity", "number", "mean error", "mean absolute error"],
                summaries,
            ),
            *tables,
        ],
        {"parameters": parameters.name, "checksum": parameters.checksum, "errors": errors},
    )


if __name__ == "__main__":
    main()
