"""Regression on projected matrix elements: closed-form start values of the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import Ridge

from mlsemi.ground.state import ground_state
from mlsemi.model.blocks import P_LEVEL, irreps_of
from mlsemi.model.bonds import IRREPS, bond_irreps
from mlsemi.model.density import atom_features
from mlsemi.model.features import features_of
from mlsemi.model.forms import ModelForm
from mlsemi.model.heads import TWO_CENTER
from mlsemi.model.layers import linear_by_species
from mlsemi.model.model import Model
from mlsemi.model.pairs import PairList
from mlsemi.model.repulsion import repulsion
from mlsemi.symmetry.so3 import L_MAX, components
from mlsemi.training.data.dataset import Reference
from mlsemi.training.fit.contraction import fixed_representation
from mlsemi.training.objective.atomic_parts import atomic_parts

RIDGE = 1e-6
PAIR_RIDGE = 1e-4
FITTED, SAMPLE = 1000, 100
"""Most records that decide the baseline, and the scales and components of the features."""


def initial_model(form: ModelForm, records: Sequence[Reference], seed: int) -> Model:
    """Model whose physics baseline is fitted and whose corrections start at zero.

    Levels are mean on-site elements and two-center functions a ridge regression on the projected
    Hamiltonians (theory eq 6); atomic energies a least-squares fit of total energies. Weights of
    learned features are random, scaled so that features have unit variance over ``records``; those
    of fixed features come from :func:`fixed_representation`.

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
    weights = _random_weights(form, seed) if form.learned else _silent_weights(form)
    if not form.learned:
        weights |= fixed_representation(form, some)
    model = Model(form, weights)
    _fit_baseline(model, pairs, records)
    _fit_atomic_energies(model, pairs, records)
    if form.learned:
        _scale_features(model, some)
    return model


def thinned(records: Sequence[Reference], most: int) -> Sequence[Reference]:
    """Every k-th record, so that no more than ``most`` are left."""
    return records[:: -(-len(records) // most)]


def _silent_weights(form: ModelForm) -> dict[str, np.ndarray]:
    """All weights zero, but a training domain of unit size."""
    weights = {name: np.zeros(shape) for name, shape in form.shapes().items()}
    for name in ("domain.spread", "domain.limit"):
        weights[name][:] = 1.0
    return weights


def _random_weights(form: ModelForm, seed: int) -> dict[str, np.ndarray]:
    """Random features, and heads that are zero."""
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(size=shape) / np.sqrt(shape[-2] if len(shape) > 1 else 1.0)
        for name, shape in form.shapes().items()
    }
    for name in ("onsite", "charge", "bond.out", "energy.out", "dipole.atom", "dipole.sp"):
        if name in weights:
            weights[name][:] = 0.0
    for name in ("atom.gate.out", "node.gate.out"):
        weights[name] *= 0.1
    for name in ("atom.gate.bias", "node.gate.bias", "bond.bias", "energy.bias"):
        if name in weights:
            weights[name] *= 0.1
    weights["bond.scale"][:] = 1.0
    weights["domain.center"][:] = 0.0
    for name in ("domain.spread", "domain.limit"):
        weights[name][:] = 1.0
    return weights


def _fit_baseline(model: Model, pairs: PairList, records: Sequence[Reference]) -> None:
    """Levels and two-center functions from the irreps of the projected Hamiltonians."""
    target = irreps_of(pairs, [r.hamiltonian for r in records])
    weights = model.weights
    for species, rows in pairs.groups:
        weights["level"][species] = (
            target.atoms[rows, 0].mean(),
            target.atoms[rows, 4].mean() / P_LEVEL,
        )
    basis, _ = model.radial(pairs.distance)
    label = pairs.pair_species
    weights["two_center"][:] = 0.0
    for row in np.unique(label):
        chosen = label == row
        for column, name in enumerate(TWO_CENTER):
            l, span = IRREPS[name]
            sphere = pairs.sphere[chosen, components(l)]
            x = (basis[chosen][:, None, :] * sphere[:, :, None]).reshape(-1, basis.shape[1])
            y = target.bonds[chosen, span].ravel()
            fit = Ridge(alpha=RIDGE * y.size, fit_intercept=False).fit(x, y)
            weights["two_center"][row, :, column] = fit.coef_


def _fit_atomic_energies(model: Model, pairs: PairList, records: Sequence[Reference]) -> None:
    """Energies of the atoms, and pair functions where there is no readout, by least squares."""
    wall, _ = repulsion(pairs, model.form.elements)
    fixed = [wall[pairs.atoms_of(index)].sum() for index in range(len(records))]
    energies = np.array([r.energy for r in records]) - fixed
    if model.form.band:
        energies -= [_band_energy(model, record) for record in records]
    structures = [r.structure for r in records]
    atoms, rest = atomic_parts(structures, energies, model.form.elements)
    model.weights["energy.atom"][:] = atoms
    if "energy.pair" in model.weights:
        _fit_pair_functions(model, records, rest)


def _fit_pair_functions(model: Model, records: Sequence[Reference], energies: np.ndarray) -> None:
    """Ridge regression of what the atoms leave of the energies on sums of radial functions."""
    n = len(model.form.elements)
    shape = model.weights["energy.pair"].shape
    rows = []
    for record in records:
        pairs = PairList.of([record.structure], model.form.elements, model.form.cutoff)
        i, j = pairs.species[pairs.first], pairs.species[pairs.second]
        sums = np.zeros(shape)
        np.add.at(
            sums, np.minimum(i, j) * n + np.maximum(i, j), 0.5 * model.radial(pairs.distance)[0]
        )
        rows.append(sums.ravel())
    fit = Ridge(alpha=PAIR_RIDGE * len(records), fit_intercept=False).fit(np.array(rows), energies)
    found = fit.coef_.reshape(n, n, -1)
    upper = np.triu(np.ones((n, n), dtype=bool))[:, :, None]
    found = np.where(upper, found, found.transpose(1, 0, 2))
    model.weights["energy.pair"][:] = found.reshape(shape)


def _band_energy(model: Model, record: Reference) -> float:
    """tr(P H) of the start model for one structure, hartree."""
    pairs = PairList.of([record.structure], model.form.elements, model.form.cutoff)
    return ground_state(model, model.predict(pairs)[0], 0).state.band_energy


def _scale_features(model: Model, pairs: PairList) -> None:
    """Bring densities, atom features, messages and perceptron inputs to unit variance."""
    w = model.weights
    basis, _ = model.radial(pairs.distance)
    _, record = atom_features(pairs, basis, w)
    for l in range(L_MAX + 1):
        w[f"density.{l}"] /= _rms(record.rho1[:, components(l)])
    if model.form.nu == 3:
        _, record = atom_features(pairs, basis, w)
        assert record.inner is not None
        for l in range(L_MAX + 1):
            w[f"triple.{l}"] /= _rms(record.inner[:, components(l)])
    _, record = atom_features(pairs, basis, w)
    for l, stacked in enumerate(record.stacked):
        w[f"atom.{l}"] /= _rms(linear_by_species(stacked, w[f"atom.{l}"], pairs.groups))
    if model.form.message_passing:
        features = features_of(pairs, model.radial, w)
        message = features.messages.both[:, :, model.form.n_channel :]
        w["message.radial"] /= _rms(message)
    features = features_of(pairs, model.radial, w)
    _, bonds = bond_irreps(pairs, basis, features.envelope, features.nodes, w)
    for name, x in (
        ("atom.gate", features.atoms.linear[:, 0]),
        ("node.gate", features.invariants),
        ("energy", features.invariants),
        ("bond", bonds.invariants),
    ):
        if f"{name}.in" in w:
            w[f"{name}.in"] /= _rms(x @ w[f"{name}.in"])


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x * x)))
