"""Write vertical.json: what it costs to take an electron away, or to turn a spin, at one geometry.

    python make_vertical.py vertical.json EXCLUDED_HASHES [--hours 2]

Restricted B3LYP/def2-TZVP of the neutral molecule and unrestricted of its cation and its lowest
triplet, at the same geometry, for molecules of up to four heavy atoms of the training side, and of
the test side, of the other files here: energies, levels of both spins, spin populations (Loewdin),
<S^2>. Every molecule is written when it is finished; the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from pyscf import dft
from scipy.linalg import sqrtm

from mlsemi.molecule.elements import valence
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import complete_or_absent
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.data.exclusion import hash_of, read_hashes
from mlsemi.training.reference.calculation import (
    Level,
    atom_of_functions,
    density_fitted,
    large_basis,
)

FILES = ("frames.h5", "small.h5", "small-2.h5", "heteroatoms.h5", "dipolar.h5")
LARGEST = 4
MOST = {"train": 120, "test": 60}
STATES = {"neutral": (0, 0), "cation": (1, 1), "triplet": (0, 2)}
"""Charge and unpaired electrons."""


def chosen(excluded: frozenset[str]) -> list[Reference]:
    """One record each of as many molecules of either side, small ones first, sides in turn."""
    rng, out = np.random.default_rng(0), []
    records = ReferenceDataset.load(*FILES)
    for split, most in MOST.items():
        first: dict[str, Reference] = {}
        for record in records.split(split):
            heavy = int((record.structure.numbers > 1).sum())
            if heavy <= LARGEST and hash_of(record.molecule) not in excluded:
                first.setdefault(record.molecule, record)
        names = sorted(first)
        drawn = [first[names[k]] for k in rng.permutation(len(names))[:most]]
        drawn.sort(key=lambda r: int((r.structure.numbers > 1).sum()))
        out += [(k / len(drawn), record) for k, record in enumerate(drawn)]
    return [record for _, record in sorted(out, key=lambda pair: pair[0])]


def state_of(structure: Structure, charge: int, unpaired: int) -> dict[str, object]:
    """Energy and levels of one state, hartree."""
    molecule = large_basis(structure, Level())
    molecule.build(charge=charge, spin=unpaired)
    solver = density_fitted((dft.UKS if unpaired else dft.RKS)(molecule, xc="b3lyp"))
    solver.grids.level = 2
    solver.kernel()
    found: dict[str, object] = {"energy": solver.e_tot, "converged": bool(solver.converged)}
    if not unpaired:
        return found
    core = sum(valence(z).core_orbitals for z in structure.numbers.tolist())
    root = np.real(sqrtm(solver.get_ovlp()))
    alpha, beta = solver.make_rdm1()
    spin = np.einsum("mi,ij,mj->m", root, alpha - beta, root)
    found["spin_populations"] = np.bincount(atom_of_functions(molecule), spin).tolist()
    found["s_squared"] = float(solver.spin_square()[0])
    for name, energies, n in zip(("alpha", "beta"), solver.mo_energy, molecule.nelec, strict=True):
        found[name] = energies[core:n].tolist()
    return found


def main() -> None:
    """Compute what is missing."""
    warnings.simplefilter("ignore")
    output, hashes = Path(sys.argv[1]), sys.argv[2]
    hours = float(sys.argv[4]) if "--hours" in sys.argv else np.inf
    done = json.loads(output.read_text()) if output.exists() else {}
    start = time.time()
    for record in chosen(read_hashes(hashes)):
        if record.molecule in done:
            continue
        if time.time() - start > 3600.0 * hours:
            break
        structure = record.structure
        entry: dict[str, object] = {
            "label": record.label,
            "split": record.split,
            "numbers": structure.numbers.tolist(),
            "positions_bohr": structure.positions.tolist(),
        }
        for name, (charge, unpaired) in STATES.items():
            entry[name] = state_of(structure, charge, unpaired)
        done[record.molecule] = entry
        with complete_or_absent(output) as temporary:
            temporary.write_text(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
