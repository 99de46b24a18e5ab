r"""TDA-ris against the full Tamm-Dancoff approximation of the same functional.

    mlsemi reference parameters/reference/excitations.h5 -o runs/ris-camb3lyp.h5 \
        --method camb3lyp --excitations 5 --ris 5
    mlsemi reference parameters/reference/excitations.h5 -o runs/ris-b3lyp.h5 \
        --method b3lyp --excitations 5 --ris 5
    python validation/ris.py runs/ris-camb3lyp.h5 runs/ris-b3lyp.h5

The cheap integrals of TDA-ris replace nothing but the response: orbitals and geometries are the
same on both sides, so that the difference is the error of the integrals alone. States are compared
in the order of their energies.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import report
from panels import Panel, figure_of

from mlsemi.plots import save
from mlsemi.training.dataset import ReferenceDataset
from mlsemi.units import HARTREE_EV

N_STATE = 5


def energies_of(path: Path) -> tuple[str, np.ndarray, np.ndarray]:
    """Functional, and the lowest singlets (n_molecule, N_STATE) of ris and in full, eV."""
    dataset = ReferenceDataset.load(path)
    both = [r for r in dataset if r.ris_energies is not None and r.singlet_energies is not None]
    if not both:
        raise SystemExit(f"{path}: no record has singlets of both kinds")
    ris = np.array([r.ris_energies[:N_STATE] for r in both]) * HARTREE_EV
    full = np.array([r.singlet_energies[:N_STATE] for r in both]) * HARTREE_EV
    return str(dataset.provenance["level"]["method"]), ris, full


def main() -> None:
    """Compare, write ris.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", type=Path, nargs="+")
    rows, panels, summary = [], [], {}
    for path in parser.parse_args().datasets:
        method, ris, full = energies_of(path)
        rest = ris - full
        figures = {
            "molecules": len(rest),
            "s1_mean_ev": float(rest[:, 0].mean()),
            "s1_mae_ev": float(np.abs(rest[:, 0]).mean()),
            "singlets_mean_ev": float(rest.mean()),
            "singlets_mae_ev": float(np.abs(rest).mean()),
            "largest_ev": float(np.abs(rest).max()),
        }
        summary[method] = figures
        rows.append(
            [method, *(f"{v:.3f}" if isinstance(v, float) else v for v in figures.values())]
        )
        ends = np.array([full.min(), full.max()])
        panels.append(
            Panel(
                "full / eV",
                "ris / eV",
                {
                    "higher": (full[:, 1:].ravel(), ris[:, 1:].ravel(), "."),
                    "lowest": (full[:, 0], ris[:, 0], "o"),
                    "equal": (ends, ends, "-"),
                },
                logarithmic="",
                title=method,
            )
        )
    save(figure_of(panels), report.HERE / "ris.png")
    head = ["functional", "molecules", "S1, mean / eV", "S1, MAE / eV"]
    head += ["five singlets, mean / eV", "five singlets, MAE / eV", "largest / eV"]
    report.write(
        "ris",
        "TDA-ris against full Tamm-Dancoff singlets",
        [
            " ".join(__doc__.split("\n\n", 2)[2].split()),
            report.table(head, rows),
            "![ris](ris.png)",
        ],
        summary,
    )


if __name__ == "__main__":
    main()
