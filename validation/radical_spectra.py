"""Excited states of radicals beside unrestricted TDDFT.

    python validation/radical_spectra.py                 tables, of all references that are there
    python validation/radical_spectra.py --reference     those that are missing (needs PySCF)

Tamm-Dancoff states of CAM-B3LYP/def2-SVP on the unrestricted ground state, at GFN2-xTB
geometries; none of the radicals is reserved. Each state is kept with the populations of its hole
and its electron in the valence part of MINAO. Those that lie in it by less than ``VALENCE`` are
Rydberg states, which a minimal basis does not have. The others are compared with the state whose
populations are most like theirs.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import report
from ase import Atoms

import mlsemi
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import complete_or_absent
from mlsemi.training.data.exclusion import is_listed, read_hashes
from mlsemi.training.reference.calculation import valence_minimal
from mlsemi.units import HARTREE_EV

STORED = report.HERE / "radical_spectra_reference.json"
EXCLUDED = report.HERE.parent / "parameters" / "reference" / "excluded.txt"
RADICALS = [
    ("C=[CH]", 0), ("[CH]=O", 0), ("O[O]", 0), ("C=[N]", 0), ("C=C", 1), ("C=C[CH2]", 0),
    ("O=[N][O]", 0), ("C=C[O]", 0), ("C=O", 1), ("C#C[CH2]", 0), ("C=CC=C", 1), ("CO[O]", 0),
    ("CN(C)[O]", 0), ("c1ccoc1", 1), ("C[NH]", 0), ("N#C[CH2]", 0), ("C=CC=C[CH2]", 0),
    ("c1ccsc1", 1), ("[O]c1ccccc1", 0),
]  # fmt: skip
"""SMILES and charge."""

N_ROOT = 6
VALENCE = 0.6
MORE_STATES, SHOWN = 14, 3
ALIKE = 0.85


def relaxed(smiles: str, charge: int) -> Structure:
    """Doublet geometry of GFN2-xTB."""
    from ase.optimize import BFGS
    from rdkit import Chem
    from rdkit.Chem import AllChem
    from tblite.ase import TBLite

    built = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if AllChem.EmbedMolecule(built, randomSeed=7):
        raise RuntimeError(f"{smiles}: no geometry")
    numbers = [atom.GetAtomicNum() for atom in built.GetAtoms()]
    atoms = Atoms(numbers, built.GetConformer().GetPositions())
    atoms.rattle(0.02, seed=1)
    atoms.calc = TBLite(method="GFN2-xTB", charge=charge, multiplicity=2, verbosity=0)
    if not BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=0.02, steps=300):
        raise RuntimeError(f"{smiles}: no minimum")
    return Structure(atoms.numbers, atoms.positions / 0.529177210903, charge, 2)


def unrestricted(structure: Structure) -> list[dict[str, object]]:
    """States of one doublet: energy (eV), oscillator strength, hole and electron of both spins."""
    from pyscf import dft, gto

    mol = gto.M(
        atom=list(zip(structure.symbols, structure.positions.tolist(), strict=True)),
        unit="Bohr",
        basis="def2-svp",
        charge=structure.charge,
        spin=1,
        verbose=0,
    )
    solver = dft.UKS(mol, xc="camb3lyp").density_fit()
    solver.grids.level = 1
    solver.kernel()
    if not solver.converged:
        raise RuntimeError("no convergence")
    tda = solver.TDA()
    tda.nstates = N_ROOT
    tda.kernel()
    minimal, picked = valence_minimal(mol)
    values, vectors = np.linalg.eigh(minimal.intor("int1e_ovlp")[np.ix_(picked, picked)])
    root = (vectors / np.sqrt(values)) @ vectors.T
    cross = gto.intor_cross("int1e_ovlp", minimal, mol)[picked]
    valence = root @ cross
    out: list[dict[str, object]] = []
    for energy, strength, (amplitudes, _) in zip(
        tda.e, tda.oscillator_strength(), tda.xy, strict=True
    ):
        holes, electrons = [], []
        for X, C, occupation in zip(amplitudes, solver.mo_coeff, solver.mo_occ, strict=True):
            full = valence @ C
            density = full[:, occupation > 0] @ X @ full[:, occupation == 0].T
            holes.append((density**2).sum(axis=1).round(4).tolist())
            electrons.append((density**2).sum(axis=0).round(4).tolist())
        out.append(
            {
                "energy_ev": round(float(energy) * HARTREE_EV, 4),
                "oscillator_strength": round(float(strength), 5),
                "valence": round(float(np.sum(holes)), 3),
                "holes": holes,
                "electrons": electrons,
            }
        )
    return [{"s2": round(float(solver.spin_square()[0]), 4)}, *out]


def reference() -> None:
    """Compute what is missing."""
    from pyscf import lib

    lib.num_threads(1)
    hashes = read_hashes(EXCLUDED)
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    for smiles, charge in RADICALS:
        name = f"{smiles}{'+' * charge}"
        if name in stored or is_listed(smiles, hashes):
            continue
        structure = relaxed(smiles, charge)
        ground, *states = unrestricted(structure)
        stored[name] = {
            "numbers": structure.numbers.tolist(),
            "positions_bohr": structure.positions.round(6).tolist(),
            "charge": charge,
            "states": states,
        } | ground
        with complete_or_absent(STORED) as temporary:
            temporary.write_text(json.dumps(stored) + "\n")


def states_of(entry: dict) -> tuple[list[dict[str, object]], tuple[np.ndarray, ...]]:
    """Valence states of a reference, and energies, strengths, populations, <S^2> of ours."""
    structure = Structure(
        np.array(entry["numbers"]), np.array(entry["positions_bohr"]), entry["charge"], 2
    )
    result = mlsemi.singlepoint(structure, doublets=MORE_STATES)
    states, (n, m) = result.doublets, result.doublets.n_alpha
    populations = []
    for X in states.amplitudes:
        parts = []
        for spin, x in ((result.state, X[:n, :m]), (result.beta, X[n:, m:])):
            C, occ = spin.orbitals, spin.n_occupied
            T = (C[:, :occ] @ x @ C[:, occ:].T) ** 2
            parts.append((T.sum(axis=1), T.sum(axis=0)))
        populations.append(np.concatenate([*(p[0] for p in parts), *(p[1] for p in parts)]))
    known = [state for state in entry["states"] if state["valence"] > VALENCE]
    energies = states.energies * HARTREE_EV
    return known, (energies, states.oscillator_strengths, np.array(populations), states.s_squared)


def likeness(state: dict, populations: np.ndarray) -> np.ndarray:
    """(n_state,) overlap sum_m (p_m q_m)^1/2 of holes and electrons, one for equal ones."""
    own = np.concatenate([np.ravel(state["holes"]), np.ravel(state["electrons"])])
    whole = np.sqrt(own.sum() * populations.sum(axis=1))
    return np.sqrt(populations * own).sum(axis=1) / whole


def matched() -> list[tuple[object, ...]]:
    """One row per valence state of a reference; every one of our states is taken once."""
    rows: list[tuple[object, ...]] = []
    for name, entry in json.loads(STORED.read_text()).items():
        known, (energies, strengths, populations, spins) = states_of(entry)
        likeliness = np.array([likeness(state, populations) for state in known])
        free = likeliness.copy()
        for number, state in enumerate(known[:SHOWN]):
            k = int(np.argmax(free[number]))
            free[:, k] = -1.0
            rows.append(
                (name, state["energy_ev"], state["oscillator_strength"], float(energies[k]),
                 float(strengths[k]), float(spins[k]), float(likeliness[number, k]))
            )  # fmt: skip
    return rows


def main() -> None:
    """Write validation/radical_spectra.md."""
    rows = matched()
    error = np.array([row[3] - row[1] for row in rows])
    first = np.array([row[0] for row in rows])
    first = np.flatnonzero(np.r_[True, first[1:] != first[:-1]])
    like = np.array([row[6] for row in rows]) > ALIKE
    summary = [
        (title, int(np.size(e)), f"{e.mean():+.2f}", f"{np.abs(e).mean():.2f}",
         f"{np.abs(e).max():.2f}")
        for title, e in (
            ("lowest valence state", error[first]),
            (f"of the lowest {SHOWN}, those alike", error[like]),
            (f"lowest {SHOWN}", error),
        )
    ]  # fmt: skip
    report.write(
        "radical_spectra",
        "Excited states of radicals beside TDA-CAM-B3LYP/def2-SVP, unrestricted",
        [
            "Energies in eV. States are matched by the populations of holes and electrons of both "
            f"spins; alike are those whose populations overlap by more than {ALIKE}. No parameter "
            "was fitted to an open shell here but the response's four.\n\n"
            + report.table(("states", "number", "mean", "mean absolute", "largest"), summary),
            report.table(
                ("radical", "reference / eV", "f", "here / eV", "f", "<S2> here", "overlap"),
                [
                    (n, f"{e:.2f}", f"{f:.3f}", f"{own:.2f}", f"{g:.3f}", f"{s:.2f}", f"{o:.2f}")
                    for n, e, f, own, g, s, o in rows
                ],
            ),
        ],
        {"states": rows},
    )


if __name__ == "__main__":
    if "--reference" in sys.argv:
        reference()
    else:
        main()
