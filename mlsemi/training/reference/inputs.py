"""What ``mlsemi reference`` is asked for: one dataset, and input files -> jobs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mlsemi.errors import InputError, InputWarning
from mlsemi.molecule.formats import iter_frames
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.exclusion import is_listed
from mlsemi.training.data.geometries import inchikey, rdkit_molecule, seed_of, smiles_of
from mlsemi.training.data.surfaces import by_molecule, holds_surfaces, load_surfaces
from mlsemi.training.data.written import first_mistake

if TYPE_CHECKING:
    from mlsemi.training.reference.calculation import Level
    from mlsemi.training.reference.campaign import Job, Sampling

SMILES_SUFFIXES = (".smi", ".smiles", ".txt")
DATASET_SUFFIXES = (".h5", ".hdf5")

COUNT = Annotated[int, Field(ge=0, strict=True)]
KELVIN = Annotated[float, Field(ge=0.0, le=5000.0)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ReferenceFile:
    """A dataset of large-basis calculations of many molecules.

    Attributes
    ----------
    path : str
        The file to write.
    inputs : tuple of str
        SMILES lists (``.smi``, ``.smiles``, ``.txt``), datasets (``.h5``: same geometries, another
        level), surfaces (``.h5``: one geometry of each molecule) or structure files.
    skip : tuple of str
        Datasets and surfaces whose entries (by label) are not computed again.
    frames : int, optional
        Thermal frames per molecule. By default 1 for SMILES, and the geometry as given for
        structure files.
    temperatures : tuple of float, optional
        Each frame draws one, kelvin; 0 is the relaxed geometry. By default those of ``Sampling``.
    stretches : int
        Geometries with one bond stretched or compressed per molecule, beside the frames.
    contacts : int
        Geometries per complex (``O.C=O``), beside the frames, with its molecules, each relaxed
        alone or all together, rigid at 0.9 to 2 times the distance that GFN2-xTB likes best.
    collisions : int
        Geometries per pair of molecules (``O.C=O``), beside the others, that are warm and pressed
        together; in every second one a hydrogen of an X-H bond is moved outward.
    seed : int
        Of the geometries.
    method, basis : str
        Functional and basis set by PySCF's names.
    grid : int
        PySCF's grid level.
    forces : bool
        Compute forces too.
    excitations : int
        Singlets, and as many triplets, to compute too (full Tamm-Dancoff).
    ris : int
        Singlets to compute too with the minimal auxiliary kernel (TDA-ris).
    counterpoise : bool
        Compute each molecule of a complex in the basis of all too, for interaction energies.
    heavy_atoms : int, optional
        Leave out molecules with more atoms other than hydrogen.
    first : int
        Only so many jobs of those that are left (0: all).
    only : str
        Text file of the labels of jobs that are to be done, one per line.
    lean : bool
        Keep what training needs (:meth:`Reference.lean`).
    testing : bool
        Never for training: molecules that are excluded elsewhere may be among these.
    note : str
        What somebody who reads the file should know.
    """

    path: str
    inputs: tuple[str, ...]
    skip: tuple[str, ...] = ()
    frames: COUNT | None = None
    temperatures: Annotated[tuple[KELVIN, ...], Field(min_length=1)] | None = None
    stretches: COUNT = 0
    contacts: COUNT = 0
    collisions: COUNT = 0
    seed: int = 0
    method: str = "b3lyp"
    basis: str = "def2-tzvp"
    grid: COUNT = 2
    forces: bool = False
    excitations: COUNT = 0
    ris: COUNT = 0
    counterpoise: bool = False
    heavy_atoms: COUNT | None = None
    first: COUNT = 0
    only: str = ""
    lean: bool = False
    testing: bool = False
    note: str = ""

    @classmethod
    def of(cls, **entries: Any) -> ReferenceFile:
        """From entries that nobody has checked.

        Raises
        ------
        InputError
            Naming the first that is wrong.
        """
        try:
            return TypeAdapter(cls).validate_python(entries)
        except ValidationError as error:
            raise InputError(first_mistake(error)) from None

    @property
    def needs(self) -> tuple[str, ...]:
        """Files that must be there first."""
        return (*self.inputs, *self.skip, *([self.only] if self.only else []))

    def within(self, folder: Path) -> ReferenceFile:
        """The same with names of files relative to a folder."""
        inputs, skip = (tuple(str(folder / n) for n in some) for some in (self.inputs, self.skip))
        only = str(folder / self.only) if self.only else ""
        return replace(self, path=str(folder / self.path), inputs=inputs, skip=skip, only=only)

    def level(self, backend: str) -> Level:
        """Level of theory, computed by a program.

        Raises
        ------
        InputError
            If PySCF does not know it.
        """
        from mlsemi.training.reference.calculation import Level

        names = ("method", "basis", "grid", "forces", "excitations", "ris", "counterpoise")
        return Level(backend=backend, **{name: getattr(self, name) for name in names})

    def sampling(self) -> Sampling:
        """Geometries of each molecule."""
        from mlsemi.training.reference.campaign import Sampling

        frames = 1 if self.frames is None else self.frames
        temperatures = self.temperatures or Sampling.temperatures
        return Sampling(
            frames, temperatures, self.seed, self.stretches, self.contacts, self.collisions
        )

    def jobs(self, excluded: frozenset[str]) -> list[Job]:
        """Every job of the inputs that is to be done.

        Parameters
        ----------
        excluded : frozenset of str
            sha256(InChIKey) of molecules to leave out.

        Raises
        ------
        InputError
            If an input cannot be read, nothing is left, or contacts or collisions are asked for of
            given geometries.
        """
        of_complexes = bool(self.contacts or self.collisions)  # they need no frames beside them
        kept = self.frames if self.frames or not of_complexes else None
        jobs = [job for path in self.inputs for job in jobs_of(path, kept, excluded, self.seed)]
        given = next((job for job in jobs if job.atoms is not None), None)
        if of_complexes and given:
            raise InputError(
                f"{given.label}: contacts and collisions are made of SMILES, not of geometries"
            )
        known = labels_in(self.skip)
        jobs = [job for job in jobs if not is_known(job, known)]
        if self.heavy_atoms is not None:
            jobs = [job for job in jobs if _heavy_atoms(job) <= self.heavy_atoms]
        if self.only:
            wanted = set(Path(self.only).read_text(encoding="utf-8").split())
            jobs = [job for job in jobs if job.label in wanted]
        if not jobs:
            raise InputError(
                "no molecule is left to compute: the inputs are empty, excluded or known"
            )
        return jobs[: self.first or None]


def jobs_of(
    path: str | os.PathLike[str], frames: int | None, excluded: frozenset[str], seed: int = 0
) -> list[Job]:
    """Jobs of one input file.

    Parameters
    ----------
    path : path
        SMILES list, dataset, auxiliary surfaces or structure file, told apart by what they are.
    frames : int or None
        As of :class:`ReferenceFile`.
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
        return jobs_of_smiles(path, excluded)
    if suffix not in DATASET_SUFFIXES:
        found = _jobs_of_file(path, frames)
    elif holds_surfaces(path):
        return _jobs_of_surfaces(path, excluded, seed)
    else:
        found = _jobs_of_dataset(path)
    return [job for job in found if not _is_excluded(job, excluded)]


def labels_in(paths: Iterable[str | os.PathLike[str]]) -> set[str]:
    """Labels of what datasets and files of auxiliary surfaces hold."""
    labels: set[str] = set()
    for path in paths:
        if holds_surfaces(path):
            labels |= {surface.molecule for surface in load_surfaces(path)}
        else:
            labels |= {record.label for record in ReferenceDataset.load(path)}
    return labels


def is_known(job: Job, labels: Collection[str]) -> bool:
    """Whether a dataset with these labels holds a job.

    Records of auxiliary surfaces are labelled with the InChIKey of their molecule, by which that of
    a SMILES string is recognised.
    """
    return job.label in labels or (job.atoms is None and job.molecule in labels)


def _heavy_atoms(job: Job) -> int:
    if job.atoms is not None:
        return int((job.atoms.numbers > 1).sum())
    return int(rdkit_molecule(job.label).GetNumHeavyAtoms())


def _jobs_of_surfaces(
    path: str | os.PathLike[str], excluded: frozenset[str], seed: int
) -> list[Job]:
    """One geometry of each molecule, drawn at random, in random order."""
    from mlsemi.training.reference.campaign import Job

    of_molecule = by_molecule([path], excluded)
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
