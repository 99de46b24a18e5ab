"""The energy of each atom: what is read off the features, and pair functions (theory section 10).

    readout:       E_i = e_Z + u(invariants_i)
    band:          E_i = e_Z + 1/2 sum_j sum_n c_n B_n(r_ij),   E = sum_i E_i + tr(P_o H_o)
    band+readout:  E_i = e_Z + u(invariants_i),                  E = sum_i E_i + tr(P_o H_o)

``ModelForm.energy`` chooses. The band energy needs orbitals and is added by
:mod:`mlsemi.ground.state`; where no readout stands in for repulsion and double counting, functions
of each pair do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Known, Term, Weight, drawn, faint, ridge, zero
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.symmetry.layers import Gradients, Weights, perceptron, perceptron_adjoint, unit_scaled

Record = tuple[np.ndarray, np.ndarray] | None

PENALTY = 1e-4
"""Of the regression of the pair functions, per structure."""


class Energy(Term):
    """E_i of every atom, as above."""

    serves = frozenset({"atom_energies"})

    def weights(self) -> dict[str, Weight]:
        """Weights by the form, hartree.

        ``energy.atom`` (n_species,); ``energy.pair`` (n_species^2, n_radial), where the mean of
        both orders of a pair counts; or a readout: ``energy.in``, ``energy.bias``, ``energy.out``
        of a perceptron, or ``energy.out`` (n_species, n_invariant) alone, a linear map.
        """
        form, n = self.form, len(self.form.elements)
        out = {"energy.atom": Weight((n,), step=0.03, decays=False, shifted=True, own=True)}
        if not form.readout:
            return out | {"energy.pair": Weight((n * n, form.n_radial), shifted=True)}
        if not form.learned:
            linear = Weight((n, form.n_invariant), step=0.1, own=True)
            return out | {"energy.out": linear}
        hidden, inputs = form.n_hidden, (form.n_invariant, form.n_hidden)
        return out | {
            "energy.in": Weight(inputs, drawn, own=True, units=1),
            "energy.bias": Weight((n, hidden), faint, decays=False, own=True, units=1),
            "energy.out": Weight((hidden, 1), zero, step=0.1, own=True, units=0),
        }

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Atoms by least squares, pair functions by ridge regression; inputs of unit variance."""
        structures = known.hamiltonian.pairs.structures
        atoms, rest = atomic_energies(structures, known.energies, self.form.elements)
        weights.update(atoms)
        if "energy.pair" in weights:
            self._fit_pair_functions(weights["energy.pair"], known.hamiltonian.pairs, rest)
        elif "energy.in" in weights:
            weights["energy.in"] = unit_scaled(sample.invariants, weights["energy.in"])

    def _fit_pair_functions(
        self, coefficients: np.ndarray, pairs: PairList, energies: np.ndarray
    ) -> None:
        """What the atoms leave of the energies, on sums of radial functions."""
        n, basis = len(self.form.elements), self.form.radial(pairs.distance)[0]
        i, j = pairs.species[pairs.first], pairs.species[pairs.second]
        label = np.minimum(i, j) * n + np.maximum(i, j)
        sums = np.zeros((energies.size, *coefficients.shape))
        structure = np.repeat(np.arange(energies.size), np.diff(pairs.pair_start))
        np.add.at(sums, (structure, label), 0.5 * basis)
        found = ridge(sums.reshape(energies.size, -1), energies, PENALTY * energies.size)
        found = found.reshape(n, n, -1)
        upper = np.triu(np.ones((n, n), dtype=bool))[:, :, None]
        found = np.where(upper, found, found.transpose(1, 0, 2))
        coefficients[:] = found.reshape(coefficients.shape)

    def forward(self, weights: Weights, out: Prediction) -> Record:
        """One sum for every atom."""
        pairs = out.pairs
        energies = weights["energy.atom"][pairs.species]
        record = None
        if "energy.pair" in weights:
            coefficients = weights["energy.pair"][pairs.pair_species]
            halves = 0.5 * np.einsum("pn,pn->p", out.basis, coefficients)
            energies = energies + np.bincount(pairs.first, halves, pairs.n_atom)
        elif "energy.in" in weights:
            readout, record = perceptron(out.invariants, pairs.species, weights, "energy")
            energies = energies + readout[:, 0]
        else:
            head = weights["energy.out"][pairs.species]
            energies = energies + np.einsum("ik,ik->i", out.invariants, head)
        out.atom_energies += energies
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: Record,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the invariants, or the radial functions, and the weights."""
        energies_bar = bar.atom_energies
        if energies_bar is None:
            return
        if gradients is not None:
            for species, rows in out.pairs.groups:
                gradients["energy.atom"][species] += energies_bar[rows].sum()
        if "energy.pair" in weights:
            _pair_adjoint(weights["energy.pair"], out, energies_bar, bar, gradients)
        elif record is not None:
            bar.invariants += perceptron_adjoint(
                out.invariants,
                out.pairs.species,
                weights,
                "energy",
                record,
                energies_bar[:, None],
                gradients,
            )
        else:
            if gradients is not None:
                for species, rows in out.pairs.groups:
                    gradients["energy.out"][species] += energies_bar[rows] @ out.invariants[rows]
            head = weights["energy.out"][out.pairs.species]
            bar.invariants += energies_bar[:, None] * head


def _pair_adjoint(
    coefficients: np.ndarray,
    out: Prediction,
    energies_bar: np.ndarray,
    bar: PredictionBar,
    gradients: Gradients,
) -> None:
    label = out.pairs.pair_species
    halves_bar = 0.5 * energies_bar[out.pairs.first]
    if gradients is not None:
        for row in np.unique(label):
            chosen = label == row
            gradients["energy.pair"][row] += halves_bar[chosen] @ out.basis[chosen]
    if bar.geometry is not None:
        bar.geometry.basis[:] += halves_bar[:, None] * coefficients[label]


def atomic_energies(
    structures: Sequence[Structure], energies: Sequence[float] | np.ndarray, elements: Sequence[int]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Energies as sums of one number per element, by least squares.

    Parameters
    ----------
    structures : sequence of Structure
    energies : (n_structure,) array
        Hartree.
    elements : sequence of int
        Atomic numbers.

    Returns
    -------
    The weight that holds the numbers, and what they leave of the energies.
    """
    counts = np.array([[np.sum(s.numbers == z) for z in elements] for s in structures])
    atoms = np.linalg.lstsq(counts, np.asarray(energies), rcond=None)[0]
    return {"energy.atom": atoms}, energies - counts @ atoms


def new_hidden_units(weights: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Other hidden units of the energy's perceptron than the model's, which add nothing yet.

    Parameters
    ----------
    weights : mapping
        Of the model; a linear energy has no units, and a form without readout nothing at all.
    seed : int
    """
    rng = np.random.default_rng(seed)
    hidden = ("energy.in", "energy.bias")
    out = {name: rng.permuted(weights[name]) for name in hidden if name in weights}
    if "energy.out" in weights:
        out["energy.out"] = np.zeros_like(weights["energy.out"])
    return out
