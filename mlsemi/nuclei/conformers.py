"""Conformers: built by distance geometry, relaxed on the model's surface, told apart, weighted.

This is a door: eV, angstrom, kelvin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms, units

from mlsemi.brief import Brief
from mlsemi.calculator import MLSemi
from mlsemi.errors import InputError
from mlsemi.molecule.smiles import SEED, atoms_of, embed
from mlsemi.nuclei.relaxation import STEPS, relax

FMAX = 0.02
SAME_ANGSTROM = 0.15
"""Root mean square distance of heavy atoms below which two conformers are one ..."""
SAME_EV = 0.005
"""... if their energies are as close."""


@dataclass(frozen=True, eq=False, repr=False)
class Conformers(Brief):
    """Different minima of one molecule, lowest first.

    Attributes
    ----------
    frames : list of ase.Atoms
    energies_ev : (n_conformer,) array
    n_built : int
        Before those that are the same were left out.
    n_open : int
        Relaxations that did not converge; left out.
    """

    frames: list[Atoms]
    energies_ev: np.ndarray
    n_built: int
    n_open: int

    def within(self, window_ev: float) -> Conformers:
        """Those up to so much above the lowest.

        Parameters
        ----------
        window_ev : float
        """
        kept = self.energies_ev - self.energies_ev[0] <= window_ev
        frames = [frame for frame, keep in zip(self.frames, kept, strict=True) if keep]
        return replace(self, frames=frames, energies_ev=self.energies_ev[kept])

    def populations(self, kelvin: float = 298.15) -> np.ndarray:
        """(n_conformer,) Boltzmann weights of the energies.

        Parameters
        ----------
        kelvin : float
        """
        weights = np.exp(-(self.energies_ev - self.energies_ev.min()) / (units.kB * kelvin))
        return np.asarray(weights / weights.sum())


def conformers(
    molecule: Any,
    number: int = 30,
    calculator: MLSemi | None = None,
    *,
    fmax: float = FMAX,
    seed: int = SEED,
    tell: Callable[[int, int], None] | None = None,
) -> Conformers:
    """Relaxed conformers of a molecule.

    Parameters
    ----------
    molecule : rdkit.Chem.Mol
        With hydrogens: :func:`mlsemi.molecule.smiles.molecule_of`, :func:`drawn`.
    number : int
        To build.
    calculator : MLSemi, optional
        Its settings choose the surface; by default the ground state.
    fmax : float
        Largest force at the end, eV/angstrom.
    seed : int
    tell : function of the conformers relaxed and all of them, optional

    Raises
    ------
    InputError
        If none can be built, or none relaxed.
    """
    if number < 1:
        raise InputError(f"{number} conformers: need at least one")
    calculator = MLSemi() if calculator is None else calculator
    n_built = len(embed(molecule, number, seed))
    found: list[tuple[float, int, Atoms]] = []
    for k in range(n_built):
        done = relax(atoms_of(molecule, k), calculator, fmax=fmax, steps=STEPS)
        if done.converged:
            frame = Atoms(done.atoms.numbers, done.atoms.get_positions(), info=done.atoms.info)
            found.append((float(done.energies_ev[-1]), k, frame))
        if tell is not None:
            tell(k + 1, n_built)
    if not found:
        raise InputError(f"none of {n_built} conformers has relaxed in {STEPS} steps")
    n_open = n_built - len(found)
    found.sort(key=lambda item: item[:2])
    kept: list[tuple[float, int, Atoms]] = []
    for candidate in found:
        if not any(_same(molecule, candidate, other) for other in kept):
            kept.append(candidate)
    frames = [frame for *_, frame in kept]
    return Conformers(frames, np.array([energy for energy, *_ in kept]), n_built, n_open)


def _same(molecule: Any, one: tuple[float, int, Atoms], other: tuple[float, int, Atoms]) -> bool:
    """Whether two relaxed conformers are one; atoms of the same kind may have changed places."""
    if abs(one[0] - other[0]) > SAME_EV:
        return False
    from rdkit import Chem
    from rdkit.Chem import rdMolAlign
    from rdkit.Geometry import Point3D

    copies = []
    for _, k, frame in (one, other):
        copy = Chem.Mol(molecule, confId=int(molecule.GetConformers()[k].GetId()))
        places = copy.GetConformer()
        for atom, place in enumerate(frame.positions.tolist()):
            places.SetAtomPosition(atom, Point3D(*place))
        copies.append(Chem.RemoveHs(copy, sanitize=False))
    if copies[0].GetNumAtoms() < 3:
        return True
    return float(rdMolAlign.GetBestRMS(copies[0], copies[1], maxMatches=1000)) < SAME_ANGSTROM


def drawn(atoms: Atoms, charge: int = 0) -> Any:
    """RDKit molecule of coordinates, its bonds found from distances.

    Parameters
    ----------
    atoms : ase.Atoms
    charge : int

    Raises
    ------
    InputError
        If no set of bonds fits.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDetermineBonds
    from rdkit.Geometry import Point3D

    molecule = Chem.RWMol()
    places = Chem.Conformer(len(atoms))
    for index, (number, place) in enumerate(
        zip(atoms.numbers.tolist(), atoms.positions.tolist(), strict=True)
    ):
        molecule.AddAtom(Chem.Atom(number))
        places.SetAtomPosition(index, Point3D(*place))
    molecule.AddConformer(places)
    try:
        rdDetermineBonds.DetermineBonds(molecule, charge=charge)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"no bonds fit these coordinates ({reason}); give a SMILES") from None
    Chem.SanitizeMol(molecule)
    return molecule
