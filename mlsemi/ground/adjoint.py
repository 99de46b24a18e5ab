"""The reverse walk, mirror of :mod:`mlsemi.walk`: cotangents of observables -> weights, positions.

One walk, two customers: training asks for the gradient of the weights, forces for that of the
positions, and neither pays for the other.

    energy, dipole, charges -> density, energies -> H_o -> irreps -> features -> weights, positions
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlsemi.errors import InputError
from mlsemi.ground.state import GroundState
from mlsemi.model.model import Model, ModelRecord
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.response import ATOMS, SHARED
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals import eigen, observables
from mlsemi.response.constants import ResponseConstants
from mlsemi.symmetry.blocks import matrices_adjoint
from mlsemi.symmetry.so3 import XYZ


class Cotangent(NamedTuple):
    """dL/d of each observable of one structure; None means zero.

    Attributes
    ----------
    hamiltonian : (n_orbital, n_orbital) array
        Of the elements of H_o; need not be symmetric.
    energies : (n_orbital,) array
        Of the orbital energies.
    density : (n_orbital, n_orbital) array
        Of P_o.
    charges : (n_atom,) array
    dipole : (3,) array
    atom_dipoles : (n_atom, 3) array
        Of the learned dipoles of the atoms.
    constants : ResponseConstants
        Of the constants of the response.
    energy : float
        Of the total energy.
    """

    hamiltonian: np.ndarray | None = None
    energies: np.ndarray | None = None
    density: np.ndarray | None = None
    charges: np.ndarray | None = None
    dipole: np.ndarray | None = None
    atom_dipoles: np.ndarray | None = None
    constants: ResponseConstants | None = None
    energy: float = 0.0

    def is_electronic(self, ground: GroundState) -> bool:
        """Whether the loss depends on H_o at all; the energy readout alone does not."""
        known = ground.response is not None or ground.energy_slope is not None
        by_energy = bool(self.energy) and known
        return by_energy or any(bar is not None for bar in self[:-1])


def reverse(
    model: Model,
    prediction: Prediction,
    record: ModelRecord,
    grounds: Sequence[GroundState],
    cotangents: Sequence[Cotangent],
    with_positions: bool = False,
    with_weights: bool = True,
    multipoles_bar: np.ndarray | None = None,
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Gradients of a loss of the observables of every structure of a pair list.

    Parameters
    ----------
    model : Model
    prediction, record
        Results of ``model.predict(pairs)``.
    grounds : sequence of GroundState
        One per structure.
    cotangents : sequence of Cotangent
        One per structure.
    with_positions : bool
        Walk on to the positions.
    with_weights : bool
        Collect the gradients of the weights.
    multipoles_bar : (n_atom, 10) array, optional
        dL/d multipoles of the prediction, for a loss that reads them itself.

    Returns
    -------
    Gradients of all weights (an empty mapping without ``with_weights``), and dL/d positions
    (n_atom, 3) in the order of the concatenated structures, or None.
    """
    pairs, matrices_bar, direct = prediction.pairs, [], []
    atom_energies_bar, sp_lengths_bar = np.zeros(pairs.n_atom), np.zeros(pairs.n_atom)
    atom_dipoles_bar = np.zeros((pairs.n_atom, 3))
    learned = [name for name in (ATOMS, SHARED) if name in prediction.extra]
    constants_bar = {name: np.zeros_like(prediction.extra[name]) for name in learned}
    for index, (ground, bar) in enumerate(zip(grounds, cotangents, strict=True)):
        rows = pairs.atoms_of(index)
        if bar.is_electronic(ground):
            matrix_bar, sp_lengths_bar[rows], positions_bar = _observables_adjoint(
                pairs.structures[index], prediction.sp_lengths[rows], ground, bar
            )
        else:
            matrix_bar = np.zeros_like(ground.density)
            positions_bar = np.zeros((rows.size, 3))
        matrices_bar.append(matrix_bar)
        direct.append(positions_bar)
        atom_energies_bar[rows] = bar.energy
        if ground.response is not None and bar.energy:
            by_response = ground.response.cotangent
            atom_dipoles_bar[rows[:, None], XYZ] = bar.energy * by_response.atom_dipoles
            direct[-1] = direct[-1] + bar.energy * by_response.positions
            if constants_bar:
                of_atoms, of_all = by_response.constants.rows
                constants_bar[ATOMS][rows] = bar.energy * of_atoms
                constants_bar[SHARED] += bar.energy * of_all
        if bar.constants is not None and constants_bar:
            constants_bar[ATOMS][rows] += bar.constants.rows[0]
            constants_bar[SHARED] += bar.constants.rows[1]
        if bar.atom_dipoles is not None:
            atom_dipoles_bar[rows[:, None], XYZ] += bar.atom_dipoles
        if bar.dipole is not None:
            atom_dipoles_bar[rows[:, None], XYZ] = bar.dipole
    electronic = any(
        bar.is_electronic(ground) for bar, ground in zip(cotangents, grounds, strict=True)
    )
    given = PredictionBar(
        hamiltonian=matrices_adjoint(pairs, matrices_bar) if electronic else None,
        atom_energies=atom_energies_bar,
        atom_dipoles=atom_dipoles_bar if atom_dipoles_bar.any() else None,
        sp_lengths=sp_lengths_bar if sp_lengths_bar.any() else None,
        multipoles=multipoles_bar,
        extra=constants_bar if any(bar.any() for bar in constants_bar.values()) else {},
    )
    gradients, walked = model.adjoint(prediction, record, given, with_positions, with_weights)
    return gradients, None if walked is None else walked + np.concatenate(direct)


def _observables_adjoint(
    structure: Structure, sp_length: np.ndarray, ground: GroundState, bar: Cotangent
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dL/d of H_o, of the s-p lengths, and of positions through the dipole of point charges."""
    asks_density = any(b is not None for b in (bar.density, bar.charges, bar.dipole))
    if ground.response is not None and (asks_density or bar.energies is not None):
        raise InputError("with a charge, a spin or surroundings only the energy has a gradient")
    density_bar = np.zeros_like(ground.density)
    charges_bar = np.zeros(structure.n_atom)
    sp_length_bar = np.zeros(structure.n_atom)
    positions_bar = np.zeros((structure.n_atom, 3))
    if bar.dipole is not None:
        charges_bar, density_bar, sp_length_bar, positions_bar = observables.dipole_adjoint(
            structure, ground.charges, ground.density, sp_length, bar.dipole
        )
    if bar.charges is not None:
        charges_bar = charges_bar + bar.charges
    if bar.density is not None:
        density_bar = density_bar + bar.density
    density_bar = density_bar + observables.lowdin_charges_adjoint(structure, charges_bar)
    matrix_bar = eigen.solve_adjoint(
        ground.state, bar.energies, density_bar if asks_density else None
    )
    slope = ground.whole_slope if bar.energy else None
    if slope is not None:
        matrix_bar += bar.energy * slope
    if bar.hamiltonian is not None:
        matrix_bar += 0.5 * (bar.hamiltonian + bar.hamiltonian.T)
    return matrix_bar, sp_length_bar, positions_bar
