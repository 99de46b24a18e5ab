"""The whole run behind ``mlsemi train RECIPE``: data, stages, constants, uncertainties, release.

    sources -> start -> (stage -> constants of the excited states) x n -> committee -> errors -> set

Everything that is finished stands in the folder ``OUTPUT.run``: a checkpoint of every epoch, and
the set at the end of every stage. The same command continues there, to the same bits.
"""

from __future__ import annotations

import hashlib
import json
from collections import ChainMap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from mlsemi.errors import InputError
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.molecule.elements import symbol
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import check_unreleased
from mlsemi.training.calibration.contact_fit import with_fitted_contacts
from mlsemi.training.calibration.excitation_fit import extend
from mlsemi.training.calibration.excited import with_fitted_excitations
from mlsemi.training.calibration.response_fit import with_fitted_response
from mlsemi.training.data.dataset import Reference
from mlsemi.training.fit.batches import Examples, side_by_side
from mlsemi.training.fit.checkpoint import TrainState
from mlsemi.training.fit.extension import extended_model, further_rows
from mlsemi.training.fit.progress import TrainingDisplay
from mlsemi.training.fit.recipe import Recipe, Stage
from mlsemi.training.fit.regression import initial_model
from mlsemi.training.fit.release import release, release_as_it_is, stage_set
from mlsemi.training.fit.ridge import ridge
from mlsemi.training.fit.sources import Data, Parts, load_sources, parts_of, set_to_start_from
from mlsemi.training.fit.trainer import CHUNKS, Trainer, is_finished
from mlsemi.training.objective.evaluation import evaluate_model
from mlsemi.training.objective.heads import released
from mlsemi.training.objective.loss import Target
from mlsemi.training.objective.source import Source


def train(recipe: Path, resume: bool = True, quiet: bool = False) -> Parameters:
    """Fit a parameter set.

    Parameters
    ----------
    recipe : Path
        TOML file, see :class:`Recipe`.
    resume : bool
        Continue an earlier run of the same recipe, if there is one.
    quiet : bool
        No progress display.

    Returns
    -------
    The finished set, also written to the output folder with its learning curve and the recipe with
    every default filled in.
    """
    return fit(Recipe.load(recipe), recipe.resolve().parent, resume, quiet)


def fit(recipe: Recipe, base: Path, resume: bool = True, quiet: bool = False) -> Parameters:
    """The run behind :func:`train`; file names in ``recipe`` are relative to ``base``."""
    run = Run.of(recipe, base)
    console = Console(stderr=True, quiet=quiet)
    if run.recipe.stage:
        run.folder.mkdir(parents=True, exist_ok=True)
    known, histories = run.start, []
    with threadpool_limits(1):
        for number in range(len(run.recipe.stage)):
            known, history = run.stage(number, known, resume, console)
            histories.append(history)
        assert known is not None

        def report(step: int, loss: float) -> None:
            console.print(f"{step:4d}  {loss:.3g} eV^2", highlight=False)

        if (complexes := run.fitted("interaction")) is not None:
            console.print("matrices of contacts", highlight=False)
            known = with_fitted_contacts(known, complexes.dataset, report)
        if (ions := run.fitted("response")) is not None:
            console.print("constants of the response to charge and spin", highlight=False)
            known = with_fitted_response(known, ions.dataset, ions.opened, report)
        if not run.recipe.stage:
            return release_as_it_is(run.recipe, known, run.stamp(-1), run.output)
        return release(run.recipe, known, histories, run.parts, run.data, run.output, run.start)


@dataclass(frozen=True, eq=False)
class Run:
    """What a run has in memory.

    Attributes
    ----------
    recipe : Recipe
        With its elements filled in.
    output, folder : Path
        Of the finished set, and of what is kept meanwhile.
    data : list of Data
        One per source.
    parts : Parts
        Records of the first source.
    start : Parameters or None
        The set that the run starts from.
    known : ModelForm or None
        Its form, which the recipe may extend.
    """

    recipe: Recipe
    output: Path
    folder: Path
    data: list[Data]
    parts: Parts
    start: Parameters | None
    known: ModelForm | None

    @classmethod
    def of(cls, recipe: Recipe, base: Path) -> Run:
        """Load everything that a recipe names, and check that every stage can be done.

        Raises
        ------
        ParameterError, InputError
        """
        recipe, data = load_sources(recipe, base)
        records = [entry for entry in data[0].entries if isinstance(entry, Reference)]
        parts = parts_of(records, recipe) if recipe.stage else Parts([], [], [])
        start = set_to_start_from(recipe, base)
        known = None if start is None else start.model.form
        if start is not None and known != recipe.form():
            start = in_form(start, recipe, parts.train)
        output = recipe.folder(base)
        folder = output.with_name(output.name + ".run")
        if not folder.exists():
            check_unreleased(output)
        run = cls(recipe, output, folder, data, parts, start, known)
        if any(stage.further_elements for stage in recipe.stage) and not run.further:
            raise InputError("further_elements: the set to start from has all elements already")
        calibrated = start is not None and start.calibrated
        for number in range(len(recipe.stage)):
            run.sources(number, ExcitationParameters() if calibrated else None)
            calibrated |= run.fitted("constants") is not None
        return run

    @property
    def further(self) -> frozenset[int]:
        """Atomic numbers that the set it starts from does not know."""
        elements = self.recipe.form().elements
        known = elements if self.known is None else self.known.elements
        return frozenset(elements) - frozenset(known)

    def lessons(self, stage: Stage, side: Literal["train", "validation"]) -> list[Reference]:
        """Records of the first source that take part in a stage."""
        records: list[Reference] = getattr(self.parts, side)
        if not stage.further_elements:
            return records
        return [r for r in records if self.further & set(r.structure.numbers.tolist())]

    def sources(self, stage: int, constants: ExcitationParameters | None) -> list[Source]:
        """All sources but the first that take part in a stage."""
        found = (one.source(stage, constants) for one in self.data[1:])
        return [one for one in found if one is not None]

    def fitted(self, target: str) -> Data | None:
        """The source that constants or moments are fitted to, if there is one."""
        return next((one for one in self.data if target in one.targets), None)

    def stamp(self, stage: int) -> str:
        """Hash of everything that decides the run up to the end of a stage."""
        recipe = self.recipe.until(stage).changed(name="x", output="", threads=1, committee=0)
        start = self.start.checksum if self.start else ""
        facts = [recipe.plain(), [one.checksum for one in self.data], start]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def stage(
        self, number: int, known: Parameters | None, resume: bool, console: Console
    ) -> tuple[Parameters, list[dict[str, float]]]:
        """One stage: the set at its end, with constants of the excited states, and its epochs.

        Parameters
        ----------
        number : int
            Counted from 0.
        known : Parameters or None
            The set that it starts from.
        resume : bool
        console : rich.console.Console
        """
        stamp, name = self.stamp(number), f"stage-{number + 1}"
        checkpoint, folder = self.folder / f"{name}.npz", self.folder / name
        state = TrainState.load(checkpoint, stamp) if resume and checkpoint.exists() else None
        if state is None or not is_finished(state.history, self.recipe.stage[number]):
            state = self._epochs(number, known, state, checkpoint, console)
        elif (finished := finished_set(folder, stamp)) is not None:
            return finished, state.history
        made = stage_set(
            self.recipe, released(state.best), self.parts, self.data[0].dataset, known, stamp
        )
        constants, moments = self.fitted("constants"), self.fitted("moments")
        if constants is not None:
            console.print("constants of the excited states", highlight=False)
            if self.recipe.stage[number].further_elements:
                made = extend(made, constants.dataset, sorted(map(symbol, self.further)))
            else:
                shift = constants.table.triplet_shift
                more = moments.dataset if moments else None
                made = with_fitted_excitations(made, constants.dataset, more, shift)
        made.save(folder)
        return Parameters.load(folder), state.history

    def _epochs(
        self,
        number: int,
        known: Parameters | None,
        state: TrainState | None,
        checkpoint: Path,
        console: Console,
    ) -> TrainState:
        """All epochs of a stage that are missing."""
        recipe, stage, stamp = self.recipe, self.recipe.stage[number], self.stamp(number)
        form, reference = recipe.form(), self.data[0].targets
        others = self.sources(number, known.excitation if known else None)
        terms = stage.loss.of(reference)
        train, validation = (
            [Target(record) for record in self.lessons(stage, side)]
            for side in ("train", "validation")
        )
        rows = None
        if stage.further_elements:
            assert self.known is not None
            rows = further_rows(self.known, form)
        with ThreadPoolExecutor(recipe.threads) as pool:
            if state is None:
                start = known.model if known else start_model(recipe, self.parts.train, pool)
                more = [one.start(start) for one in others]
                start = replace(start, weights=dict(ChainMap(*more, dict(start.weights))))
                state = TrainState.start(start, recipe.seed + number)
                state.save(checkpoint, stamp)
            examples = Examples(form, train, others, stage.loss, reference)
            trainer = Trainer(stage, state, examples, rows)
            title = f"stage {number + 1} of {len(recipe.stage)}"
            with (
                side_by_side(examples, min(recipe.threads, CHUNKS)) as losses_of,
                TrainingDisplay(title, stage.epochs, len(state.history), console) as display,
            ):
                while not is_finished(state.history, stage):
                    row = trainer.epoch(losses_of, pool)
                    averaged = Model(form, state.averaged)
                    checked = evaluate_model(averaged, validation, terms)
                    checked["loss"] += sum(s.validation_loss(averaged, stage.loss) for s in others)
                    row |= {f"validation_{key}": value for key, value in checked.items()}
                    if row["validation_loss"] <= min(
                        (h["validation_loss"] for h in state.history), default=np.inf
                    ):
                        state.best = dict(state.averaged)
                    state.history.append(row | {"epoch": len(state.history) + 1})
                    state.save(checkpoint, stamp)
                    display.update(row)
        return state


def finished_set(folder: Path, stamp: str) -> Parameters | None:
    """The set in a folder, if it was made by the run with this stamp."""
    if not (folder / "header.json").is_file():
        return None
    found = Parameters.load(folder)
    training = found.header.get("training")
    return found if isinstance(training, dict) and training.get("stamp") == stamp else None


def in_form(known: Parameters, recipe: Recipe, records: Sequence[Reference]) -> Parameters:
    """A known set in the form of a recipe: with more elements, or ``bonded``.

    Parameters
    ----------
    known : Parameters
    recipe : Recipe
    records : sequence of Reference
        Training records, for the start values of what is new
        (:func:`~mlsemi.training.fit.extension.extended_model`).

    Raises
    ------
    InputError
        If the form is another one, or no stage could train what is new.
    """
    if not recipe.stage:
        raise InputError("without a stage the form is that of the set to start from")
    try:
        model = extended_model(known.model, recipe.form(), records, recipe.seed)
    except InputError as error:
        raise InputError(f"start = {recipe.start!r}: {error}") from None
    found = replace(known, model=model)
    if not known.calibrated:
        return found
    about = known.header["excitation_fit"]
    assert isinstance(about, dict)
    return found.with_excitation(known.excitation.with_elements(model.form.elements), about)


def start_model(recipe: Recipe, records: list[Reference], pool: ThreadPoolExecutor) -> Model:
    """Closed-form start values, then ridge regression on matrix elements if asked for."""
    model = initial_model(recipe.form(), records, recipe.seed)
    stage = recipe.stage[0]
    if not stage.ridge_steps:
        return model
    targets = [Target(r) for r in records]
    return ridge(model, targets, stage.loss, stage.ridge_steps, stage.ridge_penalty, pool.map)
