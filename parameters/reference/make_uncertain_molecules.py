"""Write uncertain.smi: small molecules on whose forces two parameter sets disagree most.

    python make_uncertain_molecules.py organic.smi small.smi heteroatoms.smi dipolar.smi surfaces.smi
        --sets FIRST SECOND --known KNOWN.h5 ... --exclude EXCLUDED_HASHES > uncertain.smi

Two sets that fit the same data equally well differ where the data say little, so their
disagreement tells where the error is large before any reference calculation (query by committee:
Seung, Opper and Sompolinsky, COLT 1992). Candidates are the molecules of the lists that no dataset
holds yet and random changes of them as in make_small_molecules.py, but with the chains of nitrogen
and oxygen that are left out there; they are compared at the embedded geometry with every atom
moved at random. Only molecules that the split gives to training are kept.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import random
import warnings
from collections.abc import Sequence

import numpy as np
from make_molecules import parents_of
from make_small_molecules import child_of, whole
from make_surface_molecules import CHARGED, RINGS
from rdkit import Chem, RDLogger

from mlsemi import singlepoint
from mlsemi.errors import DomainWarning, MlsemiError
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import ReferenceDataset, split_of
from mlsemi.training.data.exclusion import is_listed, read_hashes
from mlsemi.training.data.geometries import embed, inchikey, seed_of
from mlsemi.units import BOHR_ANGSTROM, FORCE_EV_ANGSTROM

CHILDREN = 6
MOVED = 0.06 / BOHR_ANGSTROM
"""Standard deviation of the displacements, bohr."""

WILDEST = 0.05
"""Part of the candidates, those of the largest disagreement, that is left out: they react."""

HYPERVALENT = Chem.MolFromSmarts("[#16;v4,v6;!$(S=O)]")
"""Sulfur of four or six bonds that is no oxide."""


def possible(molecule: Chem.Mol, largest: int) -> bool:
    """Whole, without charges or odd sulfur; chains of nitrogen and oxygen are welcome."""
    return whole(molecule, largest, RINGS) and not any(
        molecule.HasSubstructMatch(pattern) for pattern in (CHARGED, HYPERVALENT)
    )


def candidates(
    parents: Sequence[str],
    largest: int,
    known: frozenset[str],
    excluded: frozenset[str],
    rng: random.Random,
) -> list[str]:
    """Molecules of the lists and changes of them, of the training side and none of ``known``."""
    out: dict[str, str] = {}
    for smiles in parents:
        parent = Chem.MolFromSmiles(smiles)
        if parent.GetNumHeavyAtoms() > largest + 1:
            continue
        for text in (smiles, *(child_of(parent, rng) for _ in range(CHILDREN))):
            molecule = None if text is None else Chem.MolFromSmiles(text)
            if text is None or molecule is None or not possible(molecule, largest):
                continue
            key = inchikey(text)
            new = key[:14] not in known and key[:14] not in out and split_of(key) == "train"
            if new and not is_listed(text, excluded):
                out[key[:14]] = text
    return sorted(out.values())


def disagreement(smiles: str, sets: Sequence[Parameters]) -> float:
    """Mean difference of two sets' forces, eV / angstrom; NaN where one has no answer."""
    seed = seed_of(smiles, 0)
    try:
        structure = Structure.from_ase(*embed(smiles, seed))
        moves = np.random.default_rng(seed).normal(scale=MOVED, size=(structure.n_atom, 3))
        moved = Structure(structure.numbers, structure.positions + moves, structure.charge)
        first, second = (
            singlepoint(moved, parameters=one, forces=True, dispersion=False).forces for one in sets
        )
    except MlsemiError:
        return np.nan
    assert first is not None
    assert second is not None
    return float(np.abs(first - second).mean()) * FORCE_EV_ANGSTROM


def main() -> None:
    """Print the list, shuffled."""
    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    warnings.simplefilter("ignore", DomainWarning)  # leaving the domain is what it is about
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lists", nargs="+")
    parser.add_argument("--sets", nargs=2, required=True)
    parser.add_argument("--known", nargs="+", required=True)
    parser.add_argument("--exclude")
    parser.add_argument("--heavy-atoms", type=int, default=6)
    parser.add_argument("--candidates", type=int, default=12000)
    parser.add_argument("-n", type=int, default=2300)
    chosen = parser.parse_args()
    rng = random.Random(0)
    sets = [Parameters.load(name) for name in chosen.sets]
    datasets = (ReferenceDataset.load(path) for path in chosen.known)
    known = frozenset(r.molecule[:14] for dataset in datasets for r in dataset.records)
    found = candidates(
        parents_of(chosen.lists), chosen.heavy_atoms, known, read_hashes(chosen.exclude), rng
    )
    rng.shuffle(found)
    some = found[: chosen.candidates]
    far = {smiles: disagreement(smiles, sets) for smiles in some}
    ordered = sorted((s for s in some if np.isfinite(far[s])), key=lambda s: -far[s])
    wild = round(WILDEST * len(ordered))
    kept = ordered[wild : wild + chosen.n]
    rng.shuffle(kept)
    print(
        f"# {len(kept)} of {len(found)} candidates, disagreement of forces "
        f"{far[ordered[wild]]:.3f} to {min(far[s] for s in kept):.3f} eV/angstrom, "
        f"median of all {np.median([far[s] for s in ordered]):.3f} (make_uncertain_molecules.py)"
    )
    print("\n".join(kept))


if __name__ == "__main__":
    main()
