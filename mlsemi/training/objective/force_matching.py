"""Forces as training targets: their loss, and its gradient without a second reverse walk.

The loss depends on the weights w through F = -dE/dR. With v = -dL/dF (theory eq 14),

    dL/dw = d/dw (v . dE/dR) = [grad_w E(R + h v) - grad_w E(R)] / h + O(h):

the reverse walk that gives forces also trains on them, at the price of one more geometry. The term
at R is part of the reverse walk that the other losses need there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.ground.adjoint import Cotangent, reverse
from mlsemi.ground.state import GroundState, ground_state
from mlsemi.model.model import Model, ModelRecord, Prediction
from mlsemi.model.pairs import PairList
from mlsemi.molecule.structure import Structure

STEP = 1e-7
"""Largest displacement of an atom in the difference, bohr.

Random directions of three molecules in organic-1 differ from the derivative by 2e-3 of it at 1e-4
bohr, 2e-6 at 1e-7 and, by rounding, 6e-7 at 1e-8.
"""


def forces_of(
    model: Model,
    pairs: PairList,
    prediction: Prediction,
    record: ModelRecord,
    grounds: Sequence[GroundState],
    chosen: Sequence[int],
) -> list[np.ndarray]:
    """Forces (n_atom, 3) on the atoms of some structures of a pair list.

    Parameters
    ----------
    model : Model
    pairs : PairList
    prediction, record
        Results of ``model.predict(pairs)``.
    grounds : sequence of GroundState
        One per structure.
    chosen : sequence of int
        Which structures.
    """
    bars = [Cotangent(energy=float(index in chosen)) for index in range(len(grounds))]
    _, gradient = reverse(
        model,
        pairs,
        prediction,
        record,
        grounds,
        bars,
        with_positions=True,
        with_weights=False,
    )
    assert gradient is not None
    parts = pairs.by_structure(-gradient)
    return [parts[index] for index in chosen]


def displaced(
    structure: Structure, forces_bar: np.ndarray, step: float = STEP
) -> tuple[Structure, float] | None:
    """The displaced geometry of the difference, and 1/h; none for a zero bar.

    dL/dw is 1/h times the gradient of the energy there, minus the same of the geometry itself.

    Parameters
    ----------
    structure : Structure
    forces_bar : (n_atom, 3) array
        dL/dF.
    step : float
        Largest displacement of an atom, bohr; every structure has its own h.
    """
    length = float(np.linalg.norm(forces_bar, axis=1).max())
    if not length:
        return None
    moved = structure.positions - step / length * forces_bar
    return Structure(structure.numbers, moved, structure.charge), length / step


def energy_gradient(
    model: Model, structures: Sequence[Structure], energies_bar: Sequence[float]
) -> dict[str, np.ndarray]:
    """Gradient of all weights from the cotangents of total energies alone."""
    pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
    if model.form.band:
        prediction, record = model.predict(pairs)
        grounds = [ground_state(model, prediction, k) for k in range(len(structures))]
        cotangents = [Cotangent(energy=bar) for bar in energies_bar]
        return reverse(model, pairs, prediction, record, grounds, cotangents)[0]
    _, record = model.predict_energies(pairs)
    atoms_bar = np.empty(pairs.n_atom)
    for index, bar in enumerate(energies_bar):
        atoms_bar[pairs.atoms_of(index)] = bar
    return model.adjoint(pairs, record, None, atoms_bar, np.zeros((pairs.n_atom, 3)))[0]
