"""From files to outcomes: frames are read, checked and computed as they come, in order.

The first ``LOOK_AHEAD`` structures are read and checked before the first is computed, so that of a
batch of usual size every record that cannot be used is named before any work. Beyond, structures
are read as they are needed, and memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mlsemi.batch import Failure, frames_of, points
from mlsemi.cli.work import terminal
from mlsemi.cli.work.resume import Done, checksum_of
from mlsemi.draw.molden import write_molden
from mlsemi.draw.report import json_line, result_text, states_text
from mlsemi.draw.spectrum import Lines
from mlsemi.draw.summary import summary_row
from mlsemi.errors import InputError, MlsemiError, OutputError, located
from mlsemi.excited.method import Method
from mlsemi.machine.workers import in_order
from mlsemi.model.applicability import check_energy, check_states
from mlsemi.molecule.formats import Frame
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.periodic.result import CellResult, refuse_in_cells
from mlsemi.response.solvents import Solvent
from mlsemi.result import Result

LOOK_AHEAD = 1000


@dataclass(frozen=True)
class Job:
    """What is computed of every structure, and in which form it comes back; goes to workers.

    Attributes
    ----------
    parameters : str
    requests : mapping
        Arguments of :func:`mlsemi.singlepoint`.
    by_multiplicity : mapping
        More of them for ground states of each multiplicity.
    fragments : list of lists of int or None
    relax : bool
        Relax each structure first.
    json, summary, lines : bool
        Which are wanted: lines of JSON, rows of a summary, lines of a spectrum.
    tables : "result", "states" or None
        Which are printed.
    width : int or None
        Columns of the screen.
    rotatory : bool
        Rotatory strengths even if all are noise.
    molden : Path or None
        File of the orbitals.
    """

    parameters: str
    requests: Mapping[str, Any]
    by_multiplicity: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    fragments: list[list[int]] | None = None
    relax: bool = False
    json: bool = False
    summary: bool = False
    lines: bool = False
    tables: Literal["result", "states"] | None = None
    width: int | None = None
    rotatory: bool = False
    molden: Path | None = None

    def __call__(self, items: list[Frame | Failure]) -> list[Outcome]:
        """Outcomes of a few structures."""
        checksums = ["" if isinstance(i, Failure) else checksum_of(i.structure) for i in items]
        ready = [self._relaxed(item) for item in items] if self.relax else items
        asked = ({"parameters": self.parameters} | self.asked(item) for item in ready)
        results = [points([i], settings)[0] for i, settings in zip(ready, asked, strict=True)]
        return [
            Outcome.of(result) if isinstance(result, Failure) else self._of(result, item, checksum)
            for result, item, checksum in zip(results, ready, checksums, strict=True)
        ]

    def _relaxed(self, item: Frame | Failure) -> Frame | Failure:
        if isinstance(item, Failure):
            return item
        try:
            return relaxed_frame(item, self.parameters, self.requests)
        except MlsemiError as error:
            return Failure(item.file, item.index, item.name, error)

    def _of(self, result: Result | CellResult, item: Frame | Failure, checksum: str) -> Outcome:
        """Outcome of one result, everything in the form in which it is written."""
        assert isinstance(item, Frame)
        file, index = item.file, item.index
        try:
            with located(item.label):
                record = result.to_dict(fragments=self.fragments)
                if self.molden is not None and isinstance(result, Result):
                    write_molden(result, self.molden)
        except OutputError:
            raise
        except MlsemiError as error:
            return Outcome.of(Failure(file, index, result.name, error))
        record["source"] = {"file": file, "frame": index, "checksum": checksum}
        if wanted := self.said(item):
            record["requested"] = wanted
        text = ""
        if self.tables == "result":
            text = result_text(record, item.label, self.width)
        elif self.tables == "states":
            text = states_text(record, item.label, self.width, self.rotatory)
        lines = result.absorbing if self.lines and isinstance(result, Result) else None
        return Outcome(
            label=item.label,
            name=result.name or Path(file).stem,
            warnings=tuple(record["warnings"]),
            line=json_line(record) if self.json else None,
            row=summary_row(record) if self.summary else None,
            lines=None if lines is None else Lines.of(lines),
            text=text,
            structure=result.structure if self.lines else None,
            file=file,
            index=index,
        )

    def asked(self, item: Frame | Failure | None = None) -> dict[str, Any]:
        """Arguments of the single point of one structure, or of any."""
        spin = item.structure.multiplicity if isinstance(item, Frame) else 0
        return {**self.requests, **self.by_multiplicity.get(spin, {})}

    def said(self, item: Frame | None = None) -> dict[str, Any]:
        """What was asked for (of one structure), as far as it is not what happens anyway."""
        said: dict[str, Any] = {}
        for key, value in self.asked(item).items():
            if isinstance(value, Method):
                said |= {"full_tddft": value.full, "selection": value.selection}
                said["exact"] = value.exact
            elif isinstance(value, Solvent):
                said |= {key: value.name, "epsilon": value.epsilon}
            elif isinstance(value, np.ndarray):
                said[key] = value.tolist()
            elif key != "threads":
                said[key] = value
        if said.pop("dispersion", True) is False:
            said["no_dispersion"] = True
        said = {key: value for key, value in said.items() if value}
        return said | ({"opt": True} if self.relax else {})


def relaxed_frame(frame: Frame, parameters: str, requests: Mapping[str, Any]) -> Frame:
    """The same relaxed in its surroundings; what is to be known about that joins its warnings."""
    from mlsemi.nuclei.relaxation import relaxed_structure  # slow to import

    around = {name: requests.get(name) for name in ("solvent", "field")}
    with located(frame.label):
        structure, notes = relaxed_structure(frame.structure, parameters, **around)
    return replace(frame, structure=structure, warnings=(*frame.warnings, *notes))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What has become of one structure, in the forms that a job was asked for.

    Attributes
    ----------
    label, name : str
        Where it came from; its title, or the name of its file.
    warnings : tuple of str
    error : MlsemiError or None
        Why there is nothing.
    line : str or None
        JSON.
    row : dict or None
        Of a summary.
    lines : Lines or None
        Of a spectrum.
    text : str
        Tables.
    structure : Structure or None
    file : str
    index : int or None
    """

    label: str = ""
    name: str = ""
    warnings: tuple[str, ...] = ()
    error: MlsemiError | None = None
    line: str | None = None
    row: dict[str, Any] | None = None
    lines: Lines | None = None
    text: str = ""
    structure: Structure | None = None
    file: str = ""
    index: int | None = None

    @classmethod
    def of(cls, failure: Failure) -> Outcome:
        """Of a structure that could not be computed."""
        row = {"name": failure.name, "file": failure.file, "frame": failure.index}
        return cls(
            name=failure.name,
            error=failure.error,
            row=row | {"error": str(failure.error)},
            file=failure.file,
            index=failure.index,
        )


@dataclass
class Batch:
    """Structures of files, and what went wrong with some.

    Attributes
    ----------
    files : list of str
        Paths, SMILES, ``-``.
    charge : int or None
        None takes it from the file.
    parameters : str
        Name or path of the parameter set.
    multiplicity : int or None
        None takes it from the file.
    skip : bool
        Leave out what cannot be computed instead of stopping.
    name_field : str or None
        Data field of SDF records that names them.
    forces : bool
        Whether they are asked for, which not every structure has.
    states : tuple of int
        Multiplicities of ground states whose excited states are asked for; none for none.
    molecular : tuple of str
        What else is asked for that periodic cells do not have.
    done : Done or None
        What an earlier run has finished.
    errors : list of MlsemiError
        Of structures that were left out.
    n_done : int
        Structures that an earlier run has finished.
    """

    files: Sequence[str]
    charge: int | None
    parameters: str
    multiplicity: int | None = None
    skip: bool = False
    name_field: str | None = None
    forces: bool = False
    states: tuple[int, ...] = ()
    molecular: tuple[str, ...] = ()
    done: Done | None = None
    errors: list[MlsemiError] = field(default_factory=list)
    n_done: int = 0

    def __post_init__(self) -> None:
        if list(self.files).count("-") > 1:
            raise InputError("standard input (-) can be read only once")
        self._loaded = Parameters.load(self.parameters)
        self._stream = self._checked()
        self.head = list(islice(self._stream, LOOK_AHEAD))
        self.whole = len(self.head) < LOOK_AHEAD
        self.n_seen = len(self.head)
        bad = [item.error for item in self.head if isinstance(item, Failure)]
        if bad and not (self.skip and len(bad) < len(self.head)):
            self.errors = bad
            self.finish()

    @property
    def frames(self) -> list[Frame]:
        """Of the structures that are read ahead, those that can be computed."""
        return [item for item in self.head if isinstance(item, Frame)]

    def _checked(self) -> Iterator[Frame | Failure]:
        """Everything in the files; what cannot be used is a failure in its place."""
        for file in self.files:
            for item in frames_of(file, self.charge, self.multiplicity, self.name_field):
                if isinstance(item, Failure):
                    yield Failure(file, None, "", self._loaded.explained(item.error))
                    continue
                if self.done is not None and self.done.has(item):
                    self.n_done += 1
                    continue
                try:
                    with located(item.label):
                        self._loaded.check(item.structure)
                        if self.forces:
                            check_energy(item.structure, "forces", self._loaded.ions_learned)
                        if self.states:
                            check_states(item.structure, self.states)
                        if item.structure.cell is not None:
                            asked = {"excited states": bool(self.states)}
                            refuse_in_cells(asked | dict.fromkeys(self.molecular, True))
                except MlsemiError as error:
                    yield Failure(file, item.index, item.name, error)
                else:
                    yield item

    def _all(self) -> Iterator[Frame | Failure]:
        """Everything, the structures read ahead first; they are let go of."""
        head, self.head = self.head, []
        head.reverse()
        while head:
            yield head.pop()
        for item in self._stream:
            self.n_seen += 1
            yield item

    def outcomes(
        self,
        job: Callable[[list[Frame | Failure]], list[Outcome]],
        processes: int = 1,
        scheduler: str | None = None,
        quiet: bool = False,
    ) -> Iterator[Outcome]:
        """Outcomes in the order of the structures, with a progress bar.

        Parameters
        ----------
        job : Job
        processes : int
        scheduler : str or None
            Address of a dask scheduler.
        quiet : bool
            No bar and no warnings.

        Raises
        ------
        MlsemiError
            The first failure, unless failures are to be skipped.
        """
        total = self.n_seen if self.whole else None
        found = in_order(job, self._all(), processes, scheduler)
        for outcome in terminal.progress(found, "structures", quiet, total):
            if outcome.error is not None:
                if not self.skip:
                    raise outcome.error
                self.errors.append(outcome.error)
            elif not quiet:
                for text in outcome.warnings:
                    terminal.warn(f"{outcome.label}: {text}")
            yield outcome

    def structures(self) -> Iterator[Frame]:
        """Structures one by one, for work that is done here.

        Raises
        ------
        MlsemiError
            The first that cannot be used, unless failures are to be skipped.
        """
        for item in self._all():
            if isinstance(item, Frame):
                yield item
            elif self.skip:
                self.errors.append(item.error)
            else:
                raise item.error

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """The work on one frame; its failure ends the batch or, with ``skip``, only the block."""
        try:
            yield
        except OutputError:
            raise
        except MlsemiError as error:
            if not self.skip:
                raise
            self.errors.append(error)

    def finish(self) -> None:
        """Name every structure that was left out.

        Raises
        ------
        InputError
            Saying how many, if there are any.
        """
        if not self.errors:
            return
        number = len(self.errors)
        if number == self.n_seen:
            end = "nothing is left to compute"
        elif self.skip:
            end = "left out, all others computed"
        else:
            end = "--skip-errors computes the others"
        if number == 1:
            only = self.errors[0]
            raise only if self.n_seen == 1 else type(only)(f"{only} ({end})")
        for error in self.errors:
            terminal.complain(str(error))
        first = "" if self.whole or self.skip else "the first "
        raise InputError(f"{number} of {first}{self.n_seen} structures cannot be used: {end}")
