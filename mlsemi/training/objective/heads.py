"""Heads: how the data of a level of theory are read from the features, and its adjoint.

``model``: they are data of the model itself.

``shifted``: of a level close to the reference, by maps that differ a little (multi-fidelity, or
difference learning: Ramakrishnan et al., J. Chem. Theory Comput. 11, 2087 (2015)). A small basis
costs a fifth of the reference, and what it lacks is simple: occupied levels are too high by 0.23
eV, but a constant for each kind of orbital mends them to 0.04 eV, and functions of the pairs mend
its forces (``validation/small_basis.py``). So

    w(shifted) = w + d,   and of the energy's perceptron: hidden units of its own are added.

``own``: of any other method, by a readout of its own on the same features (auxiliary task of
multi-task learning: Caruana, Machine Learning 28, 41 (1997)). It teaches the features what
neighbours do to an atom.

Weights of heads are named after those of the model, behind a prefix: ``own.0.charge`` is the charge
of the first readout, ``shifted.1.onsite`` what the second close level adds to the on-site map. The
parameter set that is released contains none of them. Which maps differ, and which a readout has of
its own, the terms say (:class:`~mlsemi.model.terms.term.Weight`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from mlsemi.ground.state import ground_state
from mlsemi.model.catalogue import weights_of
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.energy import atomic_energies, new_hidden_units
from mlsemi.model.terms.intermolecular.bonded import PREFIX, inside
from mlsemi.model.terms.term import Weight
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.training.objective.loss import LossWeights

Kind = Literal["model", "shifted", "own"]
PREFIXES = ("shifted.", "own.")

FIRST_SEED = {"own": 1, "shifted": 101}
"""Of the hidden units, plus the number of the head."""


class Head(NamedTuple):
    """One head.

    Attributes
    ----------
    kind : "model", "shifted" or "own"
    number : int
        Among those of its kind in the recipe.
    """

    kind: Kind
    number: int

    @property
    def prefix(self) -> str:
        """Of the names of its weights."""
        return f"{self.kind}.{self.number}."

    def start(
        self, model: Model, structures: Sequence[Structure], energies: Sequence[float]
    ) -> dict[str, np.ndarray]:
        """Start weights: energies of the atoms by least squares, and nothing else different.

        Parameters
        ----------
        model : Model
            At its start.
        structures : sequence of Structure
        energies : sequence of float
            Hartree, of the level that the head reads.

        Returns
        -------
        mapping of prefixed names to weights
        """
        facts, own = facts_of(model.form), model.weights
        if self.kind == "model":
            return {}
        if self.kind == "shifted":
            out = {n: np.zeros(f.shape) for n, f in facts.items() if f.shifted and n in own}
            energies = [e - _energy(model, s) for e, s in zip(energies, structures, strict=True)]
        else:
            kept = {name: fact.shape for name, fact in facts.items() if fact.own}
            out = {name: np.array(own.get(name, np.zeros(shape))) for name, shape in kept.items()}
        energy = atomic_energies(structures, energies, model.form.elements)[0]
        readout = inside(own) if model.form.bonded else own
        energy |= new_hidden_units(readout, FIRST_SEED[self.kind] + self.number)
        where = PREFIX if model.form.bonded else ""
        out |= {where + name: value for name, value in energy.items()}
        return {self.prefix + name: value for name, value in out.items()}

    def read(self, model: Model) -> Model:
        """The model as this head reads it: weights without prefix."""
        if self.kind == "model":
            return model
        weights, own = released(model.weights), self._own(model.weights)
        if self.kind == "own":
            form = replace(model.form, energy="readout", long_range=True)
            return Model(form, weights | own)
        facts = weights_of(model.form)
        for name, value in own.items():
            axis, both = facts[name].units, (weights[name], value)
            weights[name] = both[0] + both[1] if axis is None else np.concatenate(both, axis)
        return Model(model.form, weights)

    def adjoint(self, model: Model, gradients: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Adjoint of :meth:`read`: gradients of all weights of the model.

        Parameters
        ----------
        model : Model
            As there.
        gradients : mapping
            By the weights that :meth:`read` gives.
        """
        if self.kind == "model":
            return dict(gradients)
        out = {name: np.zeros_like(value) for name, value in model.weights.items()}
        own, facts = self._own(model.weights), facts_of(model.form)
        for name, gradient in gradients.items():
            axis = facts[name].units
            if name not in own:
                out[name] = gradient
            elif self.kind == "own":
                out[self.prefix + name] = gradient
            elif axis is None:
                out[name] = out[self.prefix + name] = gradient
            else:
                out[name], out[self.prefix + name] = np.split(gradient, 2, axis)
        return out

    def terms(self, weights: LossWeights) -> LossWeights:
        """Terms of the loss that this head may learn.

        In another basis virtual levels above the LUMO are other orbitals, 0.4 eV apart after the
        fit that mends the occupied ones to 0.04 eV.
        """
        if self.kind != "shifted":
            return weights
        return replace(weights, virtual=0.0, residual_virtual=0.0)

    def _own(self, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Weights of this head, without the prefix."""
        return {
            name.removeprefix(self.prefix): value
            for name, value in weights.items()
            if name.startswith(self.prefix)
        }


def facts_of(form: ModelForm) -> dict[str, Weight]:
    """Facts of all weights that a model or one of its heads may have: each head has charges."""
    return weights_of(replace(form, long_range=True))


def base_name(name: str) -> str:
    """Name of a weight without the prefix of a head."""
    return name.split(".", 2)[2] if name.startswith(PREFIXES) else name


def released(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of the model itself."""
    return {name: value for name, value in weights.items() if not name.startswith(PREFIXES)}


def _energy(model: Model, structure: Structure) -> float:
    """Total energy, hartree."""
    pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    if not model.form.band:
        prediction, _ = model.predict(pairs, ("atom_energies",))
        return float(prediction.atom_energies.sum())
    prediction, _ = model.predict(pairs)
    return ground_state(model, prediction, 0).energy
