"""The model: geometry -> features -> irreps of the Hamiltonian, and the reverse.

H_o = levels + two-center functions                  (physics baseline)
    + on-site irreps of the node features            (environment)
    - potential of the predicted charges             (long range)
    + pair irreps from eq 4                          (environment of the bond)

Every line is a term (:mod:`mlsemi.model.terms.term`), and so are the features and what else is read
off them. The :class:`~mlsemi.model.terms.architecture.ModelForm` decides which terms there are
(:mod:`mlsemi.model.catalogue`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlsemi.brief import Brief
from mlsemi.model.catalogue import terms_of
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.intermolecular.bonded import Bonded
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import EVERYTHING, Term
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.layers import Weights

ModelRecord = tuple[Any, ...]
"""What each term keeps for the adjoint."""


@dataclass(frozen=True, eq=False, repr=False)
class Model(Brief):
    """Learned Hamiltonian: a form and its weights.

    Attributes
    ----------
    form : ModelForm
    weights : mapping of name to array
        Shapes as in :func:`~mlsemi.model.catalogue.shapes_of`.
    """

    form: ModelForm
    weights: Weights

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Terms of this form."""
        return terms_of(self.form)

    def predict(
        self, pairs: PairList, wanted: Collection[str] | None = None
    ) -> tuple[Prediction, ModelRecord]:
        """What all terms say together, with the record for the adjoint.

        Parameters
        ----------
        pairs : PairList
        wanted : collection of str, optional
            Fields of the prediction; what serves none of them is left out. By default all.
        """
        served = None if wanted is None else self._served(frozenset(wanted))
        prediction = Prediction.blank(pairs, *self.form.radial(pairs.distance))
        record = tuple(
            term.forward(self.weights, prediction)
            if served is None or not term.serves.isdisjoint(served)
            else None
            for term in self.terms
        )
        return prediction, record

    def _served(self, asked: frozenset[str]) -> frozenset[str]:
        """What terms may serve: the features as well, where what is asked for reads them."""
        alone = self.form.bonded and asked and asked <= Bonded.serves
        return asked if alone else asked | EVERYTHING

    def invariants(self, pairs: PairList) -> np.ndarray:
        """(n_atom, n_invariant) invariants of the features alone, rows sorted by species."""
        return self.predict(pairs, ())[0].invariants

    def energy_slope(
        self, prediction: Prediction, record: ModelRecord, strain_bar: np.ndarray | None = None
    ) -> np.ndarray:
        """(n_atom, 3) derivatives of the sum of all atomic energies by the positions.

        Parameters
        ----------
        prediction, record
            Results of :meth:`predict`, of the energies at least.
        strain_bar : (3, 3) array, optional
            Derivatives by a strain are added to it.
        """
        bar = PredictionBar(atom_energies=np.ones(prediction.pairs.n_atom))
        _, slope = self.adjoint(
            prediction, record, bar, with_positions=True, with_weights=False, strain_bar=strain_bar
        )
        assert slope is not None
        return slope

    def adjoint(
        self,
        prediction: Prediction,
        record: ModelRecord,
        given: PredictionBar,
        with_positions: bool = False,
        with_weights: bool = True,
        strain_bar: np.ndarray | None = None,
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Adjoint of :meth:`predict`.

        Parameters
        ----------
        prediction, record
            Its results.
        given : PredictionBar
            dL/d prediction; terms that serve nothing with a cotangent are left out.
        with_positions : bool
            Walk on to the positions as well.
        with_weights : bool
            Collect the gradients of the weights.
        strain_bar : (3, 3) array, optional
            Where positions are asked for: dL/d strain of r -> (1 + strain) r for atoms and cells is
            added to it.

        Returns
        -------
        Gradients of all weights, zero for those that are never trained (an empty mapping without
        ``with_weights``), and dL/d positions (n_atom, 3) or None.
        """
        pairs, bar = prediction.pairs, given.opened(prediction, with_positions)
        bar.served = self._served(given.asked)
        gradients = None
        if with_weights:
            gradients = {name: np.zeros_like(value) for name, value in self.weights.items()}
        for term, kept in zip(reversed(self.terms), reversed(record), strict=True):
            if not term.serves.isdisjoint(bar.served):
                term.adjoint(self.weights, prediction, kept, bar, gradients)
        positions_bar = None
        if (geometry := bar.geometry) is not None:
            distance_bar = geometry.distance + self.form.radial.adjoint(
                pairs.distance, geometry.basis, geometry.envelope
            )
            positions_bar = geometry.positions + pairs.adjoint(distance_bar, geometry.sphere)
            if strain_bar is not None:
                strain_bar += geometry.strain + pairs.strain_adjoint(distance_bar, geometry.sphere)
        return gradients or {}, positions_bar
