"""Polarisation of a solvent beside C-PCM of the reference density, and hydration energies.

    python validation/solvation.py                 tables, of all references that are there
    python validation/solvation.py --reference     those that are missing (needs PySCF)

The polar part in water of molecules (ions) against E(C-PCM) - E of B3LYP/def2-TZVP (def2-SVP) with
the same spheres (PySCF, 302 points each); hydration free energies against published values
(FreeSolv: Mobley, Guthrie, J. Comput.-Aided Mol. Des. 28, 711 (2014)). What tension of the cavity
would be best for every second one of these is shown, and the error of the others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import numpy as np
import report
from ase.build import molecule

import mlsemi
from mlsemi.errors import ConvergenceError
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import complete_or_absent
from mlsemi.parameters import Parameters
from mlsemi.response.solvents import TENSION, solvent_of
from mlsemi.sets.releases import DEFAULT
from mlsemi.training.data.dataset import ReferenceDataset

KCAL = 627.5094740631
STORED = report.HERE / "solvation_reference.json"
MOLECULES = [
    "H2O",
    "NH3",
    "CH4",
    "HF",
    "HCN",
    "CO2",
    "H2CO",
    "CH3OH",
    "CH3CN",
    "C2H4",
    "C2H2",
    "HCOOH",
    "CH3CHO",
    "CH3CONH2",
    "CH3NO2",
    "CH3Cl",
    "CH3SH",
    "SH2",
    "SO2",
    "CH3OCH3",
    "CH3CH2OH",
    "CH3COF",
    "HCOOCH3",
    "CH3CH2NH2",
    "CH3SCH3",
    "CH3COCH3",
    "C4H4O",
    "C5H5N",
    "C4H4NH",
    "C6H6",
]
N_ION, LARGEST_ION = 10, 3
PUBLISHED = {
    "C": 2.00, "CC": 1.83, "CCC": 2.00, "C1CCCCC1": 1.23, "C=C": 1.28, "C#C": -0.01,
    "c1ccccc1": -0.90, "Cc1ccccc1": -0.90, "c1ccc2ccccc2c1": -2.40, "CO": -5.10, "CCO": -5.00,
    "CCCO": -4.85, "CC(C)O": -4.74, "Oc1ccccc1": -6.61, "CC(C)=O": -3.80, "CCC(C)=O": -3.71,
    "CC=O": -3.50, "O=Cc1ccccc1": -4.02, "CC(=O)O": -6.69, "COC(C)=O": -3.13, "CCOC(C)=O": -2.94,
    "COC": -1.91, "CCOCC": -1.59, "C1CCOC1": -3.47, "C1COCCO1": -5.06, "COc1ccccc1": -2.45,
    "CN": -4.55, "CNC": -4.29, "CN(C)C": -3.20, "CCN": -4.50, "Nc1ccccc1": -5.49, "c1ccncc1": -4.69,
    "CC#N": -3.88, "CCC#N": -3.84, "CC(N)=O": -9.71, "CN(C)C=O": -7.81, "C[N+](=O)[O-]": -4.02,
    "O=[N+]([O-])c1ccccc1": -4.12, "C1CCNC1": -5.48, "C1COCCN1": -7.17, "CS": -1.20, "CSC": -1.61,
    "c1ccsc1": -1.40, "Sc1ccccc1": -2.55, "CCl": -0.55, "ClCCl": -1.31, "ClC(Cl)Cl": -1.08,
    "Clc1ccccc1": -1.12, "CF": -0.22, "Fc1ccccc1": -0.80, "O": -6.31, "N": -4.29, "S": -0.70,
}  # fmt: skip
"""Hydration free energies, kcal/mol."""


def structures() -> Iterator[tuple[str, Structure]]:
    """Molecules, and ions of the test side, smallest first."""
    for name in MOLECULES:
        atoms = molecule(name)
        if int(atoms.numbers.sum()) % 2 == 0:
            yield name, Structure.from_ase(atoms)
    folder = report.HERE.parent / "parameters" / "reference"
    records = ReferenceDataset.load(*sorted(folder.glob("ions*.h5"))).split("test")
    known = set(Parameters.load(DEFAULT).elements)
    found = [
        record
        for record in records
        if record.structure.charge
        and record.structure.n_atom > 1
        and int((record.structure.numbers > 1).sum()) <= LARGEST_ION
        and set(record.structure.symbols) <= known
    ]
    for record in found[:N_ION]:
        yield record.label, record.structure


def reference() -> None:
    """Compute the polar energies (hartree) of the large basis that are missing."""
    stored: dict[str, float] = json.loads(STORED.read_text()) if STORED.exists() else {}
    missing = [(name, s) for name, s in structures() if name not in stored]
    missing.sort(key=lambda item: (not item[1].charge, item[1].n_orbital))  # a small basis first
    from pyscf import dft, gto, lib

    lib.num_threads(1)
    for name, structure in missing:
        mol = gto.M(
            atom=list(zip(structure.symbols, structure.positions.tolist(), strict=True)),
            unit="Bohr",
            basis="def2-svp" if structure.charge else "def2-tzvp",
            charge=structure.charge,
            verbose=0,
        )
        energies = []
        for solvent in (None, solvent_of("water")):
            solver = dft.RKS(mol, xc="b3lyp").density_fit()
            solver.grids.level = 2
            if solvent is not None:
                solver = solver.PCM()
                solver.with_solvent.method = "C-PCM"
                solver.with_solvent.eps = solvent.epsilon
                solver.with_solvent.lebedev_order = 29
            energies.append(solver.kernel())
        stored[name] = energies[1] - energies[0]
        with complete_or_absent(STORED) as temporary:
            temporary.write_text(json.dumps(stored, indent=1) + "\n")


def polar_rows() -> tuple[list[tuple[str, int, float, float]], list[str]]:
    """Name, charge, polar energy and that of the reference, kcal/mol; and what was refused."""
    stored = json.loads(STORED.read_text())
    rows, runaways = [], []
    for name, structure in structures():
        if name not in stored:
            continue
        try:
            response = mlsemi.singlepoint(structure, solvent="water").response
        except ConvergenceError:
            runaways.append(name)
            continue
        assert response is not None
        own = KCAL * response.polar_energy
        rows.append((name, structure.charge, own, KCAL * stored[name]))
    return rows, runaways


def hydration_rows() -> list[tuple[str, float, float, float]]:
    """SMILES, polar part (kcal/mol), area (bohr^2), published value (kcal/mol)."""
    from mlsemi.training.data.geometries import bonds_of, embed, relax, seed_of

    rows = []
    for smiles, published in PUBLISHED.items():
        atoms, charge = embed(smiles, seed_of(smiles, 0))
        relaxed = relax(atoms, charge, bonds=bonds_of(smiles))
        response = mlsemi.singlepoint(relaxed, solvent="water").response
        assert response is not None
        cavity = response.embedding.cavity
        assert cavity is not None
        area = float(cavity.atom_areas.sum())
        rows.append((smiles, KCAL * response.polar_energy, area, published))
    return rows


def main() -> None:
    """Write validation/solvation.md."""
    if "--reference" in sys.argv:
        reference()
        return
    (polar, runaways), hydration = polar_rows(), hydration_rows()
    parts = []
    for title, charged in (("molecules", False), ("ions", True)):
        pairs = [r[2:] for r in polar if bool(r[1]) == charged]
        if not pairs:
            continue
        own, other = np.array(pairs).T
        parts.append(
            (title, own.size, f"{np.abs(own - other).mean():.2f}",
             f"{100 * np.abs((own - other) / other).mean():.0f} %",
             f"{(own / other).mean():.2f}")
        )  # fmt: skip
    part, area, published = np.array([row[1:] for row in hydration]).T
    fitted = np.sum((published - part)[::2] * area[::2]) / np.sum(area[::2] ** 2)
    error = part + KCAL * TENSION.get("water", 0.0) * area - published
    report.write(
        "solvation",
        "Water: polarisation beside C-PCM of B3LYP, hydration energies beside published ones",
        [
            "## Polar part, kcal/mol\n\n"
            + report.table(("", "number", "mean error", "relative", "mean ratio"), parts)
            + "\n\n"
            + report.table(
                ("", "charge", "here", "C-PCM B3LYP"),
                [(n, f"{q:+d}", f"{a:.2f}", f"{b:.2f}") for n, q, a, b in polar],
            )
            + (
                f"\n\nRefused, since its polarisation runs away: {', '.join(runaways)}."
                * bool(runaways)
            ),
            "## Hydration free energies, kcal/mol\n\n"
            f"Tension fitted to every second one: {fitted / KCAL:.2e} hartree/bohr^2. Mean "
            f"absolute error of the others {np.abs(error[1::2]).mean():.2f}, "
            f"of all {np.abs(error).mean():.2f}.\n\n"
            + report.table(
                ("", "polar", "with the cavity", "published"),
                [
                    (r[0], f"{r[1]:.2f}", f"{r[3] + e:.2f}", f"{r[3]:.2f}")
                    for r, e in zip(hydration, error, strict=True)
                ],
            ),
        ],
        {"polar": polar, "refused": runaways, "hydration": hydration},
    )


if __name__ == "__main__":
    main()
