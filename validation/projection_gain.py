"""What projection buys: full Fock matrices against projected valence Hamiltonians, many molecules.

    python validation/projection_gain.py [--molecules 500] [--heavy 6]

Geometries are those of the project's reference records (`parameters/reference`), one thermal or
relaxed geometry per molecule of H, C, N, O. Hartree-Fock/def2-SVP and Hartree-Fock/STO-3G with
density fitting (PySCF) are computed for each and cached in `runs/frames`; from the same def2-SVP
calculation come the full Fock matrix (learnt with the exact overlap at hand) and the projected
valence Hamiltonian. The B3LYP/def2-TZVP projection is in the records already. All targets are
learnt in the same way from features of the same size; molecules are split by the records' own hash.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import time
from typing import NamedTuple

import h5py
import numpy as np
import report
from panels import Panel, figure_of
from pyscf import gto, lib, scf
from rich.progress import track
from thermal_frames import CACHE, core_orbitals, projected, reduced

from mlsemi.draw.plots import save
from mlsemi.molecule.structure import Structure
from mlsemi.representations.learning.block_features import BlockFeatures
from mlsemi.representations.learning.conventions import pyscf_layout
from mlsemi.representations.learning.hamiltonian import OperatorRegressor, levels
from mlsemi.representations.learning.operators import OperatorLayout
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.units import HARTREE_EV

FILES = ("organic.h5", "organic-forces.h5", "small.h5")
ELEMENTS = (1, 6, 7, 8)
SIZES = (50, 100, 200, 400)
MINIMAL = OperatorLayout({1: (0,), 6: (0, 1), 7: (0, 1), 8: (0, 1)})


class Target(NamedTuple):
    """One kind of matrix to learn.

    Attributes
    ----------
    layout : OperatorLayout
    matrices : list of arrays
    overlaps : list of arrays or None
    cores : list of int
        Core orbitals at the bottom of each spectrum.
    """

    layout: OperatorLayout
    matrices: list[np.ndarray]
    overlaps: list[np.ndarray] | None
    cores: list[int]


def molecule_of(structure: Structure, basis: str) -> gto.Mole:
    """PySCF's molecule."""
    atoms = list(zip(structure.symbols, structure.positions.tolist(), strict=True))
    return gto.M(atom=atoms, unit="Bohr", basis=basis, charge=structure.charge, verbose=0)


def layout_of(basis: str) -> OperatorLayout:
    """Shells of a basis for the elements that are learnt."""
    atoms = gto.M(atom=[(z, (9.0 * z, 0.0, 0.0)) for z in ELEMENTS], basis=basis, spin=None)
    return pyscf_layout([atoms])


def calculations(records: list[Reference], basis: str) -> list[dict[str, np.ndarray]]:
    """Hartree-Fock of every record, from the cache or computed."""
    lib.num_threads(1)
    CACHE.mkdir(parents=True, exist_ok=True)
    out = []
    with h5py.File(CACHE / f"organic-hf-{basis}.h5", "a") as file:
        for record in track(records, basis, transient=True):
            if record.molecule not in file:
                solver = scf.RHF(molecule_of(record.structure, basis)).density_fit()
                solver.conv_tol = 1e-9
                solver.kernel()
                group = file.create_group(record.molecule + ".part")
                for name, value in reduced(solver, record.structure).items():
                    group[name] = value
                file.move(group.name, record.molecule)
                file.flush()
            out.append({name: value[()] for name, value in file[record.molecule].items()})
    return out


def targets_of(records: list[Reference]) -> dict[str, Target]:
    """The four kinds of matrices."""
    cores = [core_orbitals(r.structure) for r in records]
    none = [0] * len(records)
    large, small = calculations(records, "def2-svp"), calculations(records, "sto-3g")
    saph = [
        projected(r.structure, row["amplitudes"], row["energies"])
        for r, row in zip(records, large, strict=True)
    ]
    full = {
        f"full {basis}": Target(
            layout_of(basis), [r["fock"] for r in rows], [r["overlap"] for r in rows], cores
        )
        for basis, rows in (("STO-3G", small), ("def2-SVP", large))
    }
    return full | {
        "projected def2-SVP": Target(MINIMAL, saph, None, none),
        "projected B3LYP/def2-TZVP": Target(MINIMAL, [r.hamiltonian for r in records], None, none),
    }


def valence_errors(
    predicted: list[np.ndarray], target: Target, rows: np.ndarray, n_occupied: list[int]
) -> dict[str, float]:
    """Mean absolute errors of levels and root mean square error of matrix elements, meV."""
    metric = None if target.overlaps is None else [target.overlaps[i] for i in rows]
    truth = levels([target.matrices[i] for i in rows], metric)
    found = levels(predicted, metric)
    occupied, homo, lumo, elements = [], [], [], []
    for i, matrix, new, old in zip(rows, predicted, found, truth, strict=True):
        low, high = target.cores[i], target.cores[i] + n_occupied[i]
        rest = np.abs(new - old)
        occupied.append(rest[low:high].mean())
        homo.append(rest[high - 1])
        lumo.append(rest[high] if high < rest.size else np.nan)
        elements.append(((matrix - target.matrices[i]) ** 2).ravel())
    ev = 1000.0 * HARTREE_EV
    return {
        "occupied_mev": ev * float(np.mean(occupied)),
        "homo_mev": ev * float(np.mean(homo)),
        "lumo_mev": ev * float(np.nanmean(lumo)),
        "elements_rmse_mev": ev * float(np.sqrt(np.mean(np.concatenate(elements)))),
    }


def curve(
    target: Target, records: list[Reference], train: np.ndarray, test: np.ndarray
) -> dict[int, dict[str, float]]:
    """Errors for every number of training molecules."""
    structures = [r.structure for r in records]
    n_occupied = [s.n_electron // 2 for s in structures]
    features = BlockFeatures(
        target.layout, nu=2, cutoff=10.0, n_radial=6, l_density=3, n_keep=40, n_product=500
    )
    x = features.fit([structures[i] for i in train[: SIZES[0]]]).transform(structures)
    out = {}
    for size in [n for n in SIZES if n < train.size] + [train.size]:
        begin = time.process_time()
        rows = train[:size]
        model = OperatorRegressor(target.layout).fit(
            [x[i] for i in rows], [target.matrices[i] for i in rows]
        )
        fitted = time.process_time() - begin
        predicted = model.predict([x[i] for i in test])
        out[int(size)] = valence_errors(predicted, target, test, n_occupied) | {"fit_s": fitted}
    return out


def main() -> None:
    """Compute, write projection_gain.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--molecules", type=int, default=500)
    parser.add_argument("--heavy", type=int, default=6)
    arguments = parser.parse_args()
    folder = report.HERE.parent / "parameters" / "reference"
    records = [
        r
        for r in ReferenceDataset.load(*(folder / name for name in FILES))
        if 1 <= (r.structure.numbers > 1).sum() <= arguments.heavy and r.structure.charge == 0
    ]
    chosen = np.random.default_rng(0).permutation(len(records))[: arguments.molecules]
    records = [records[i] for i in np.sort(chosen)]
    order = np.random.default_rng(1).permutation(len(records))
    test = np.array([i for i in order if records[i].split == "test"])
    train = np.array([i for i in order if records[i].split != "test"])
    targets = targets_of(records)
    curves = {name: curve(target, records, train, test) for name, target in targets.items()}
    last = {name: by[max(by)] for name, by in curves.items()}
    sizes = {
        name: (
            float(np.mean([m.size for m in t.matrices])),
            sum(len(c) for c in t.layout.columns(np.array(ELEMENTS)).values()),
        )
        for name, t in targets.items()
    }
    keys = ("occupied_mev", "homo_mev", "lumo_mev", "elements_rmse_mev")
    slowest = max(row["fit_s"] for row in last.values())
    rows = []
    for name, errors in last.items():
        size = (f"{sizes[name][0]:.0f}", sizes[name][1])
        values = (f"{errors[key]:.0f}" for key in keys)
        rows.append([name, *size, *values, f"{errors['fit_s'] / slowest:.2f}"])
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        f"{len(records)} molecules of up to {arguments.heavy} heavy atoms, {train.size} for "
        f"training, {test.size} for testing. Mean absolute errors of the orbital energies "
        "(occupied valence levels, HOMO, LUMO) against the exact ones of the same target, with "
        "all training molecules; time of the fit as a fraction of the slowest:",
        report.table(
            [
                "target",
                "elements per molecule",
                "block models",
                "occupied / meV",
                "HOMO / meV",
                "LUMO / meV",
                "matrix elements, RMS / meV",
                "time",
            ],
            rows,
        ),
        "![learning curves](projection_gain.png)",
    ]
    panels = [
        Panel(
            "training molecules",
            f"{title} MAE / meV",
            {
                name: (list(by), [row[key] for row in by.values()], "o-")
                for name, by in curves.items()
            },
        )
        for key, title in (("occupied_mev", "occupied levels"), ("lumo_mev", "LUMO"))
    ]
    save(figure_of(panels), report.HERE / "projection_gain.png")
    report.write(
        "projection_gain",
        "What projection buys",
        sections,
        {"molecules": len(records), "train": train.size, "test": test.size, "errors": curves},
    )


if __name__ == "__main__":
    main()
