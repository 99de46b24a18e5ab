"""What ``mlsemi reference`` is asked to compute: input files -> jobs."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from mlsemi.errors import InputError, InputWarning
from mlsemi.molecule.formats import iter_frames
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.geometries import inchikey, is_listed, seed_of, smiles_of
from mlsemi.training.data.surfaces import Surface, load_surfaces

if TYPE_CHECKING:
    from mlsemi.training.reference.campaign import Job

SMILES_SUFFIXES = (".smi", ".smiles", ".txt")
DATASET_SUFFIXES = (".h5", ".hdf5")


def jobs_of(
    path: str | os.PathLike[str], frames: int | None, excluded: frozenset[str], seed: int = 0
) -> list[Job]:
    """Jobs of one input file.

    Parameters
    ----------
    path : path
        SMILES list, dataset, auxiliary surfaces or structure file, told apart by what they are.
    frames : int or None
        As in :func:`mlsemi.training.reference.commands.reference_command`.
    excluded : frozenset of str
        sha256(InChIKey) of molecules to leave out.
    seed : int
        Of the geometry that is drawn of each molecule of auxiliary surfaces.

    Raises
    ------
    InputError
        If the file is missing or cannot be read.
    """
    from mlsemi.training.reference.campaign import jobs_of_smiles

    suffix = Path(path).suffix.lower()
    if suffix in SMILES_SUFFIXES:
        if frames == 0:
            raise InputError(f"{path}: a SMILES has no geometry to keep, frames must be at least 1")
        try:
            return jobs_of_smiles(path, excluded)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None
    if suffix not in DATASET_SUFFIXES:
        found = _jobs_of_file(path, frames)
    elif _holds_surfaces(path):
        surfaces = [s for s in load_surfaces(Path(path)) if hash_of(s.molecule) not in excluded]
        return _jobs_of_surfaces(surfaces, seed)
    else:
        found = _jobs_of_dataset(path)
    return [job for job in found if not _is_excluded(job, excluded)]


def labels_in(paths: Iterable[str | os.PathLike[str]]) -> set[str]:
    """Labels of what datasets and files of auxiliary surfaces hold."""
    labels: set[str] = set()
    for path in paths:
        if _holds_surfaces(path):
            labels |= {surface.molecule for surface in load_surfaces(Path(path))}
        else:
            labels |= {record.label for record in ReferenceDataset.load(path)}
    return labels


def is_known(job: Job, labels: Collection[str]) -> bool:
    """Whether a dataset with these labels holds a job.

    Records of auxiliary surfaces are labelled with the InChIKey of their molecule, by which that of
    a SMILES string is recognised.
    """
    return job.label in labels or (job.atoms is None and job.molecule in labels)


def no_more_than(heavy_atoms: int | None, jobs: Iterable[Job]) -> list[Job]:
    """Jobs of molecules with at most so many atoms other than hydrogen (None: all)."""
    return [job for job in jobs if heavy_atoms is None or _heavy_atoms(job) <= heavy_atoms]


def _heavy_atoms(job: Job) -> int:
    if job.atoms is not None:
        return int((job.atoms.numbers > 1).sum())
    from rdkit import Chem

    return int(Chem.MolFromSmiles(job.label).GetNumHeavyAtoms())


def hash_of(molecule: str) -> str:
    """sha256 of an InChIKey, as lists of molecules to leave out hold it."""
    return hashlib.sha256(molecule.encode()).hexdigest()


def _holds_surfaces(path: str | os.PathLike[str]) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return "molecule" in file and "size" in file
    except OSError:  # the reader of datasets says what is wrong
        return False


def _jobs_of_surfaces(surfaces: Sequence[Surface], seed: int) -> list[Job]:
    """One geometry of each molecule, drawn at random, in random order."""
    from mlsemi.training.reference.campaign import Job

    of_molecule: dict[str, list[Surface]] = {}
    for surface in surfaces:
        of_molecule.setdefault(surface.molecule, []).append(surface)
    drawn = {
        molecule: np.random.default_rng(seed_of(molecule, seed)).random(2)
        for molecule in of_molecule
    }
    jobs = []
    for molecule in sorted(of_molecule, key=lambda m: float(drawn[m][0])):
        some = of_molecule[molecule]
        structure = some[int(drawn[molecule][1] * len(some))].structure
        atoms = structure.to_ase()
        jobs.append(Job(molecule, molecule, atoms, structure.charge, 0, "auxiliary surface"))
    return jobs


def _jobs_of_dataset(path: str | os.PathLike[str]) -> list[Job]:
    from mlsemi.training.reference.campaign import Job

    return [
        Job(
            record.label,
            record.molecule,
            record.structure.to_ase(),
            record.structure.charge,
            frames=0,
            origin=record.origin,
        )
        for record in ReferenceDataset.load(path)
    ]


def _jobs_of_file(path: str | os.PathLike[str], frames: int | None) -> list[Job]:
    """Jobs of a structure file; the molecule is its InChIKey, or its formula as a last resort.

    Either way all frames of one molecule stay in one split. Open shells are refused.
    """
    from mlsemi.training.reference.campaign import Job

    jobs = []
    for frame in iter_frames(path):
        if frame.structure.multiplicity > 1:
            raise InputError(
                f"{frame.label}: multiplicity {frame.structure.multiplicity}: references are "
                "closed shells only; leave it out, or check its charge"
            )
        for text in frame.warnings:
            warnings.warn(f"{frame.label}: {text}", InputWarning, stacklevel=2)
        atoms, charge = frame.structure.to_ase(), frame.structure.charge
        smiles = smiles_of(atoms, charge)
        molecule = inchikey(smiles) if smiles else f"{atoms.get_chemical_formula()} {charge:+d}"
        label = f"{Path(path).name}#{frame.index}"
        jobs.append(Job(label, molecule, atoms, charge, frames=frames or 0))
    return jobs


def _is_excluded(job: Job, excluded: frozenset[str]) -> bool:

    if not excluded:
        return False
    smiles = job.label if job.atoms is None else smiles_of(job.atoms, job.charge)
    if smiles is None:
        raise InputError(f"{job.label}: bonds are unclear, cannot tell whether it is excluded")
    return is_listed(smiles, excluded)


def is_excluded(molecule: str, hashes: Collection[str]) -> bool:
    """Whether an InChIKey, or that of the molecule without stereochemistry, is in such a list."""
    flat = f"{molecule.split('-')[0]}-UHFFFAOYSA-N"
    return bool(hashes) and not {hash_of(molecule), hash_of(flat)}.isdisjoint(hashes)


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
