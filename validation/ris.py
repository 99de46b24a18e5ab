r"""TDA-ris against the full Tamm-Dancoff approximation of the same functional.

    cd parameters/reference
    python ../../validation/ris.py excitations*.h5 singlets.h5 ris-b3lyp.h5

The cheap integrals of TDA-ris replace nothing but the response: functional and geometry are the
same on both sides, so that the difference is the error of the integrals alone. States are compared
in the order of their energies. Both may stand in one record or in two of the same geometry.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import report
from panels import Panel, figure_of

from mlsemi.draw.plots import save
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.units import HARTREE_EV

N_STATE = 5


Geometry = tuple[bytes, bytes]


def energies_of(paths: list[Path]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lowest singlets (n_molecule, N_STATE) of ris and in full of each functional, eV."""
    ris: dict[str, dict[Geometry, np.ndarray]] = {}
    full: dict[str, dict[Geometry, np.ndarray]] = {}
    for path in paths:
        dataset = ReferenceDataset.load(path)
        method = str(dataset.provenance["level"]["method"])
        for record in dataset:
            x = record.structure
            geometry = x.numbers.tobytes(), x.positions.round(6).tobytes()
            for found, energies in ((ris, record.ris_energies), (full, record.singlet_energies)):
                if energies is not None:
                    found.setdefault(method, {})[geometry] = energies[:N_STATE] * HARTREE_EV
    out = {}
    for method, known in full.items():
        both = [geometry for geometry in known if geometry in ris.get(method, {})]
        if both:
            out[method] = (
                np.array([ris[method][geometry] for geometry in both]),
                np.array([known[geometry] for geometry in both]),
            )
    if not out:
        raise SystemExit("no geometry has singlets of both kinds")
    return out


def main() -> None:
    """Compare, write ris.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", type=Path, nargs="+")
    rows, panels, summary = [], [], {}
    for method, (ris, full) in energies_of(parser.parse_args().datasets).items():
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
