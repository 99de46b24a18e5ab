"""SMILES to coordinates: distance geometry and a force field, both of RDKit.

ETKDG (Wang et al., J. Chem. Inf. Model. 60, 2044 (2020)) builds a few conformers, MMFF94 relaxes
them, the lowest is taken. The same SMILES gives the same coordinates.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ase import Atoms

from mlsemi.errors import InputError

PREFIX = "smiles:"
"""What a SMILES begins with where a file could stand."""

SEED = 7
TRIED = 12
"""Conformers of which the lowest is taken, at most; one more than there are rotatable bonds."""


@contextmanager
def _quietly() -> Iterator[None]:
    """RDKit's own lines on standard error would come beside ours."""
    from rdkit import rdBase

    block = rdBase.BlockLogs()
    try:
        yield
    finally:
        del block


def is_smiles(text: str) -> bool:
    """Whether RDKit can read a text as SMILES; a name of a file could be one too."""
    if not text or any(sign in text for sign in " \t\n"):
        return False
    from rdkit import Chem

    with _quietly():
        return Chem.MolFromSmiles(text) is not None


def molecule_of(smiles: str) -> Any:
    """RDKit molecule of a SMILES, with its hydrogens.

    Parameters
    ----------
    smiles : str

    Raises
    ------
    InputError
        If it cannot be read, or holds several molecules.
    """
    from rdkit import Chem

    with _quietly():
        drawn = Chem.MolFromSmiles(smiles, sanitize=False)
        if drawn is None:
            raise InputError(f"{smiles!r} is no SMILES")
        try:
            Chem.SanitizeMol(drawn)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{smiles!r}: {reason}") from None
        Chem.AssignStereochemistry(drawn, cleanIt=True, force=True)
        molecule = Chem.AddHs(drawn)
    if molecule.GetNumAtoms() == 0:
        raise InputError("the SMILES is empty")
    if len(Chem.GetMolFrags(molecule)) > 1:
        raise InputError(f"{smiles!r} holds several molecules: nobody knows how they lie; give one")
    return molecule


def embed(molecule: Any, number: int, seed: int = SEED) -> np.ndarray:
    """Conformers of a molecule with hydrogens, relaxed by MMFF94 or where it fails UFF.

    Parameters
    ----------
    molecule : rdkit.Chem.Mol
        Its conformers are replaced.
    number : int
        To try.
    seed : int

    Returns
    -------
    (n_found,) array of force-field energies, kcal/mol; NaN where no force field knows the atoms.

    Raises
    ------
    InputError
        If there is none.
    """
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    settings: Any = rdDistGeom.ETKDGv3()
    settings.randomSeed = seed
    with _quietly():
        found = list(rdDistGeom.EmbedMultipleConfs(molecule, number, settings))
        if not found:
            settings.useRandomCoords = True
            found = list(rdDistGeom.EmbedMultipleConfs(molecule, number, settings))
        if not found:
            raise InputError("no three-dimensional structure could be built; give coordinates")
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            relaxed = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(molecule, maxIters=2000)
        elif rdForceFieldHelpers.UFFHasAllMoleculeParams(molecule):
            relaxed = rdForceFieldHelpers.UFFOptimizeMoleculeConfs(molecule, maxIters=2000)
        else:
            relaxed = [(0, np.nan)] * len(found)
    return np.array([energy for _, energy in relaxed])


def atoms_of(molecule: Any, conformer: int = 0) -> Atoms:
    """Atoms of one conformer; charge and multiplicity are in their ``info``.

    Parameters
    ----------
    molecule : rdkit.Chem.Mol
    conformer : int
        Number of it.
    """
    atoms = list(molecule.GetAtoms())
    unpaired = sum(atom.GetNumRadicalElectrons() for atom in atoms)
    places = molecule.GetConformers()[conformer].GetPositions()
    info = {"charge": sum(atom.GetFormalCharge() for atom in atoms)}
    if unpaired:
        info["multiplicity"] = unpaired + 1
    return Atoms([atom.GetAtomicNum() for atom in atoms], places, info=info)


def read_smiles(smiles: str) -> Atoms:
    """Atoms of a SMILES; what had to be chosen because it does not say it is warned of.

    Parameters
    ----------
    smiles : str

    Raises
    ------
    InputError
        If it cannot be read or built.
    """
    from rdkit.Chem import FindMolChiralCenters, rdMolDescriptors

    molecule = molecule_of(smiles)
    open_centers = [
        atom
        for atom, label in FindMolChiralCenters(
            molecule, includeUnassigned=True, useLegacyImplementation=False
        )
        if label == "?"
    ]
    turns = int(rdMolDescriptors.CalcNumRotatableBonds(molecule))
    energies = embed(molecule, min(1 + turns, TRIED))
    lowest = int(np.argmin(np.nan_to_num(energies)))
    atoms = atoms_of(molecule, lowest)
    if open_centers:
        where = ", ".join(map(str, open_centers))
        warnings.warn(
            f"the SMILES leaves the configuration of atom {where} open: one of them was built",
            stacklevel=2,
        )
    return atoms
