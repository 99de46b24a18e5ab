"""Parameter sets: weights and a readable header, released in folders, checksummed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from mlsemi.committee import Calibration, Committee
from mlsemi.domain import outside, outside_text, without_usual_bond
from mlsemi.elements import number_of, symbol
from mlsemi.errors import InputError, ParameterError
from mlsemi.forms import ModelForm
from mlsemi.model import AnyFeatures, Model
from mlsemi.outputs import complete_or_absent
from mlsemi.pairs import PairList
from mlsemi.response_constants import ExcitationParameters
from mlsemi.structure import Structure, read_only

FORMAT = "mlsemi-parameters-1"
PARTS = ("header.json", "weights.npz", "committee.npz")
DEFAULT = "organic-1"


def folder() -> Path:
    """Where released parameter sets live: inside the package, or beside it in a checkout."""
    installed = Path(__file__).parent / "parameter_sets"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "parameters"


def available() -> list[str]:
    """Names of the released parameter sets."""
    return sorted(path.parent.name for path in folder().glob("*/header.json"))


def folder_of(name: str | os.PathLike[str]) -> Path:
    """Folder of a released set, or the path of any set.

    Raises
    ------
    ParameterError
        If there is none.
    """
    for path in (Path(name), folder() / str(name)):
        if os.path.isfile(path / "header.json"):
            return path
    known = ", ".join(available()) or "none"
    raise ParameterError(f"no parameter set {str(name)!r} (available: {known})")


def checksum_of(weights: Mapping[str, np.ndarray], excitation: object = None) -> str:
    """sha256 over names, shapes and bytes of all weights, and the constants of the excitations.

    Without constants of its own (None) a set has the checksum of its weights alone.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = np.ascontiguousarray(weights[name], dtype=np.float64)
        digest.update(f"{name}{value.shape}".encode())
        digest.update(value.tobytes())
    if excitation is not None:
        digest.update(json.dumps(excitation, sort_keys=True).encode())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Parameters:
    """A parameter set.

    Attributes
    ----------
    name : str
    header : dict
        Elements, reference level, units, training data and its hash, errors, licence.
    model : Model
    checksum : str
        sha256 of the weights and of the header's excitation constants.
    committee : Committee or None
        What uncertainties are made of; it has a checksum of its own in the header.
    """

    name: str
    header: dict[str, object]
    model: Model
    checksum: str
    committee: Committee | None = None

    def __repr__(self) -> str:
        """One line."""
        return f"Parameters({self.name}, {' '.join(self.elements)}, checksum {self.checksum[:8]})"

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbols the set was trained for."""
        return tuple(symbol(z) for z in self.model.form.elements)

    def check(self, structure: Structure) -> None:
        """Refuse structures with elements that the set was not trained for.

        Raises
        ------
        InputError
            Names the first such atom.
        """
        for atom, text in enumerate(structure.symbols):
            if text not in self.elements:
                raise InputError(
                    f"atom {atom}: element {text} is not in parameter set {self.name} "
                    f"(trained for {' '.join(self.elements)})"
                )

    @property
    def functional(self) -> str | None:
        """Density functional of the reference energies, None where the header names none."""
        words: object = self.header
        for key in ("reference", "level", "method"):
            words = words.get(key) if isinstance(words, Mapping) else None
        return words if isinstance(words, str) else None

    @cached_property
    def excitation(self) -> ExcitationParameters:
        """Constants of the excited states: the header's, or the published ones without."""
        if "excitation" not in self.header:
            return ExcitationParameters()
        return ExcitationParameters.of_mapping(self.header["excitation"])

    def with_excitation(
        self, constants: ExcitationParameters, provenance: Mapping[str, object]
    ) -> Parameters:
        """The same set with fitted constants of the excited states in its header.

        Parameters
        ----------
        constants : ExcitationParameters
        provenance : mapping
            How they were fitted; kept as ``excitation_fit``.
        """
        plain = constants.to_mapping(self.elements)
        checksum = checksum_of(self.model.weights, plain)
        new = {"checksum": checksum, "excitation": plain, "excitation_fit": dict(provenance)}
        return replace(self, header=self.header | new, checksum=checksum)

    def with_committee(self, committee: Committee, provenance: Mapping[str, object]) -> Parameters:
        """The same set with a committee; predictions and checksum stay as they are.

        Parameters
        ----------
        committee : Committee
        provenance : mapping
            How it was fitted; kept beside its calibration under ``committee`` in the header.
        """
        plain = committee.plain_calibration()
        entry = {"calibration": plain, "checksum": committee.checksum, **provenance}
        return replace(self, header=self.header | {"committee": entry}, committee=committee)

    def atom_shifts(self, pairs: PairList, features: AnyFeatures) -> np.ndarray | None:
        """Shifts of every member of the committee (:class:`Committee`), None without one."""
        if self.committee is None:
            return None
        return self.committee.atom_shifts(pairs, features.invariants, self.model.weights)

    def warnings(
        self,
        structure: Structure,
        pairs: PairList,
        features: AnyFeatures,
        atom_shifts: np.ndarray | None,
    ) -> tuple[str, ...]:
        """What a user should know about a result outside the training domain."""
        out = []
        if structure.charge:
            out.append("the parameters were trained on neutral molecules only")
        strange = outside(pairs, features.invariants, self.model.weights)
        if self.committee is not None and atom_shifts is not None:
            strange = np.union1d(strange, self.committee.outside(pairs, atom_shifts))
        strange = np.union1d(strange, without_usual_bond(structure))
        return (*out, *outside_text(structure, strange))

    @classmethod
    def load(cls, name: str | os.PathLike[str]) -> Parameters:
        """Load a released set by name, or any set by the path of its folder.

        Raises
        ------
        ParameterError
            If the set does not exist, is incomplete or its checksum does not match.
        """
        path = folder_of(name)
        return _load(path.resolve(), _modified(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the folder of a parameter set.

        Files that stand there already are replaced when all new ones are written.
        """
        target = Path(path)
        target.mkdir(parents=True, exist_ok=True)
        header = {
            "format": FORMAT,
            "name": self.name,
            "elements": list(self.elements),
            "form": {k: v for k, v in asdict(self.model.form).items() if k != "elements"},
            "checksum": self.checksum,
        }
        with ExitStack() as stack:
            name, weights, committee = (
                stack.enter_context(complete_or_absent(target / part)) for part in PARTS
            )
            name.write_text(json.dumps(header | self.header, indent=2) + "\n")
            with open(weights, "wb") as file:
                np.savez(file, **dict(self.model.weights))  # type: ignore[arg-type]
            if self.committee is not None:
                shifts, limit = self.committee.shifts, self.committee.limit
                with open(committee, "wb") as file:
                    np.savez_compressed(file, shifts=shifts, limit=limit)
        if self.committee is None:
            (target / "committee.npz").unlink()


def _modified(path: Path) -> tuple[int, ...]:
    files = [path / name for name in PARTS]
    return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in files)


@cache
def _load(path: Path, modified: tuple[int, ...]) -> Parameters:
    """Read a folder; cached by path and modification times, so repeated calls cost nothing."""
    try:
        name, form, header, weights = _read(path)
        committee = _read_committee(path, header)
    except ParameterError:
        raise
    except Exception as error:  # a damaged zip or header can provoke almost any
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ParameterError(f"parameter set {path}: cannot be read ({reason})") from None
    if {key: value.shape for key, value in weights.items()} != form.shapes():
        raise ParameterError(f"parameter set {path}: weights do not fit the form in the header")
    if checksum_of(weights, header.get("excitation")) != header.get("checksum"):
        raise ParameterError(
            f"parameter set {path}: checksum does not match, the file is corrupted"
        )
    if committee is not None and not _fits(committee, form):
        raise ParameterError(f"parameter set {path}: the committee does not fit the form")
    loaded = Parameters(name, header, Model(form, weights), str(header["checksum"]), committee)
    try:
        _ = loaded.excitation
    except ParameterError as error:
        raise ParameterError(f"parameter set {path}: {error}") from None
    return loaded


def _read(path: Path) -> tuple[str, ModelForm, dict[str, object], dict[str, np.ndarray]]:
    header = json.loads((path / "header.json").read_text())
    if header.get("format") != FORMAT:
        raise ParameterError(f"{path}: header is not of format {FORMAT}")
    known = {f.name for f in fields(ModelForm)}
    form = ModelForm(
        tuple(number_of(text) for text in header["elements"]),
        **{key: value for key, value in header["form"].items() if key in known},
    )
    form.shapes()
    with open(path / "weights.npz", "rb") as stream, np.load(stream) as data:
        weights = {key: read_only(data[key]) for key in data.files}
    return header["name"], form, header, weights


def _read_committee(path: Path, header: dict[str, object]) -> Committee | None:
    """The committee that the header speaks of, if it does."""
    entry = header.get("committee")
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise ParameterError(f"parameter set {path}: committee = {entry!r}, need a table")
    with open(path / "committee.npz", "rb") as stream, np.load(stream) as data:
        shifts, limit = read_only(data["shifts"]), read_only(data["limit"])
    calibration = {name: Calibration(**pair) for name, pair in entry["calibration"].items()}
    committee = Committee(shifts, calibration, limit)
    if committee.checksum != entry.get("checksum"):
        raise ParameterError(
            f"parameter set {path}: checksum of the committee does not match, it is corrupted"
        )
    return committee


def _fits(committee: Committee, form: ModelForm) -> bool:
    shape = (len(form.elements), 1 + form.n_invariant, 3)
    known = committee.shifts.ndim == 4 and committee.limit.shape == shape[:1]
    return known and committee.shifts.shape[:3] == shape
