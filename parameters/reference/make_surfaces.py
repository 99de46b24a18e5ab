"""Write gfn2.h5: GFN2-xTB energies and forces along relaxations, for auxiliary training.

    python make_surfaces.py organic.smi small.smi heteroatoms.smi --exclude EXCLUDED_HASHES

Every training molecule is embedded and relaxed; then all atoms are displaced at random by 0.04 to
0.14 angstrom and relaxed for a few steps, several times over. The geometries on the way are kept,
so that stiff bonds are nearly as short as they are in a warm molecule. One call of GFN2-xTB gives
one geometry.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import multiprocessing
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.optimize import BFGS
from rdkit import Chem, RDLogger
from rich.progress import track
from tblite.ase import TBLite

from mlsemi.errors import InputError
from mlsemi.structure import Structure
from mlsemi.training.auxiliary import Surface, save_surfaces
from mlsemi.training.dataset import split_of
from mlsemi.training.geometries import bonds_of, embed, has_reacted, inchikey, is_listed, seed_of
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV

ROUNDS, KEPT = 3, (0, 1, 3)
"""Displacements of a molecule, and which steps of the relaxation after each are kept."""

ON_THE_WAY = (0, 3, 8, 16)
"""Steps of the first relaxation that are kept."""

LARGEST_FORCE = 12.0
"""Geometries with a larger force on an atom are left out, eV / angstrom."""


def path_of(atoms: Atoms, kept: tuple[int, ...]) -> list[tuple[Atoms, float, np.ndarray]]:
    """Geometry, energy and forces of some steps of a relaxation; ``atoms`` ends at the last."""
    out = []
    for step, _ in enumerate(BFGS(atoms, logfile=None).irun(fmax=0.03, steps=kept[-1])):
        if step in kept:
            out.append((atoms.copy(), atoms.get_potential_energy(), atoms.get_forces()))
    return out


def surfaces_of(smiles: str, excluded: frozenset[str]) -> list[Surface]:
    """All geometries of one molecule; none if it is held out, excluded or reacts."""
    RDLogger.DisableLog("rdApp.*")
    molecule = inchikey(smiles)
    if split_of(molecule) != "train" or is_listed(smiles, excluded):
        return []
    seed = seed_of(smiles, 1)
    rng = np.random.default_rng(seed)
    try:
        atoms, charge = embed(smiles, seed)
        if charge:
            return []
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        found = path_of(atoms, ON_THE_WAY)
        for amplitude in np.linspace(0.04, 0.14, ROUNDS):
            moved = atoms.copy()
            moved.positions += amplitude * rng.normal(size=moved.positions.shape)
            moved.calc = atoms.calc
            found += path_of(moved, KEPT)
    except (InputError, CalculationFailed, RuntimeError):
        return []
    bonds = bonds_of(smiles)
    out = []
    for geometry, energy, forces in found:
        strong = np.linalg.norm(forces, axis=1).max() > LARGEST_FORCE
        if strong or has_reacted(geometry, bonds):
            continue
        structure = Structure.from_ase(geometry)
        out.append(Surface(structure, energy / HARTREE_EV, forces / FORCE_EV_ANGSTROM, molecule))
    return out


def molecules(paths: list[Path]) -> list[str]:
    """SMILES of all files, each molecule once."""
    lines = [line.split() for path in paths for line in path.read_text().split("\n")]
    smiles = [words[0] for words in lines if words and words[0] != "#"]
    kept = {Chem.MolToSmiles(Chem.MolFromSmiles(text)): text for text in smiles}
    return list(kept.values())


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lists", nargs="+", type=Path)
    parser.add_argument("--exclude", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("gfn2.h5"))
    parser.add_argument("--most", type=int, default=None, help="only the first so many molecules")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    excluded = frozenset(options.exclude.read_text().split()) if options.exclude else frozenset()
    chosen = molecules(options.lists)[: options.most]
    with multiprocessing.Pool(options.processes) as pool:
        work = pool.imap(partial(surfaces_of, excluded=excluded), chosen, chunksize=4)
        found = list(track(work, "molecules", total=len(chosen), transient=True))
    surfaces = [surface for some in found for surface in some]
    save_surfaces(options.output, surfaces)
    print(f"{options.output}: {len(surfaces)} geometries of {sum(map(bool, found))} molecules")


if __name__ == "__main__":
    main()
