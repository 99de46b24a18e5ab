"""Forces as training targets: their loss, and its gradient without a second reverse walk.

The loss depends on the weights w through F = -dE/dR. With v = -dL/dF (theory eq 14),

    dL/dw = d/dw (v . dE/dR) = [grad_w E(R + h v) - grad_w E(R - h v)] / 2h + O(h^2):

the reverse walk that gives forces also trains on them, at the price of two more geometries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.adjoint import Cotangent, reverse
from mlsemi.ground import GroundState, ground_state
from mlsemi.model import Model, ModelRecord, Prediction
from mlsemi.pairs import PairList
from mlsemi.structure import Structure

STEP = 1e-5
"""Largest displacement of an atom in the difference, bohr.

Random directions in a random model differ from the derivative by 5e-5 of it at 1e-3 bohr, 5e-7
at 1e-4, 4e-9 at 1e-5 and, by rounding, 1e-8 at 1e-6.
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


def force_gradient(
    model: Model,
    structures: Sequence[Structure],
    forces_bar: Sequence[np.ndarray],
    step: float = STEP,
) -> dict[str, np.ndarray]:
    """Gradient of all weights from the cotangents of the forces, by the difference above.

    Parameters
    ----------
    model : Model
    structures : sequence of Structure
    forces_bar : sequence of (n_atom, 3) arrays
        dL/dF of each.
    step : float
        Largest displacement of an atom, bohr; every structure has its own h.
    """
    pairs = zip(structures, forces_bar, strict=True)
    moved = [entry for structure, bar in pairs for entry in displaced(structure, bar, step)]
    if not moved:
        return {}
    return energy_gradient(model, [s for s, _ in moved], [slope for _, slope in moved])


def displaced(
    structure: Structure, forces_bar: np.ndarray, step: float = STEP
) -> list[tuple[Structure, float]]:
    """The two geometries of the difference, each with dL/d of its energy; none for a zero bar.

    Parameters
    ----------
    structure : Structure
    forces_bar : (n_atom, 3) array
        dL/dF.
    step : float
        Largest displacement of an atom, bohr.
    """
    length = float(np.linalg.norm(forces_bar, axis=1).max())
    if not length:
        return []
    out = []
    for sign in (1.0, -1.0):
        x = structure.positions - sign * step / length * forces_bar
        moved = Structure(structure.numbers, x, structure.charge)
        out.append((moved, sign * length / (2.0 * step)))
    return out


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
