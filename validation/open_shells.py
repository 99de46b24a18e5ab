"""Bonds to hydrogen, triplets, and three cases that fail easily: what has no closed shell.

    python validation/open_shells.py

- Bond dissociation energies of X-H bonds. Where the radical has an energy of its own it is taken;
  otherwise the bond is stretched to ``FAR`` times its length, which the parameters have learned,
  the rest held. Published enthalpies at 298 K (Luo, Comprehensive Handbook of Chemical Bond
  Energies, CRC 2007; Blanksby, Ellison, Acc. Chem. Res. 36, 255 (2003)) less 1.4 kcal/mol, plus
  what the zero-point energy takes from a bond of its kind in the smallest molecule that has one.
- Vertical singlet-triplet gaps against unrestricted B3LYP/def2-TZVP (``vertical.json``), of
  molecules that took no part in a fit.
- O2 and methylene have triplet ground states; the charges of the benzene cation are symmetric.
"""

from __future__ import annotations

import json

import numpy as np
import report
from ase import Atoms
from ase.build import molecule

import mlsemi
from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.geometries import bonds_of, embed, relax, seed_of
from mlsemi.units import HARTREE_EV

KCAL = 627.5094740631
FAR = 2.8
ZERO_POINT = {"C": 8.9, "N": 9.5, "O": 7.9, "F": 5.9, "S": 6.1, "Cl": 4.3}
"""De - D0 of methane, ammonia, water, hydrogen fluoride, hydrogen sulfide, hydrogen chloride."""
BONDS = [
    ("C", "C", 105.0), ("CC", "C", 101.1), ("CCC", "CH", 98.6), ("CC(C)C", "CH1", 96.5),
    ("C=C", "C", 110.7), ("C#C", "C", 133.3), ("C#N", "C", 126.3), ("C=CC", "CH3", 88.8),
    ("c1ccccc1", "C", 112.9), ("Cc1ccccc1", "CH3", 89.7), ("C=O", "C", 88.1), ("CC=O", "CHO", 89.4),
    ("CO", "C", 96.1), ("CO", "O", 104.6), ("O", "O", 118.8), ("OO", "O", 87.8), ("N", "N", 107.6),
    ("CN", "N", 101.6), ("S", "S", 91.2), ("CS", "S", 87.4), ("Oc1ccccc1", "O", 86.5),
    ("F", "F", 136.3), ("Cl", "Cl", 103.2),
]  # fmt: skip
"""SMILES, the atom that loses hydrogen (with how many it has, CHO an aldehyde's), kcal/mol."""


def bond_of(atoms: Atoms, kind: str) -> tuple[int, int]:
    """Hydrogen and heavy atom of the bond."""
    numbers, x = atoms.numbers, atoms.positions
    distance = np.linalg.norm(x[:, None] - x, axis=2)
    carriers = {}
    for h in np.flatnonzero(numbers == 1).tolist():
        heavy = np.flatnonzero(numbers > 1)
        carriers.setdefault(int(heavy[np.argmin(distance[h, heavy])]), []).append(h)
    element = kind.rstrip("0123456789") if kind not in ("CH", "CHO", "CH3", "CH1") else "C"
    least = {"CH": 2, "CH1": 1, "CH3": 3}.get(kind)
    for atom, hydrogens in sorted(carriers.items()):
        near_oxygen = np.any((numbers == 8) & (distance[atom] < 1.3))
        if atoms[atom].symbol != element or (kind == "CHO" and not near_oxygen):
            continue
        if least is None or len(hydrogens) == least:
            return hydrogens[0], atom
    raise ValueError(kind)


def energy(atoms: Atoms, multiplicity: int = 1) -> float | None:
    """Hartree; None where it is not known."""
    return mlsemi.singlepoint(atoms, multiplicity=multiplicity).energy


def dissociation(smiles: str, kind: str) -> tuple[float, str]:
    """Energy of a bond, kcal/mol, and how it was had."""
    start, charge = embed(smiles, seed_of(smiles, 0))
    atoms = relax(start, charge, bonds=bonds_of(smiles))
    h, x = bond_of(atoms, kind)
    whole = energy(atoms)
    assert whole is not None
    rest = atoms.copy()
    del rest[h]
    radical, hydrogen = energy(rest, 2), energy(Atoms("H"), 2)
    if radical is not None and hydrogen is not None:
        return KCAL * (radical + hydrogen - whole), "radical"
    atoms.positions[h] += (FAR - 1.0) * (atoms.positions[h] - atoms.positions[x])
    far = energy(atoms)
    assert far is not None
    return KCAL * (far - whole), "stretched"


def bond_rows() -> list[tuple[str, str, str, float, float]]:
    """Molecule, bond, way, energy here and from published enthalpies, kcal/mol."""
    rows = []
    for smiles, kind, enthalpy in BONDS:
        own, how = dissociation(smiles, kind)
        element = "C" if kind.startswith("CH") else kind
        rows.append((smiles, f"{element}-H", how, own, enthalpy - 1.4 + ZERO_POINT[element]))
    return rows


def gap_rows() -> list[tuple[str, float, float]]:
    """Molecule, vertical gap here and of the reference, eV."""
    stored = report.HERE.parent / "parameters" / "reference" / "vertical.json"
    rows = []
    for name, entry in json.loads(stored.read_text()).items():
        if entry["split"] == "train":
            continue
        numbers, positions = np.array(entry["numbers"]), np.array(entry["positions_bohr"])
        try:
            singlet, triplet = (
                mlsemi.singlepoint(Structure(numbers, positions, 0, spin)).energy for spin in (1, 3)
            )
        except InputError:
            continue
        if singlet is not None and triplet is not None:
            gap = entry["triplet"]["energy"] - entry["neutral"]["energy"]
            rows.append((name, HARTREE_EV * (triplet - singlet), HARTREE_EV * gap))
    return rows


def bent(length: float, angle: float) -> Atoms:
    """Methylene."""
    half = np.radians(angle) / 2.0
    x, y = length * np.sin(half), length * np.cos(half)
    return Atoms("CH2", [[0.0, 0.0, 0.0], [x, y, 0.0], [-x, y, 0.0]])


def hard_rows() -> list[tuple[str, str, str]]:
    """Case, here, measured."""
    pairs = {
        "O2: triplet below the singlet, eV": (molecule("O2"), molecule("O2"), "0.98 (1Delta)"),
        "methylene: triplet below the singlet, eV": (
            bent(1.107, 102.4), bent(1.077, 133.9), "0.39",
        ),
    }  # fmt: skip
    rows = []
    for name, (closed, opened, measured) in pairs.items():
        singlet, triplet = energy(closed), energy(opened, 3)
        assert singlet is not None
        assert triplet is not None
        rows.append((name, f"{HARTREE_EV * (singlet - triplet):.2f}", measured))
    cation = mlsemi.singlepoint(molecule("C6H6"), charge=1, multiplicity=2).charges
    spread = max(np.ptp(cation[:6]), np.ptp(cation[6:]))
    rows.append(("benzene cation: spread of the charges of C and of H, e", f"{spread:.0e}", "0"))
    return rows


def summary(title: str, errors: np.ndarray, asked: str) -> tuple[str, ...]:
    """Row of the first table."""
    return (
        title, str(errors.size), f"{errors.mean():+.2f}", f"{np.abs(errors).mean():.2f}",
        f"{np.abs(errors).max():.2f}", asked,
    )  # fmt: skip


def main() -> None:
    """Write validation/open_shells.md."""
    bonds, gaps, hard = bond_rows(), gap_rows(), hard_rows()
    of_bonds = np.array([row[3] - row[4] for row in bonds])
    of_gaps = np.array([row[1] - row[2] for row in gaps])
    report.write(
        "open_shells",
        "Bonds to hydrogen, triplets, degenerate shells",
        [
            report.table(
                ("", "number", "mean error", "mean absolute", "largest", "asked"),
                [
                    summary("X-H bonds, kcal/mol", of_bonds, "5"),
                    summary("vertical singlet-triplet gaps, eV", of_gaps, "0.2"),
                ],
            ),
            report.table(("case", "here", "measured"), hard),
            "## Bonds, kcal/mol\n\n"
            + report.table(
                ("molecule", "bond", "by", "here", "published, without zero-point energy"),
                [(n, b, how, f"{a:.1f}", f"{r:.1f}") for n, b, how, a, r in bonds],
            ),
            "## Vertical gaps, eV\n\n"
            + report.table(
                ("molecule", "here", "B3LYP"),
                [(n, f"{a:.2f}", f"{b:.2f}") for n, a, b in gaps],
            ),
        ],
        {"bonds": bonds, "gaps": gaps, "hard": hard},
    )


if __name__ == "__main__":
    main()
