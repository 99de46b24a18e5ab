"""Write breaking.smi: small molecules whose bonds are to be pulled apart.

    python make_breaking_molecules.py frames.smi small.smi ... EXCLUDED_HASHES > breaking.smi

Molecules of up to four heavy atoms of the other lists, the smallest first, those of four shuffled.
The molecules of validation/dissociation.py are left out, so that its curves stay unseen.
"""

from __future__ import annotations

import random
import sys

from make_molecules import parents_of
from rdkit import Chem, RDLogger

from mlsemi.training.data.dataset import split_of
from mlsemi.training.data.exclusion import is_listed, read_hashes
from mlsemi.training.data.geometries import inchikey

LARGEST = 4
CURVES = ("O", "C", "CO", "CN", "CC")
"""Of validation/stretched.py."""

BREAKABLE = Chem.MolFromSmarts("*!@*")


def main() -> None:
    """Print the list."""
    RDLogger.DisableLog("rdApp.*")
    *lists, hashes = sys.argv[1:]
    excluded = read_hashes(hashes)
    known = {inchikey(smiles) for smiles in CURVES}
    by_size: dict[int, list[str]] = {}
    for smiles in parents_of(lists):
        molecule = Chem.MolFromSmiles(smiles)
        size, key = molecule.GetNumHeavyAtoms(), inchikey(smiles)
        if size > LARGEST or "." in smiles or Chem.GetFormalCharge(molecule) or key in known:
            continue
        if not Chem.AddHs(molecule).HasSubstructMatch(BREAKABLE):
            continue
        if split_of(key) == "train" and not is_listed(smiles, excluded):
            known.add(key)
            by_size.setdefault(size, []).append(smiles)
    random.Random(0).shuffle(by_size[LARGEST])
    print("# molecules whose bonds are pulled apart (make_breaking_molecules.py)")
    for _, some in sorted(by_size.items()):
        print("\n".join(some))


if __name__ == "__main__":
    main()
