"""A campaign of reference calculations: many molecules, many processes, safe to kill.

Each molecule is one job; its result is one part file that appears complete or not at all, so
a campaign killed at any moment resumes without losing or repeating a record, and the collected
dataset does not depend on the order in which jobs finished.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from mlsemi.errors import InputError, MlsemiError, ParameterError
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import complete_or_absent
from mlsemi.training.data.collisions import collision_frames
from mlsemi.training.data.contacts import Molecules, contact_frames
from mlsemi.training.data.dataset import Reference, ReferenceDataset, arrays_of, record_of
from mlsemi.training.data.exclusion import is_listed
from mlsemi.training.data.geometries import (
    bonds_of,
    embed,
    inchikey,
    numbers_of,
    relax,
    seed_of,
    stretched_frames,
    thermal_frame,
)
from mlsemi.training.reference.calculation import Level, reference_record


@dataclass(frozen=True)
class Sampling:
    """Which geometries of each molecule are computed.

    Attributes
    ----------
    frames : int
        Thermal frames per molecule; for structure files 0 keeps the geometry given.
    temperatures : tuple of float
        Langevin temperatures, kelvin; each frame draws one at random. 0 means relaxed.
    seed : int
        Global seed; each molecule derives its own from it and its label.
    stretches : int
        Geometries per molecule, beside the frames, with one bond stretched or compressed.
    contacts : int
        Geometries per complex, beside the frames, with its rigid molecules at various distances.
    collisions : int
        Geometries per pair of molecules, beside the others, that are warm and pressed together.
    """

    frames: int = 1
    temperatures: tuple[float, ...] = (0.0, 300.0, 600.0, 1000.0)
    seed: int = 0
    stretches: int = 0
    contacts: int = 0
    collisions: int = 0

    def provenance(self) -> dict[str, object]:
        """What is recorded with every dataset made so."""
        settings = asdict(self)
        for name in ("stretches", "contacts", "collisions"):
            if not settings[name]:  # campaigns that are older than this setting stay the same
                del settings[name]
        return settings


@dataclass(frozen=True)
class Job:
    """One molecule: a SMILES to embed, or atoms with the geometry to use.

    Attributes
    ----------
    label, molecule : str
        SMILES or name; identity for splitting (see :class:`dataset.Reference`).
    atoms : ase.Atoms, optional
        Given geometry, angstrom.
    charge : int
        Of ``atoms``.
    frames : int, optional
        Overrides ``Sampling.frames``; 0 keeps the given geometry.
    origin : str
        How a given geometry was made.
    """

    label: str
    molecule: str
    atoms: Atoms | None = None
    charge: int = 0
    frames: int | None = None
    origin: str = "given"

    @property
    def key(self) -> str:
        """File-name-safe identity of the job: its label and, where given, its geometry."""
        digest = hashlib.sha256(self.label.encode())
        if self.atoms is not None:
            digest.update(f"{self.charge} {self.origin} {self.atoms.numbers.tolist()}".encode())
            digest.update(np.ascontiguousarray(self.atoms.positions).tobytes())
        return digest.hexdigest()[:20]

    def molecules(self) -> Molecules:
        """Its molecules: those of the SMILES that is its label, or by the distances of atoms.

        Raises
        ------
        InputError
            If a charge cannot be told to belong to one of several molecules.
        """
        if self.atoms is None or self.atoms.numbers.tolist() == numbers_of(self.label):
            return Molecules.of_smiles(self.label)
        return Molecules.of_geometry(self.atoms, self.charge)


def jobs_of_smiles(path: str | os.PathLike[str], excluded: frozenset[str]) -> list[Job]:
    """Jobs of a text file: one ``SMILES [frames]`` per line, ``#`` starts a comment.

    Molecules whose hash stands in ``excluded`` (see :func:`exclusion.is_listed`) are left out.

    Raises
    ------
    InputError
        If a line is not a SMILES; names the file and line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    jobs = []
    for number, line in enumerate(lines, start=1):
        words = line.split("# ")[0].split()
        if not words or words[0].startswith("#"):
            continue
        try:
            if not is_listed(words[0], excluded):
                frames = int(words[1]) if len(words) > 1 else None
                jobs.append(Job(words[0], inchikey(words[0]), frames=frames))
        except (MlsemiError, ValueError) as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    return jobs


def geometries(job: Job, sampling: Sampling) -> list[tuple[Atoms, int, str]]:
    """(atoms, charge, origin) of every frame of one job, then of its other geometries.

    These are the stretched ones, and of a SMILES those with molecules at various distances.

    Raises
    ------
    InputError
        If there is none, or a molecule reacts on the way to one.
    """
    seed = seed_of(job.label, sampling.seed)
    frames = sampling.frames if job.frames is None else job.frames
    if job.atoms is not None:
        still, charge, bonds = job.atoms, job.charge, None
    else:
        (still, charge), bonds = embed(job.label, seed), bonds_of(job.label)
    start = still
    if job.atoms is not None and not frames:
        origin, out = job.origin, [(still, charge, job.origin)]
    elif not frames and not sampling.stretches:
        origin, out = job.origin, []  # ions would not survive being relaxed together
    else:
        still, origin, out = relax(still, charge, bonds=bonds), "GFN2-xTB relaxed", []
    rng = np.random.default_rng(seed)
    for index in range(frames):
        temperature = float(rng.choice(sampling.temperatures))
        frame_seed = int(rng.integers(2**31))
        if temperature == 0.0:
            out.append((still, charge, origin))
        else:
            frame = thermal_frame(still, charge, temperature, frame_seed, bonds=bonds)
            out.append((frame, charge, f"GFN2-xTB Langevin {temperature:.0f} K frame {index}"))
    stretched = stretched_frames(still, sampling.stretches, rng, bonds)
    out += [(frame, charge, f"{origin}, {change}") for frame, change in stretched]
    if job.atoms is None:
        out += [
            (frame, charge, f"molecules GFN2-xTB relaxed, {change}")
            for frame, change in (
                *contact_frames(start, job.label, sampling.contacts, rng),
                *collision_frames(start, job.label, sampling.collisions, rng),
            )
        ]
    if not out:
        raise InputError("no frames are asked for, and a single molecule has no contacts")
    return out


def compute(job: Job, sampling: Sampling, level: Level, folder: Path) -> str | None:
    """Do one job and write its part file; a failure is written with its reason and returned.

    Whatever goes wrong inside one molecule is a failure of that molecule, not of the campaign;
    only a missing program concerns them all.
    """
    try:
        molecules = job.molecules() if level.counterpoise else None
        frames = [
            reference_record(
                Structure.from_ase(atoms, charge),
                job.molecule,
                job.label,
                origin,
                level,
                molecules,
            )
            for atoms, charge, origin in geometries(job, sampling)
        ]
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        record_failure(job, reason, folder)
        return reason
    flat = {
        f"{index}/{name}": value
        for index, record in enumerate(frames)
        for name, value in arrays_of(record).items()
    }
    part = folder / f"{job.key}.npz"
    with complete_or_absent(part) as temporary, open(temporary, "wb") as file:
        np.savez(file, **flat)  # type: ignore[arg-type]
    return None


def record_failure(job: Job, reason: str, folder: Path) -> None:
    """Remember that a job failed, so that it is skipped from now on."""
    with complete_or_absent(folder / f"{job.key}.failed") as temporary:
        temporary.write_text(json.dumps([job.label, reason]))


def pending(jobs: Sequence[Job], folder: Path) -> list[Job]:
    """Distinct jobs with neither a part file nor a recorded failure."""
    done = {path.stem for path in folder.glob("*") if path.suffix in {".npz", ".failed"}}
    return [job for key, job in {job.key: job for job in jobs}.items() if key not in done]


def open_folder(folder: Path, sampling: Sampling, level: Level) -> None:
    """Create the folder of part files and its settings, or check that they are the same.

    Raises
    ------
    ParameterError
        If the folder was started with another sampling or level.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = json.dumps(
        {"sampling": sampling.provenance(), "level": level.provenance()}, sort_keys=True
    )
    stamp = folder / "settings.json"
    if not stamp.exists():
        with complete_or_absent(stamp) as temporary:
            temporary.write_text(settings)
    elif stamp.read_text() != settings:
        raise ParameterError(f"{folder}: was started with other settings, see {stamp}")


def collect(
    folder: Path, jobs: Sequence[Job] | None = None
) -> tuple[ReferenceDataset, list[tuple[str, str]]]:
    """Dataset of all finished parts, ordered by label, and the (label, reason) of failures.

    Parameters
    ----------
    folder : Path
    jobs : sequence of Job, optional
        Collect only these; by default everything in the folder.

    Raises
    ------
    ParameterError
        If the folder holds no finished record.
    """
    wanted = None if jobs is None else {job.key for job in jobs}
    parts = sorted(p for p in folder.glob("*.npz") if wanted is None or p.stem in wanted)
    failed = sorted(p for p in folder.glob("*.failed") if wanted is None or p.stem in wanted)
    records: list[Reference] = []
    for path in parts:
        with np.load(path) as part:
            rows: dict[str, dict[str, np.ndarray]] = {}
            for name in part.files:
                index, key = name.split("/")
                rows.setdefault(index, {})[key] = part[name]
        records.extend(record_of(row) for row in rows.values())
    failures = sorted((label, reason) for label, reason in map(_failure, failed))
    if not records:
        why = f" ({len(failures)} failed, first: {failures[0][1]})" if failures else ""
        raise ParameterError(f"{folder}: holds no finished reference record{why}")
    records.sort(key=lambda record: (record.label, record.origin))
    provenance = json.loads((folder / "settings.json").read_text())
    provenance["failures"] = len(failures)
    return ReferenceDataset(tuple(records), provenance), failures


def _failure(path: Path) -> tuple[str, str]:
    label, reason = json.loads(path.read_text())
    return label, reason
