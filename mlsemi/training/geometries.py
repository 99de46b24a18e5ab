"""Geometries for reference calculations: SMILES -> relaxed molecule -> thermal frames.

RDKit embeds, GFN2-xTB (tblite) relaxes and drives the dynamics, ASE integrates. Both are
the optional dependencies ``pip install mlsemi[reference]``.
"""

from __future__ import annotations

import hashlib

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.optimize import BFGS

from mlsemi.elements import covalent_radius
from mlsemi.errors import InputError
from mlsemi.units import BOHR_ANGSTROM

BONDED = 1.35
"""Atoms closer than this multiple of the sum of covalent radii count as bonded."""


def seed_of(text: str, seed: int) -> int:
    """Reproducible 31-bit seed of one molecule: sha256 of its name and the global seed."""
    digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def inchikey(smiles: str) -> str:
    """InChIKey of a SMILES string.

    Raises
    ------
    InputError
        If RDKit cannot read the SMILES.
    """
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise InputError(f"not a valid SMILES: {smiles!r}")
    return str(Chem.MolToInchiKey(molecule))


def is_listed(smiles: str, hashes: frozenset[str]) -> bool:
    """Whether a molecule, in any stereochemistry, stands in a list of sha256(InChIKey) hashes."""
    if not hashes:
        return False
    from rdkit import Chem
    from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers

    flat = Chem.MolFromSmiles(smiles)
    if flat is None:
        raise InputError(f"not a valid SMILES: {smiles!r}")
    Chem.RemoveStereochemistry(flat)
    isomers = {Chem.MolToSmiles(isomer) for isomer in EnumerateStereoisomers(flat)}
    keys = {inchikey(text) for text in isomers | {smiles, Chem.MolToSmiles(flat)}}
    return any(hashlib.sha256(key.encode()).hexdigest() in hashes for key in keys)


def embed(smiles: str, seed: int) -> tuple[Atoms, int]:
    """Three-dimensional start geometry of a SMILES (ETKDG and MMFF) and its total charge.

    Raises
    ------
    InputError
        If the SMILES is invalid, has unpaired electrons or cannot be embedded.
    """
    from rdkit import Chem
    from rdkit.Chem import AllChem, Descriptors

    inchikey(smiles)
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if Descriptors.NumRadicalElectrons(molecule):
        raise InputError(f"{smiles!r} has unpaired electrons")
    if AllChem.EmbedMolecule(molecule, randomSeed=seed) != 0:
        raise InputError(f"{smiles!r} could not be embedded in three dimensions")
    if AllChem.MMFFHasAllMoleculeParams(molecule):
        AllChem.MMFFOptimizeMolecule(molecule, maxIters=500)
    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    positions = molecule.GetConformer().GetPositions()
    return Atoms(numbers, positions), Chem.GetFormalCharge(molecule)


def bond_graph(atoms: Atoms) -> np.ndarray:
    """(n_atom, n_atom) boolean matrix of bonds judged by distance."""
    radius = covalent_radius(atoms.numbers) * BOHR_ANGSTROM
    return atoms.get_all_distances() < BONDED * (radius[:, None] + radius[None, :])


def relax(atoms: Atoms, charge: int, fmax: float = 0.05, steps: int = 400) -> Atoms:
    """Relax with GFN2-xTB.

    Raises
    ------
    InputError
        If a bond is broken or made on the way, or the optimiser does not finish.
    """
    start = atoms.copy()
    atoms.calc = _gfn2(charge)
    optimiser = BFGS(atoms, logfile=None, maxstep=0.1)
    if not optimiser.run(fmax=fmax, steps=steps):
        raise InputError(f"relaxation did not finish in {steps} steps")
    if not np.array_equal(bond_graph(start), bond_graph(atoms)):
        raise InputError("the molecule rearranged during relaxation")
    return Atoms(atoms.numbers, atoms.get_positions())


def thermal_frame(
    atoms: Atoms, charge: int, temperature: float, seed: int, steps: int = 250
) -> Atoms:
    """One frame of Langevin dynamics at ``temperature`` (kelvin), GFN2-xTB, 1 fs steps.

    Raises
    ------
    InputError
        If the molecule comes apart.
    """
    frame = atoms.copy()
    frame.calc = _gfn2(charge)
    rng = np.random.RandomState(seed)
    MaxwellBoltzmannDistribution(frame, temperature_K=temperature, rng=rng)
    Stationary(frame)
    dynamics = Langevin(
        frame,
        1.0 * units.fs,
        temperature_K=temperature,
        friction=0.02 / units.fs,
        rng=rng,
        fixcm=False,
    )
    dynamics.run(steps)
    if not np.array_equal(bond_graph(atoms), bond_graph(frame)):
        raise InputError(f"the molecule came apart at {temperature:.0f} K")
    return Atoms(frame.numbers, frame.get_positions())


def _gfn2(charge: int):  # type: ignore[no-untyped-def]
    from tblite.ase import TBLite

    return TBLite(method="GFN2-xTB", charge=charge, verbosity=0)
