"""A known model in a larger form: further elements, contacts between molecules.

What it knows stays to the bit. A further element starts as the known one most like it and differs
by what makes projected Hamiltonians and energies of its molecules right on average; whatever else
is new starts as in :func:`~mlsemi.training.fit.regression.initial_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlsemi.errors import InputError
from mlsemi.model.catalogue import shapes_of
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.energy import atomic_energies
from mlsemi.model.terms.intermolecular.bonded import PREFIX
from mlsemi.model.terms.intermolecular.multipoles import Multipoles
from mlsemi.model.terms.levels import Levels
from mlsemi.model.terms.term import Known
from mlsemi.model.terms.two_center import TwoCenter
from mlsemi.molecule.elements import relative_of, symbol
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.blocks import BlockedOperator, irreps_of
from mlsemi.training.data.dataset import Reference
from mlsemi.training.fit.regression import FITTED, SAMPLE, initial_model, missing_energy, thinned
from mlsemi.training.objective.force_matching import has_response


def extended_model(known: Model, form: ModelForm, records: Sequence[Reference], seed: int) -> Model:
    """A known model in a form that has further elements, or ``bonded``, beside its own entries.

    The energy's own features of a form with ``bonded`` start as a copy of those of H, so that the
    energy of a molecule starts as it was.

    Parameters
    ----------
    known : Model
    form : ModelForm
        Its elements begin with those of ``known``, in their order.
    records : sequence of Reference
        Training records.
    seed : int

    Raises
    ------
    InputError
        If the form is another one, or no record holds a further element.
    """
    check_extends(known.form, form)
    if known.form.elements != form.elements:
        known = _with_elements(known, form.elements, records)
    if known.form == form:
        return known
    weights = dict(initial_model(form, records, seed).weights)
    for name in weights:
        source = name if name in known.weights else name.removeprefix(PREFIX)
        if source in known.weights:
            weights[name] = known.weights[source].copy()
    model = Model(form, weights)
    if form.quadrupoles and not known.form.quadrupoles:  # their inputs are features that changed
        some = [record.structure for record in thinned(records, SAMPLE)]
        sample, _ = model.predict(PairList.of(some, form.elements, form.cutoff))
        Multipoles(form).fit(weights, Known(sample.hamiltonian, np.zeros(0)), sample)
    return model


def check_extends(known: ModelForm, form: ModelForm) -> None:
    """Refuse a form that is not ``known`` with more elements, ``bonded`` or ``quadrupoles``.

    Raises
    ------
    InputError
    """
    first = form.elements[: len(known.elements)]
    if first != known.elements:
        needed = ", ".join(map(symbol, known.elements))
        raise InputError(f"elements: begin with those of the set to start from, {needed}")
    larger = replace(
        known,
        bonded=known.bonded or form.bonded,
        quadrupoles=known.quadrupoles or form.quadrupoles,
        contact_exponents=(known if known.bonded else form).contact_exponents,
    )
    if larger != replace(form, elements=known.elements):
        raise InputError("the set to start from has another form than the recipe")
    if form.elements != known.elements and not known.learned:
        raise InputError("further elements: for a set to start from with kind = 'nonlinear'")


def rows_of_elements(form: ModelForm, places: Sequence[int]) -> dict[str, np.ndarray]:
    """Rows of every weight that belong to some elements and to pairs of them.

    Parameters
    ----------
    form : ModelForm
    places : sequence of int
        Of the elements among those of the form; repeated rows where one stands twice.

    Returns
    -------
    mapping of str to int array
        All rows of the first axis of weights that no element owns.
    """
    n, which = len(form.elements), np.asarray(places)
    more = shapes_of(replace(form, elements=form.elements[:1]))
    labels = (np.zeros(1, dtype=int), which, (which[:, None] * n + which).ravel())
    out = {}
    for name, shape in shapes_of(form).items():
        block = more[name][0]
        power = 0 if shape[0] == block else 1 if shape[0] == block * n else 2
        out[name] = (labels[power][:, None] * block + np.arange(block)).ravel()
    return out


def further_rows(known: ModelForm, form: ModelForm) -> dict[str, np.ndarray]:
    """Whether a row of a weight is owned by a further element, or by a pair with one.

    Parameters
    ----------
    known, form : ModelForm
        The second with more elements.

    Returns
    -------
    mapping of str to (n_row,) bool array
    """
    kept = rows_of_elements(form, range(len(known.elements)))
    shapes = shapes_of(form)
    return {name: ~np.isin(np.arange(shapes[name][0]), rows) for name, rows in kept.items()}


def _with_elements(known: Model, elements: tuple[int, ...], records: Sequence[Reference]) -> Model:
    """The known model with further elements, of which neutral molecules of the records tell."""
    before = known.form.elements
    form = replace(known.form, elements=elements)
    new = sorted(set(elements) - set(before))
    chosen = [r for r in records if _tells(r, new)]
    seen = {z for record in chosen for z in record.structure.numbers.tolist()}
    if unseen := [symbol(z) for z in new if z not in seen]:
        raise InputError(f"no neutral training molecule holds {', '.join(unseen)}")
    some = thinned(chosen, FITTED)
    rows = rows_of_elements(known.form, [before.index(relative_of(z, before)) for z in elements])
    weights = {name: value[rows[name]] for name, value in known.weights.items()}
    model, owned = Model(form, weights), further_rows(known.form, form)
    pairs = PairList.of([record.structure for record in some], elements, form.cutoff)
    prediction, _ = model.predict(pairs)
    wanted, found = irreps_of(pairs, [r.hamiltonian for r in some]), prediction.hamiltonian
    lacking = BlockedOperator(pairs, wanted.atoms - found.atoms, wanted.bonds - found.bonds)
    for term in (Levels(form), TwoCenter(form)):
        change = {name: np.zeros(weight.shape) for name, weight in term.weights().items()}
        term.fit(change, Known(lacking, np.zeros(0)), prediction)
        for name, value in change.items():
            weights[name][owned[name]] += value[owned[name]]
    energies = [missing_energy(model, record) for record in some]
    change = atomic_energies([record.structure for record in some], energies, new)[0]
    for name, value in change.items():
        weights[name][[elements.index(z) for z in new]] += value
    return model


def _tells(record: Reference, elements: Sequence[int]) -> bool:
    """Whether a record is of a neutral closed shell with one of the elements."""
    held = np.isin(elements, record.structure.numbers)
    return bool(held.any()) and not has_response(record.structure)
