"""Parameter sets: weights and a readable header, released in folders, checksummed.

``checksum`` covers the weights and the constants of the excited states: others cite a set by it.
``seal`` covers the header, and with it everything else that changes a result: form, elements,
functional, calibration, the checksum of the committee.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from mlsemi.errors import ElementError, InputError, MlsemiError, ParameterError
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.model.applicability import NOWHERE, doubts
from mlsemi.model.catalogue import shapes_of, weights_of
from mlsemi.model.committee import QUANTITIES, Calibration, Committee
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.domain import outside
from mlsemi.model.terms.intermolecular.bonded import tied
from mlsemi.model.terms.prediction import Prediction
from mlsemi.molecule.elements import symbol
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import complete_or_absent
from mlsemi.sets.archives import read_arrays
from mlsemi.sets.header import FORMAT, check_keys, checked_header, form_entries, sealed
from mlsemi.sets.releases import folder_of

PARTS = ("header.json", "weights.npz", "committee.npz")


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

    @contextmanager
    def naming_elements(self) -> Iterator[None]:
        """Where an element has no valence basis, say which ones this set was trained for.

        Raises
        ------
        InputError
        """
        try:
            yield
        except ElementError as error:
            raise self.explained(error) from None

    def explained(self, error: MlsemiError) -> MlsemiError:
        """An error, with the elements of this set where it is about one without a valence basis."""
        if not isinstance(error, ElementError):
            return error
        known = " ".join(self.elements)
        return InputError(f"{error}; parameter set {self.name} is trained for {known}")

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

    @property
    def divided(self) -> str:
        """What training kept together: ``molecule``, or ``frame`` for few molecules."""
        training = self.header.get("training")
        return str(training.get("split", "molecule")) if isinstance(training, dict) else "molecule"

    @property
    def ions_learned(self) -> bool:
        """Whether it has learned constants of the response to charge and spin."""
        return self.model.form.ions_learned

    @property
    def calibrated(self) -> bool:
        """Whether the constants of the excited states were fitted for this set."""
        return "excitation" in self.header

    @property
    def excitation_warnings(self) -> tuple[str, ...]:
        """What a user should know about the constants of the excited states."""
        if self.calibrated:
            return ()
        return (
            f"parameter set {self.name} has no fitted constants of the excited states: published "
            f"ones are used (ax {self.excitation.ax:.2f}), which fit other orbitals",
        )

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

    def with_fit(self, name: str, model: Model, provenance: Mapping[str, object]) -> Parameters:
        """The same set with a model some of whose weights were fitted when all else stood.

        Parameters
        ----------
        name : str
            ``contact_fit`` or ``response_fit``.
        model : Model
        provenance : mapping
            How they were fitted; kept under the name.
        """
        checksum = checksum_of(model.weights, self.header.get("excitation"))
        new = {"checksum": checksum, name: dict(provenance)}
        return replace(self, header=self.header | new, model=model, checksum=checksum)

    def with_committee(self, committee: Committee, provenance: Mapping[str, object]) -> Parameters:
        """The same set with a committee; predictions and checksum stay as they are.

        Parameters
        ----------
        committee : Committee
        provenance : mapping
            How it was fitted; kept beside its calibration under ``committee`` in the header.
        """
        plain = committee.plain_calibration()
        facts = {"checksum": committee.checksum, "members": committee.n_member}
        entry = {"calibration": plain, **facts, **provenance}
        return replace(self, header=self.header | {"committee": entry}, committee=committee)

    def atom_shifts(self, prediction: Prediction) -> np.ndarray | None:
        """Shifts of every member of the committee (:class:`Committee`), None without one."""
        if self.committee is None:
            return None
        return self.committee.atom_shifts(
            prediction.pairs, prediction.invariants, self.model.weights
        )

    def warnings(
        self, structure: Structure, prediction: Prediction, atom_shifts: np.ndarray | None
    ) -> tuple[str, ...]:
        """What a user should know about a result outside the training domain.

        Parameters
        ----------
        structure : Structure
        prediction : Prediction
            Of a pair list of this structure alone.
        atom_shifts : (n_atom, 3, n_member) array or None
            Of :meth:`atom_shifts`.
        """
        pairs = prediction.pairs
        strange = outside(pairs, prediction.invariants, self.model.weights)
        if self.committee is not None and atom_shifts is not None:
            strange = np.union1d(strange, self.committee.outside(pairs, atom_shifts))
        return tuple(self.doubts(structure, strange).values())

    def doubts(self, structure: Structure, strange: np.ndarray = NOWHERE) -> dict[str, str]:
        """What a user should know, by kind (:func:`mlsemi.model.applicability.doubts`).

        Parameters
        ----------
        structure : Structure
        strange : (n_strange,) int array
            Atoms that are outside by their features.
        """
        return doubts(structure, strange, self.model.form.bonded, self.ions_learned)

    @classmethod
    def load(cls, name: str | os.PathLike[str]) -> Parameters:
        """Load a released set by name, or any set by the path of its folder.

        Raises
        ------
        ParameterError
            If the set does not exist, is incomplete or its checksum does not match.
        """
        if not isinstance(name, str | os.PathLike):
            raise ParameterError(f"parameters {name!r}: give a name or a path")
        path = folder_of(name)
        return _load(path.resolve(), _modified(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the folder of a parameter set.

        Files that stand there already are replaced when all new ones are written.

        Raises
        ------
        ParameterError
            If the header has an entry that no header has.
        """
        facts = {
            "format": FORMAT,
            "name": self.name,
            "elements": list(self.elements),
            "form": form_entries(self.model.form),
            "checksum": self.checksum,
        }
        header = sealed(self.header | facts)
        target = Path(path)
        target.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            name, weights, committee = (
                stack.enter_context(complete_or_absent(target / part)) for part in PARTS
            )
            name.write_text(json.dumps(header, indent=2) + "\n")
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
        return _read(path)
    except MlsemiError as error:
        raise ParameterError(f"parameter set {path}: {error}") from None
    except Exception as error:  # a damaged zip or header can provoke almost any
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ParameterError(f"parameter set {path}: cannot be read ({reason})") from None


def _read(path: Path) -> Parameters:
    header = json.loads((path / "header.json").read_text(encoding="utf-8"))
    form = checked_header(header)
    with _naming("weights.npz do not fit the form in the header"):
        weights = read_arrays(path / "weights.npz", shapes_of(form))
    if checksum_of(weights, header.get("excitation")) != header["checksum"]:
        raise ParameterError("checksum does not match, weights.npz is corrupted")
    for name, value in weights.items():
        unknown = False if weights_of(form)[name].finite else np.isposinf(value)
        if not (np.isfinite(value) | unknown).all():
            raise ParameterError(f"weights {name} are not finite")
    committee = _read_committee(path, header.get("committee"), form)
    model = Model(form, tied(weights))
    loaded = Parameters(header["name"], header, model, header["checksum"], committee)
    _check_excitation(loaded)
    return loaded


def _read_committee(path: Path, entry: object, form: ModelForm) -> Committee | None:
    """The committee that the header speaks of, if it does."""
    if entry is None:
        return None
    check_keys(entry, ("calibration", "checksum", "members"), None, "committee")
    assert isinstance(entry, dict)
    n, members = len(form.elements), entry["members"]
    if type(members) is not int or members < 1:
        raise ParameterError(f"members = {members!r} of the committee, need a positive number")
    shapes = {"shifts": (n, 1 + form.n_invariant, 3, members), "limit": (n,)}
    with _naming("committee.npz does not fit the form in the header"):
        arrays = read_arrays(path / "committee.npz", shapes)
    check_keys(entry["calibration"], (), QUANTITIES, "calibration")
    for name, pair in entry["calibration"].items():
        check_keys(pair, Calibration._fields, (), f"calibration of {name}")
    calibration = {name: Calibration(**pair) for name, pair in entry["calibration"].items()}
    numbers = [value for pair in calibration.values() for value in pair]
    if not all(type(x) in (int, float) and 0.0 <= x < np.inf for x in numbers):
        raise ParameterError("calibration of the committee needs numbers that are not negative")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ParameterError("the committee is not finite")
    committee = Committee(arrays["shifts"], calibration, arrays["limit"])
    if committee.checksum != entry["checksum"]:
        raise ParameterError("checksum of the committee does not match, it is corrupted")
    return committee


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Say what an archive is before what is wrong with it."""
    try:
        yield
    except ParameterError as error:
        raise ParameterError(f"{what}: {error}") from None


def _check_excitation(parameters: Parameters) -> None:
    """Refuse constants of other elements than those of the set, or of unknown origin."""
    header = parameters.header
    if parameters.calibrated != isinstance(header.get("excitation_fit"), Mapping):
        raise ParameterError("excitation and excitation_fit must stand in the header together")
    constants, numbers = parameters.excitation, set(parameters.model.form.elements)
    exchange = set(constants.exchange_sp) | set(constants.exchange_pp)
    if parameters.calibrated and not exchange <= numbers == set(constants.hardness):
        raise ParameterError("excitation parameters are for other elements than those of the set")
