"""Molecules that are kept for testing: lists of sha256(InChIKey), and who stands in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from mlsemi.errors import InputError
from mlsemi.training.data.geometries import inchikey, rdkit_molecule


def hash_of(molecule: str) -> str:
    """sha256 of an InChIKey, as the lists hold it."""
    return hashlib.sha256(molecule.encode()).hexdigest()


def read_hashes(path: str | os.PathLike[str] | None) -> frozenset[str]:
    """Hashes of the molecules to leave out; none without a file.

    Raises
    ------
    InputError
        If the file cannot be read or holds anything else.
    """
    if path is None:
        return frozenset()
    try:
        words = Path(path).read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    bad = next((word for word in words if len(word) != 64), None)
    if bad is not None:
        raise InputError(f"{path}: {bad[:70]!r} is not a sha256 hash in hexadecimal digits")
    return frozenset(words)


def is_excluded(molecule: str, hashes: Collection[str]) -> bool:
    """Whether an InChIKey, or that of the molecule without stereochemistry, is in such a list."""
    flat = f"{molecule.split('-')[0]}-UHFFFAOYSA-N"
    return bool(hashes) and not {hash_of(molecule), hash_of(flat)}.isdisjoint(hashes)


def is_listed(smiles: str, hashes: Collection[str]) -> bool:
    """Whether a molecule, in any stereochemistry, is in such a list.

    Raises
    ------
    InputError
        If RDKit cannot read the SMILES.
    """
    if not hashes:
        return False
    from rdkit import Chem
    from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers

    flat = rdkit_molecule(smiles)
    Chem.RemoveStereochemistry(flat)
    isomers = {Chem.MolToSmiles(isomer) for isomer in EnumerateStereoisomers(flat)}
    keys = {inchikey(text) for text in isomers | {smiles, Chem.MolToSmiles(flat)}}
    return not {hash_of(key) for key in keys}.isdisjoint(hashes)
