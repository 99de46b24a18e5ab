"""Constants of the response to charge and spin, read off the features (theory eq 17b).

    U_i = h_Z a_Z exp(w . invariants_i),   k_Z,   W_i = -h_Z b_Z,   y_i = d_Z + v . invariants_i

with the hardness h_Z of the element; and c, s of all. A form has them with ``extra =
["response"]``. They start as what sets without them have, and are fitted when all the rest is
trained (:mod:`mlsemi.training.calibration.response_fit`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term, Weight
from mlsemi.molecule.elements import valence
from mlsemi.symmetry.layers import Gradients, Weights

ATOMS, SHARED = "response", "response_shared"
"""In the ``extra`` of a prediction: (n_atom, 4) columns U, k, W, y; and (2,) c, s."""


class Start(NamedTuple):
    """What sets without these weights have.

    Chosen with ``validation/response.py --fit`` on levels of ions at B3LYP/def2-TZVP that no
    parameter set has seen, and on energies of cations and triplets of the same functional.

    Attributes
    ----------
    hardness : float
        U_i in hardnesses of the element (:class:`mlsemi.molecule.elements.Valence`).
    exchange : float
        c.
    screening : float
        s.
    spin : float
        -W_i in hardnesses of the element.
    """

    hardness: float = 0.77
    exchange: float = 0.17
    screening: float = 2.2
    spin: float = 0.09


START = Start()


def elementary_hardness(numbers: np.ndarray) -> np.ndarray:
    """(n,) hardness of the elements with these atomic numbers, hartree."""
    return np.array([valence(z).hardness for z in numbers.tolist()])


class Response(Term):
    """U, k, W and y of every atom; c and s."""

    serves = frozenset({ATOMS, SHARED})

    def weights(self) -> dict[str, Weight]:
        """a, b and k (n_species,); w and v (n_invariant,); d (n_species,), hartree; c and s."""
        n, inputs = (len(self.form.elements),), (self.form.n_invariant,)

        def started(shape: tuple[int, ...], *value: float) -> Weight:
            return Weight(shape, lambda rng, shape: np.array(np.broadcast_to(value, shape)))

        return {
            "response.hardness": started(n, START.hardness),
            "response.surroundings": started(inputs, 0.0),
            "response.growth": started(n, 0.0),
            "response.spin": started(n, START.spin),
            "response.odd": started(n, 0.0),
            "response.odd_surroundings": started(inputs, 0.0),
            "response.shared": started((2,), START.exchange, START.screening),
        }

    def forward(self, weights: Weights, out: Prediction) -> None:
        """Into ``extra``."""
        species, invariants = out.pairs.species, out.invariants
        element = self._hardness[species]
        factor = np.exp(invariants @ weights["response.surroundings"])
        columns = (
            element * weights["response.hardness"][species] * factor,
            weights["response.growth"][species],
            -element * weights["response.spin"][species],
            weights["response.odd"][species] + invariants @ weights["response.odd_surroundings"],
        )
        out.extra[ATOMS] = np.stack(columns, axis=1)
        out.extra[SHARED] = weights["response.shared"].copy()

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: None,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the invariants and the weights."""
        if gradients is not None and SHARED in bar.extra:
            gradients["response.shared"] += bar.extra[SHARED]
        if ATOMS not in bar.extra:
            return
        hardness_bar, growth_bar, spin_bar, odd_bar = bar.extra[ATOMS].T
        species, element = out.pairs.species, self._hardness[out.pairs.species]
        log_bar = hardness_bar * out.extra[ATOMS][:, 0]
        bar.invariants += log_bar[:, None] * weights["response.surroundings"]
        bar.invariants += odd_bar[:, None] * weights["response.odd_surroundings"]
        if gradients is None:
            return
        gradients["response.surroundings"] += log_bar @ out.invariants
        gradients["response.odd_surroundings"] += odd_bar @ out.invariants
        by_species = (
            ("response.hardness", log_bar / weights["response.hardness"][species]),
            ("response.growth", growth_bar),
            ("response.spin", -element * spin_bar),
            ("response.odd", odd_bar),
        )
        for name, values in by_species:
            np.add.at(gradients[name], species, values)

    @property
    def _hardness(self) -> np.ndarray:
        return elementary_hardness(np.array(self.form.elements))
