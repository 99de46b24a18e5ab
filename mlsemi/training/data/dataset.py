"""Reference records and the dataset file that holds them (HDF5, checksummed, with provenance)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import h5py
import numpy as np

from mlsemi.brief import Brief
from mlsemi.errors import MlsemiError, ParameterError
from mlsemi.molecule.elements import valence
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.observables import lowdin_charges
from mlsemi.outputs import complete_or_absent
from mlsemi.training.data.columns import read_columns, write_columns
from mlsemi.training.data.projection import (
    density_matrix,
    projected_hamiltonian,
    smooth_hamiltonian,
    valence_selection,
)

FORMAT = "mlsemi-reference-2"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False, repr=False)
class Reference(Brief):
    """One large-basis calculation, reduced to what a minimal-basis model can learn from.

    Attributes
    ----------
    structure : Structure
    molecule : str
        Identity for splitting: InChIKey, or the label of a structure file.
    label, origin : str
        SMILES or file label; how the geometry was made.
    energy : float
        Total energy, hartree.
    orbital_energies : (n_mo,) array
        All occupied (core first) and the stored virtual energies, hartree.
    amplitudes : (n_min, n_mo) array
        T = <IAO | S | orbital>; rows in the order of the valence basis.
    dipole : (3,) array
        e bohr, about the origin of the coordinates.
    quadrupole : (3, 3) array
        Second moment of the charge density (not traceless), e bohr^2.
    charges_lowdin : (n_atom,) array
        Loewdin charges in the large basis, e.
    dipole_matrix : (3, n_min, n_min) array or None
        <IAO | r | IAO>, bohr, about the origin of the coordinates.
    forces : (n_atom, 3) array or None
        Hartree / bohr.
    singlet_energies : (n_state,) array or None
        Tamm-Dancoff excitation energies at the record's own level, hartree.
    singlet_strengths : (n_state,) array or None
        Oscillator strengths, length form.
    singlet_dipoles : (n_state, 3) array or None
        Transition dipoles <0|r|n>, bohr.
    singlet_transitions : (n_state, n_min, n_min) array or None
        Transition densities in the IAO frame, sum_ia X_ia t_i t_a^T. The squared norm of each
        is what the valence frame holds of the state: small for a Rydberg state.
    triplet_energies, triplet_transitions : arrays or None
        As for singlets.
    ris_energies, ris_strengths, ris_dipoles, ris_transitions : arrays or None
        Singlets of the minimal auxiliary kernel (TDA-ris), fields as for singlets.
    fragments : (n_atom,) int array or None
        Of a complex: number of the molecule of every atom.
    fragment_charges : (n_fragment,) int array or None
        Charge of each of its molecules, e.
    fragment_energies : (n_fragment,) array or None
        Energy of each molecule as it is in the complex, alone but in the basis of all, hartree.
    """

    structure: Structure
    molecule: str
    label: str
    origin: str
    energy: float
    orbital_energies: np.ndarray
    amplitudes: np.ndarray
    dipole: np.ndarray
    quadrupole: np.ndarray
    charges_lowdin: np.ndarray
    dipole_matrix: np.ndarray | None = None
    forces: np.ndarray | None = None
    singlet_energies: np.ndarray | None = None
    singlet_strengths: np.ndarray | None = None
    singlet_dipoles: np.ndarray | None = None
    singlet_transitions: np.ndarray | None = None
    triplet_energies: np.ndarray | None = None
    triplet_transitions: np.ndarray | None = None
    ris_energies: np.ndarray | None = None
    ris_strengths: np.ndarray | None = None
    ris_dipoles: np.ndarray | None = None
    ris_transitions: np.ndarray | None = None
    fragments: np.ndarray | None = None
    fragment_charges: np.ndarray | None = None
    fragment_energies: np.ndarray | None = None

    @property
    def interaction_energy(self) -> float | None:
        """Energy of a complex less that of its molecules in the same basis, hartree.

        Counterpoise corrected (Boys and Bernardi, Mol. Phys. 19, 553 (1970)), without dispersion;
        None where the energies of the molecules are not there.
        """
        if self.fragment_energies is None:
            return None
        return self.energy - float(self.fragment_energies.sum())

    @cached_property
    def n_core(self) -> int:
        """Doubly occupied core orbitals at the head of ``orbital_energies``."""
        return sum(valence(z).core_orbitals for z in self.structure.numbers.tolist())

    @cached_property
    def n_occupied(self) -> int:
        """Doubly occupied valence orbitals."""
        return self.structure.n_electron // 2

    @property
    def energies(self) -> np.ndarray:
        """(n_mo - n_core,) orbital energies without the core, hartree."""
        return self.orbital_energies[self.n_core :]

    @property
    def valence_amplitudes(self) -> np.ndarray:
        """(n_min, n_mo - n_core) amplitudes T without the core orbitals."""
        return self.amplitudes[:, self.n_core :]

    @cached_property
    def density(self) -> np.ndarray:
        """(n_min, n_min) density matrix in the IAO frame."""
        return density_matrix(self.valence_amplitudes, self.n_occupied)

    @cached_property
    def hamiltonian(self) -> np.ndarray:
        """(n_min, n_min) symmetry-adapted projected Hamiltonian (theory eq 6)."""
        return projected_hamiltonian(self.valence_amplitudes, self.energies, self.n_occupied)

    @cached_property
    def smooth_hamiltonian(self) -> np.ndarray:
        """(n_min, n_min) projection without a choice of virtuals (eq 6a); not of :meth:`lean`."""
        return smooth_hamiltonian(self.valence_amplitudes, self.energies, self.n_occupied)

    @cached_property
    def charges(self) -> np.ndarray:
        """(n_atom,) IAO charges, e."""
        return lowdin_charges(self.structure, self.density)

    @cached_property
    def valence_virtuals(self) -> np.ndarray:
        """Indices, without the core, of virtual levels with projection weight w_a > 1/2."""
        n = self.n_occupied
        weight = np.sum(self.valence_amplitudes[:, n:] ** 2, axis=0)
        return n + np.flatnonzero(weight > 0.5)

    def lean(self) -> Reference:
        """The record with valence levels alone: enough to train on.

        The projected Hamiltonian of eq 6 stays the same, that of eq 6a is lost; dipole matrix and
        transition densities go.
        """
        selected = valence_selection(self.valence_amplitudes, self.n_occupied)
        levels = self.n_core + np.union1d(selected, self.valence_virtuals)
        kept = np.r_[: self.n_core, levels]
        return replace(
            self,
            orbital_energies=self.orbital_energies[kept],
            amplitudes=self.amplitudes[:, kept],
            dipole_matrix=None,
            singlet_transitions=None,
            triplet_transitions=None,
            ris_transitions=None,
        )

    @property
    def split(self) -> str:
        """Which split the molecule belongs to; see :func:`split_of`."""
        return split_of(self.molecule)


def split_of(molecule: str) -> str:
    """Split of a molecule: 10 % validation, 10 % test, the rest training.

    Decided by a hash of the connectivity block of the InChIKey alone, so that it never changes
    when a dataset grows and stereoisomers stay together.
    """
    return _drawn(f"split:{molecule.split('-')[0]}".encode())


def frame_split_of(record: Reference) -> str:
    """Split of one geometry, in the same shares, whatever its molecule.

    For models of few molecules with many frames each; the geometry decides.
    """
    return _drawn(b"split:" + np.ascontiguousarray(record.structure.positions).tobytes())


def part_of(record: Reference, divided: str) -> str:
    """Split of a record where ``divided`` (``molecule`` or ``frame``) says what stays together."""
    return frame_split_of(record) if divided == "frame" else record.split


def _drawn(key: bytes) -> str:
    bucket = int.from_bytes(hashlib.sha256(key).digest()[:8], "big") % 10
    return {0: "validation", 1: "test"}.get(bucket, "train")


_STORED_AS = {
    "amplitudes": np.float32,
    "dipole_matrix": np.float32,
    "singlet_transitions": np.float16,
    "triplet_transitions": np.float16,
    "ris_transitions": np.float16,
    "fragments": np.int16,
    "fragment_charges": np.int16,
}
_TEXT = ("molecule", "label", "origin")
_ARRAYS = tuple(f.name for f in fields(Reference) if f.name not in (*_TEXT, "structure", "energy"))


def arrays_of(record: Reference) -> dict[str, np.ndarray]:
    """Flat named arrays of one record, in storage precision."""
    out = {
        "numbers": record.structure.numbers.astype(np.int16),
        "positions": record.structure.positions,
        "charge": np.array(record.structure.charge),
        "energy": np.array(record.energy),
    }
    for name in _ARRAYS:
        value = getattr(record, name)
        if value is not None:
            out[name] = np.asarray(value, dtype=_STORED_AS.get(name, np.float64))
    if "dipole_matrix" in out:
        out["dipole_matrix"] = _lower_triangles(out["dipole_matrix"])
    return out | {name: np.array(getattr(record, name)) for name in _TEXT}


def _lower_triangles(matrices: np.ndarray) -> np.ndarray:
    """(3, n, n) symmetric matrices as (3, n (n + 1) / 2)."""
    rows, columns = np.tril_indices(matrices.shape[1])
    return matrices[:, rows, columns]


def _symmetric(triangles: np.ndarray) -> np.ndarray:
    """Inverse of :func:`_lower_triangles`."""
    n = int(np.sqrt(2 * triangles.shape[1]))
    rows, columns = np.tril_indices(n)
    out = np.empty((len(triangles), n, n))
    out[:, rows, columns] = out[:, columns, rows] = triangles
    return out


def record_of(data: dict[str, np.ndarray]) -> Reference:
    """Inverse of :func:`arrays_of`."""
    structure = Structure(data["numbers"], data["positions"], int(data["charge"]))
    text = {name: str(data[name]) for name in _TEXT}
    arrays: dict[str, np.ndarray | None] = {
        name: np.asarray(data[name], dtype=_read_as(name)) if name in data else None
        for name in _ARRAYS
    }
    if "dipole_matrix" in data:
        arrays["dipole_matrix"] = _symmetric(data["dipole_matrix"])
    return Reference(structure=structure, energy=float(data["energy"]), **text, **arrays)  # type: ignore[arg-type]


def _read_as(name: str) -> type:
    return np.int64 if name in ("fragments", "fragment_charges") else np.float64


def content_hash(arrays: dict[str, np.ndarray]) -> str:
    """sha256 over names, shapes and bytes of the arrays of one record."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        value = arrays[name]
        digest.update(f"{name}{value.shape}".encode())
        digest.update(str(value).encode() if value.dtype.kind == "U" else value.tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False, repr=False)
class ReferenceDataset(Brief):
    """Many reference records with one provenance.

    Attributes
    ----------
    records : tuple of Reference
    provenance : dict
        Method, basis, grid, program versions, seeds; JSON-serialisable.
    """

    records: tuple[Reference, ...]
    provenance: dict[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Reference]:
        return iter(self.records)

    def __getitem__(self, index: int) -> Reference:
        return self.records[index]

    def split(self, name: str) -> ReferenceDataset:
        """Records of one split (``train``, ``validation`` or ``test``)."""
        return ReferenceDataset(
            tuple(record for record in self.records if record.split == name), self.provenance
        )

    @property
    def molecules(self) -> tuple[str, ...]:
        """Distinct molecules, sorted."""
        return tuple(sorted({record.molecule for record in self.records}))

    @cached_property
    def checksum(self) -> str:
        """sha256 over the content hashes of all records."""
        digest = hashlib.sha256()
        for record in self.records:
            digest.update(content_hash(arrays_of(record)).encode())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the HDF5 file; it appears complete or not at all."""
        with complete_or_absent(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs["format"] = FORMAT
            file.attrs["provenance"] = about = json.dumps(self.provenance, sort_keys=True)
            file.attrs["checksum"] = self.checksum
            file.attrs["seal"] = seal_of(self.checksum, about)
            write_columns(file, [arrays_of(record) for record in self.records])

    @classmethod
    def load(cls, *paths: str | os.PathLike[str], verify: bool = True) -> ReferenceDataset:
        """Read one or several dataset files.

        Raises
        ------
        ParameterError
            If a file is missing, not a dataset, truncated, or its checksum does not match.
        """
        records: list[Reference] = []
        provenance: dict[str, object] = {}
        for path in paths:
            try:
                part = cls._load_one(path, verify)
            except MlsemiError as error:
                raise ParameterError(f"{path}: {error}") from None
            except Exception as error:  # a damaged file can provoke almost any
                reason = " ".join(str(error).split()) or type(error).__name__
                raise ParameterError(f"{path}: cannot be read as a dataset ({reason})") from None
            records.extend(part.records)
            provenance = provenance or part.provenance
        return cls(tuple(records), provenance)

    @classmethod
    def _load_one(cls, path: str | os.PathLike[str], verify: bool) -> ReferenceDataset:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise ParameterError(f"not a {FORMAT} file")
            about, stored = file.attrs["provenance"], file.attrs["checksum"]
            seal = file.attrs.get("seal")
            rows = list(read_columns(file))
        records = tuple(_numbered(number, row) for number, row in enumerate(rows))
        part = cls(records, dict(json.loads(about)))
        if verify and part.checksum != stored:
            raise ParameterError("checksum does not match, the file is corrupted")
        if verify and seal not in (None, seal_of(stored, about)):  # the first files have none
            raise ParameterError("provenance does not match its seal, the file is corrupted")
        return part


def seal_of(checksum: str, provenance: str) -> str:
    """sha256 of checksum and provenance, which names the functional of the reference."""
    return hashlib.sha256(f"{checksum}{provenance}".encode()).hexdigest()


def _numbered(number: int, data: dict[str, np.ndarray]) -> Reference:
    """A record; what is wrong with it is said with its number."""
    try:
        record = record_of(data)
    except MlsemiError as error:
        raise ParameterError(f"record {number}: {error}") from None
    for name in ("energy", *_ARRAYS):
        value = getattr(record, name)
        if value is not None and not np.isfinite(value).all():
            raise ParameterError(f"record {number}: {name} is not finite")
    return record
