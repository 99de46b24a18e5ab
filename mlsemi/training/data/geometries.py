"""Geometries for reference calculations: SMILES -> relaxed molecule -> thermal frames.

RDKit embeds, GFN2-xTB (tblite) relaxes and drives the dynamics, ASE integrates. Both are
the optional dependencies ``pip install mlsemi[reference]``.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.data import vdw_radii
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary
from ase.optimize import BFGS
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from mlsemi.errors import InputError
from mlsemi.molecule.elements import covalent_radius
from mlsemi.units import BOHR_ANGSTROM

BONDED = 1.35
"""Atoms closer than this multiple of the sum of covalent radii count as bonded."""

NEW_BOND = 1.2
"""Atoms that were not bonded have reacted when they come closer than this multiple."""

STRETCH = (0.8, 1.5)
"""Shortest and longest of stretched bonds. Restricted calculations go wrong beyond."""


def seed_of(text: str, seed: int) -> int:
    """Reproducible 31-bit seed of one molecule: sha256 of its name and the global seed."""
    digest = hashlib.sha256(f"{seed}:{text}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def rdkit_molecule(smiles: str) -> Any:
    """RDKit's molecule of a SMILES string, hydrogens implicit.

    Raises
    ------
    InputError
        If RDKit cannot read it.
    """
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise InputError(f"not a valid SMILES: {smiles!r}")
    return molecule


def with_hydrogens(smiles: str) -> Any:
    """The same with its hydrogens, behind the other atoms."""
    from rdkit import Chem

    return Chem.AddHs(rdkit_molecule(smiles))


def inchikey(smiles: str) -> str:
    """InChIKey of a SMILES string."""
    from rdkit import Chem

    return str(Chem.MolToInchiKey(rdkit_molecule(smiles)))


def numbers_of(smiles: str) -> list[int]:
    """Atomic numbers of a SMILES string as :func:`embed` orders them; empty if it is none."""
    try:
        return [atom.GetAtomicNum() for atom in with_hydrogens(smiles).GetAtoms()]
    except InputError:
        return []


def smiles_of(atoms: Atoms, charge: int) -> str | None:
    """SMILES of a geometry, or None when no Lewis structure fits."""
    from rdkit import Chem, RDLogger
    from rdkit.Chem import rdDetermineBonds

    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    lines = [f"{a.symbol} {a.x:.6f} {a.y:.6f} {a.z:.6f}" for a in atoms]
    molecule = Chem.MolFromXYZBlock("\n".join([str(len(atoms)), "", *lines, ""]))
    try:
        rdDetermineBonds.DetermineBonds(molecule, charge=charge, maxIterations=1000)
        return str(Chem.MolToSmiles(Chem.RemoveHs(molecule)))
    except (ValueError, RuntimeError):
        return None


def embed(smiles: str, seed: int) -> tuple[Atoms, int]:
    """Three-dimensional start geometry of a SMILES (ETKDG and MMFF) and its total charge.

    Molecules of a complex (``O.C=C``) come out in van der Waals contact, each turned and placed
    at random; RDKit alone would embed them inside each other.

    Raises
    ------
    InputError
        If the SMILES is invalid, has unpaired electrons or cannot be embedded.
    """
    from rdkit import Chem
    from rdkit.Chem import AllChem, Descriptors

    molecule = with_hydrogens(smiles)
    if Descriptors.NumRadicalElectrons(molecule):
        raise InputError(f"{smiles!r} has unpaired electrons")
    if AllChem.EmbedMolecule(molecule, randomSeed=seed) != 0:  # type: ignore[attr-defined]
        raise InputError(f"{smiles!r} could not be embedded in three dimensions")
    if AllChem.MMFFHasAllMoleculeParams(molecule):  # type: ignore[attr-defined]
        AllChem.MMFFOptimizeMolecule(molecule, maxIters=500)  # type: ignore[attr-defined]
    atoms = Atoms(numbers_of(smiles), molecule.GetConformer().GetPositions())
    fragments = [list(indices) for indices in Chem.GetMolFrags(molecule)]
    if len(fragments) > 1:
        atoms.set_positions(in_contact(atoms, fragments, seed))
    return atoms, Chem.GetFormalCharge(molecule)


def in_contact(atoms: Atoms, fragments: list[list[int]], seed: int) -> np.ndarray:
    """Positions in which the fragments touch without overlapping.

    Each fragment in turn is rotated at random and pulled in from far away along a random
    direction until an atom reaches van der Waals contact with those already placed.

    Parameters
    ----------
    atoms : ase.Atoms
    fragments : list of list of int
        Atom indices of each fragment.
    seed : int

    Returns
    -------
    (n_atom, 3) array, angstrom.
    """
    rng = np.random.default_rng(seed)
    radius = vdw_radii[atoms.numbers]
    positions = atoms.get_positions()
    placed = fragments[0]
    positions[placed] -= positions[placed].mean(axis=0)
    for fragment in fragments[1:]:
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        body = positions[fragment] - positions[fragment].mean(axis=0)
        body = Rotation.random(rng=rng).apply(body)
        contact = radius[fragment][:, None] + radius[placed][None, :]
        shift = 50.0
        while np.all(cdist(body + shift * direction, positions[placed]) > contact):
            shift -= 0.05
        positions[fragment] = body + shift * direction
        placed = placed + fragment
    return positions


def bonds_of(smiles: str) -> np.ndarray:
    """(n_atom, n_atom) boolean matrix of the bonds of a SMILES, atoms as in :func:`embed`."""
    return bond_orders(smiles) > 0


def bond_orders(smiles: str) -> np.ndarray:
    """(n_atom, n_atom) whole orders of the bonds of a SMILES, zero where there is none."""
    from rdkit import Chem

    molecule = with_hydrogens(smiles)
    Chem.Kekulize(molecule, clearAromaticFlags=True)
    return np.asarray(Chem.GetAdjacencyMatrix(molecule, useBO=True)).astype(int)


def closeness(atoms: Atoms) -> np.ndarray:
    """(n_atom, n_atom) distances in units of the sum of covalent radii; infinite diagonal."""
    radius = covalent_radius(atoms.numbers) * BOHR_ANGSTROM
    ratio = atoms.get_all_distances() / (radius[:, None] + radius[None, :])
    np.fill_diagonal(ratio, np.inf)
    return ratio


def bond_graph(atoms: Atoms) -> np.ndarray:
    """(n_atom, n_atom) boolean matrix of bonds judged by distance."""
    return closeness(atoms) < BONDED


def has_reacted(atoms: Atoms, bonds: np.ndarray) -> bool:
    """Whether a bond of ``bonds`` is broken or another one has been made.

    The two thresholds differ: a stretched bond is still a bond, and atoms that meet across a
    small ring (1.1 to 1.4 times the sum of their radii) or in a hydrogen bond are not bonded.
    Pairs with a common neighbour are therefore never counted as new bonds.
    """
    ratio = closeness(atoms)
    near = bonds | (bonds.astype(int) @ bonds.astype(int) > 0)
    return bool(np.any(ratio[bonds] > BONDED) or np.any(ratio[~near] < NEW_BOND))


def relax(
    atoms: Atoms,
    charge: int,
    fmax: float = 0.05,
    steps: int = 400,
    bonds: np.ndarray | None = None,
) -> Atoms:
    """Relax with GFN2-xTB.

    Parameters
    ----------
    atoms : ase.Atoms
    charge : int
    fmax : float
        Largest force left, eV/angstrom.
    steps : int
        Largest number of optimiser steps.
    bonds : (n_atom, n_atom) boolean array, optional
        Bonds that must survive; by default those of the start geometry.

    Returns
    -------
    ase.Atoms without a calculator; ``atoms`` is not changed.

    Raises
    ------
    InputError
        If a bond is broken or made on the way, or the optimiser does not finish.
    """
    bonds = bond_graph(atoms) if bonds is None else bonds
    moving = atoms.copy()
    moving.calc = gfn2_calculator(charge)
    optimiser = BFGS(moving, logfile=None, maxstep=0.1)
    if not optimiser.run(fmax=fmax, steps=steps):
        raise InputError(f"relaxation did not finish in {steps} steps")
    if has_reacted(moving, bonds):
        raise InputError("the molecule rearranged during relaxation")
    return Atoms(moving.numbers, moving.get_positions())


def thermal_frame(
    atoms: Atoms,
    charge: int,
    temperature: float,
    seed: int,
    steps: int = 250,
    bonds: np.ndarray | None = None,
) -> Atoms:
    """One frame of Langevin dynamics at ``temperature`` (kelvin) with GFN2-xTB (:func:`heated`).

    Parameters
    ----------
    atoms : ase.Atoms
        Relaxed start geometry.
    charge : int
    temperature : float
        Kelvin.
    seed : int
        Of the start velocities and the noise.
    steps : int
        Femtoseconds.
    bonds : (n_atom, n_atom) boolean array, optional
        Bonds that must survive; by default those of the start geometry.

    Returns
    -------
    ase.Atoms without a calculator.

    Raises
    ------
    InputError
        If the molecule comes apart.
    """
    bonds = bond_graph(atoms) if bonds is None else bonds
    frame = atoms.copy()
    frame.calc = gfn2_calculator(charge)
    heated(frame, temperature, seed).run(steps)
    if has_reacted(frame, bonds):
        raise InputError(f"the molecule came apart at {temperature:.0f} K")
    return Atoms(frame.numbers, frame.get_positions())


def heated(atoms: Atoms, temperature: float, seed: int) -> Langevin:
    """Langevin dynamics of atoms that have a calculator, with velocities of ``temperature``.

    Steps of 1 fs, friction 0.02 / fs; kelvin.
    """
    rng = np.random.RandomState(seed)
    spread = np.sqrt(atoms.get_masses() * (units.kB * temperature))
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * spread[:, None])
    Stationary(atoms)
    return Langevin(
        atoms,
        1.0 * units.fs,
        temperature_K=temperature,
        friction=0.02 / units.fs,
        rng=rng,
        fixcm=False,
    )


def bridges(bonds: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """Bonds (i, j) that are in no ring, and which atoms (n_atom,) stay with j when one is cut."""
    found = []
    for i, j in np.argwhere(np.triu(bonds)).tolist():
        cut = bonds.copy()
        cut[i, j] = cut[j, i] = False
        label = connected_components(cut, directed=False)[1]
        if label[i] != label[j]:
            found.append((i, j, label == label[j]))
    return found


def with_bond(atoms: Atoms, bond: tuple[int, int, np.ndarray], factor: float) -> Atoms:
    """The molecule with a bond of :func:`bridges` ``factor`` times as long, both sides rigid.

    Parameters
    ----------
    atoms : ase.Atoms
    bond : (int, int, (m,) int array)
        Its two atoms, and the atoms on the side of the second.
    factor : float
    """
    i, j, side = bond
    positions = atoms.get_positions()
    positions[side] += (factor - 1.0) * (positions[j] - positions[i])
    return Atoms(atoms.numbers, positions)


def stretched_frames(
    atoms: Atoms, number: int, rng: np.random.Generator, bonds: np.ndarray | None = None
) -> list[tuple[Atoms, str]]:
    """Geometries with one bond stretched or compressed along its axis, both sides rigid.

    Parameters
    ----------
    atoms : ase.Atoms
    number : int
    rng : numpy Generator
        Draws one of the bonds that are in no ring, and a factor between the two of ``STRETCH``.
    bonds : (n_atom, n_atom) boolean array, optional
        By default judged by distance.

    Returns
    -------
    ase.Atoms without a calculator, each with what was done to it; none where every bond is in a
    ring.
    """
    if not number:
        return []
    out = []
    open_bonds = bridges(bond_graph(atoms) if bonds is None else bonds)
    for _ in range(number if open_bonds else 0):
        bond = open_bonds[rng.integers(len(open_bonds))]
        factor = float(rng.uniform(*STRETCH))
        change = f"bond {bond[0]}-{bond[1]} times {factor:.3f}"
        out.append((with_bond(atoms, bond, factor), change))
    return out


def gfn2_calculator(charge: int):  # type: ignore[no-untyped-def]
    """ASE calculator of GFN2-xTB (tblite)."""
    from tblite.ase import TBLite

    return TBLite(method="GFN2-xTB", charge=charge, verbosity=0)
