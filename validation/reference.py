"""Stored reference records against a PySCF input written independently, converged tighter.

    python validation/reference.py --dataset parameters/reference/organic.h5

Five records, spread over the dataset, are computed again by a plain PySCF input: one grid from
the start, energy converged to 1e-10 hartree instead of 1e-8. Differences are those of everything
between: the two-step grid, the convergence threshold and the storage.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import report
from pyscf import dft, gto, lib
from rich.progress import track

from mlsemi.training.data.dataset import Reference, ReferenceDataset

N_RECORD = 5
MAX_ATOM = 14


def compare(record: Reference, method: str, basis: str, grid: int) -> tuple[float, float, float]:
    """Differences of the energy, of valence and virtual levels, and of all levels, hartree."""
    structure = record.structure
    molecule = gto.M(
        atom=[(int(z), xyz) for z, xyz in zip(structure.numbers, structure.positions, strict=True)],
        unit="B",
        basis=basis,
        charge=structure.charge,
        verbose=0,
    )
    plain = dft.RKS(molecule, xc=method).density_fit()
    plain.grids.level = grid
    plain.conv_tol = 1e-10
    energy = plain.kernel()
    change = np.abs(plain.mo_energy[: record.orbital_energies.size] - record.orbital_energies)
    return abs(energy - record.energy), change[record.n_core :].max(), change.max()


def main() -> None:
    """Compute, write reference.md and reference.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = report.HERE.parent / "parameters" / "reference" / "organic.h5"
    parser.add_argument("--dataset", type=Path, default=default)
    dataset = ReferenceDataset.load(parser.parse_args().dataset)
    level = dict(dataset.provenance["level"])
    lib.num_threads(1)
    small = [r for r in dataset if 3 <= r.structure.n_atom <= MAX_ATOM]
    chosen = [small[i] for i in np.linspace(0, len(small) - 1, N_RECORD).astype(int)]
    rows, data = [], {}
    for record in track(chosen, "records", transient=True):
        changes = compare(record, level["method"], level["basis"], level["grid"])
        rows.append([f"`{record.label}`", record.origin, *(f"{x:.1e}" for x in changes)])
        data[record.label] = changes
    head = ["molecule", "geometry", "total energy", "valence and virtual levels", "all levels"]
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        f"Largest absolute differences in hartree, {level['method']}/{level['basis']}:",
        report.table(head, rows),
    ]
    report.write("reference", "Reference records", sections, {"level": level, "differences": data})


if __name__ == "__main__":
    main()
