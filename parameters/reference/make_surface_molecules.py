"""Write surfaces.smi: molecules for the auxiliary surfaces alone.

    python make_surface_molecules.py organic.smi small.smi heteroatoms.smi EXCLUDED_HASHES > surfaces.smi

GFN2-xTB costs so little that the number of different molecules is limited by the length of a
training run only. Random changes as in make_small_molecules.py turn the molecules of up to nine
heavy atoms of the other lists into others that are in none of them; only molecules that the split
gives to training are kept.
"""

from __future__ import annotations

import random
import sys

from make_molecules import parents_of
from make_small_molecules import child_of, stable
from rdkit import Chem, RDLogger

from mlsemi.training.data.dataset import split_of
from mlsemi.training.data.exclusion import is_listed, read_hashes
from mlsemi.training.data.geometries import inchikey

LARGEST, RINGS = 9, 2
CHILDREN = 24
MOLECULES = 8000

CHARGED = Chem.MolFromSmarts("[*-;!$([O-][N+])]")
"""Charges of other groups than nitro groups and N-oxides."""


def main() -> None:
    """Print the list, shuffled."""
    RDLogger.DisableLog("rdApp.*")
    rng = random.Random(0)
    *lists, hashes = sys.argv[1:]
    parents, excluded = parents_of(lists), read_hashes(hashes)
    known = {inchikey(smiles)[:14] for smiles in parents}
    out: dict[str, str] = {}
    for smiles in parents:
        parent = Chem.MolFromSmiles(smiles)
        if parent.GetNumHeavyAtoms() > LARGEST or Chem.GetFormalCharge(parent):
            continue
        for _ in range(CHILDREN):
            text = child_of(parent, rng)
            child = None if text is None else Chem.MolFromSmiles(text)
            if child is None or not stable(child, LARGEST, RINGS):
                continue
            if child.HasSubstructMatch(CHARGED):
                continue
            key = inchikey(text)
            new = key[:14] not in known and split_of(key) == "train"
            if new and not is_listed(text, excluded):
                out.setdefault(key[:14], text)
    kept = sorted(out.values())
    rng.shuffle(kept)
    print("# molecules for auxiliary surfaces (make_surface_molecules.py)")
    print("\n".join(kept[:MOLECULES]))


if __name__ == "__main__":
    main()
