"""Couplings of structures as they come: the job of ``mlsemi couplings``, which goes to workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlsemi.batch import Failure
from mlsemi.cli.work.batches import Outcome
from mlsemi.draw.cell_report import couplings_text
from mlsemi.draw.report import json_line
from mlsemi.errors import MlsemiError, located
from mlsemi.molecule.formats import Frame
from mlsemi.parameters import Parameters
from mlsemi.periodic.couplings import couplings_of


@dataclass(frozen=True)
class CouplingsJob:
    """Couplings of a few structures in the form in which they are written.

    Attributes
    ----------
    parameters : str
        Name or path of the parameter set.
    threads : int
    tables : bool
        Whether they are printed.
    """

    parameters: str
    threads: int
    tables: bool

    def __call__(self, items: list[Frame | Failure]) -> list[Outcome]:
        """Outcomes of a few structures."""
        return [Outcome.of(item) if isinstance(item, Failure) else self._of(item) for item in items]

    def _of(self, frame: Frame) -> Outcome:
        loaded = Parameters.load(self.parameters)
        try:
            with located(frame.label):
                found = couplings_of(frame.structure, loaded, threads=self.threads)
        except MlsemiError as error:
            return Outcome.of(Failure(frame.file, frame.index, frame.name, error))
        record = found.to_dict()
        record["source"] = {"file": frame.file, "frame": frame.index}
        record["warnings"] = [*frame.warnings, *record["warnings"]]
        if frame.name:
            record["name"] = frame.name
        return Outcome(
            label=frame.label,
            name=frame.name or Path(frame.file).stem,
            warnings=tuple(record["warnings"]),
            line=json_line(record),
            text=couplings_text(record, frame.label) if self.tables else "",
            file=frame.file,
            index=frame.index,
        )
