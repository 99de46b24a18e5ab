"""Start values of a model: what its terms make of projected matrix elements and total energies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.ground.state import ground_state
from mlsemi.model.catalogue import start_of
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.prediction import Prediction
from mlsemi.model.terms.term import EVERYTHING, Known
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.blocks import irreps_of
from mlsemi.training.data.dataset import Reference

FITTED, SAMPLE = 1000, 100
"""Most records that decide the baseline, and the scales and components of the features."""


def initial_model(form: ModelForm, records: Sequence[Reference], seed: int) -> Model:
    """Model whose physics baseline is fitted and whose corrections start at zero.

    Levels are mean on-site elements and two-center functions a ridge regression on the projected
    Hamiltonians (theory eq 6); atomic energies a least-squares fit of total energies. Weights of
    learned features are random, scaled so that features have unit variance over ``records``; those
    of fixed features are principal components. Every term knows its own start (:meth:`Term.fit`).

    Parameters
    ----------
    form : ModelForm
    records : sequence of Reference
        Training records.
    seed : int
    """
    records = thinned(records, FITTED)
    pairs, some = (
        PairList.of([r.structure for r in part], form.elements, form.cutoff)
        for part in (records, thinned(records, SAMPLE))
    )
    weights = start_of(form, seed)
    model = Model(form, weights)
    sample = Prediction.blank(some, *form.radial(some.distance))
    matrices = irreps_of(pairs, [r.hamiltonian for r in records])
    of_energy = [
        t for t in model.terms if "atom_energies" in t.serves and not t.serves & EVERYTHING
    ]
    for term in model.terms:
        if term not in of_energy:
            term.fit(weights, Known(matrices, np.zeros(len(records))), sample)
            term.forward(weights, sample)
    missing = np.array([missing_energy(model, r) for r in records])  # a band energy needs H
    for term in of_energy:
        term.fit(weights, Known(matrices, missing), sample)
        term.forward(weights, sample)
    return model


def thinned(records: Sequence[Reference], most: int) -> Sequence[Reference]:
    """Every k-th record, so that no more than ``most`` are left."""
    return records[:: -(-len(records) // most)]


def missing_energy(model: Model, record: Reference) -> float:
    """What the start model lacks of the energy of one structure, hartree."""
    pairs = PairList.of([record.structure], model.form.elements, model.form.cutoff)
    if model.form.band:
        return record.energy - ground_state(model, model.predict(pairs)[0], 0).energy
    prediction, _ = model.predict(pairs, ("atom_energies",))
    return record.energy - float(prediction.atom_energies.sum())
