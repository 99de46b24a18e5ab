"""One source of data in a training run: what it holds, which head reads it, what it teaches.

Records of the reference, of a smaller basis, of another method, complexes, ions, excited states:
all are sources and differ by their head (:mod:`mlsemi.training.objective.heads`) and their targets
(:data:`mlsemi.training.objective.loss.TERMS`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np

from mlsemi.excited.constants import ExcitationParameters
from mlsemi.model.model import Model
from mlsemi.training.data.dataset import Reference
from mlsemi.training.data.surfaces import Surface
from mlsemi.training.objective.evaluation import batch_loss
from mlsemi.training.objective.excited_levels import excited_loss
from mlsemi.training.objective.heads import Head
from mlsemi.training.objective.loss import ORBITAL, LossWeights, Target
from mlsemi.training.objective.surface_loss import surface_loss
from mlsemi.units import HARTREE_EV

Ramp = tuple[float, float]
"""A number at the first and at the last epoch of a stage."""

SURFACE = frozenset(("energy", "forces", "charges", "dipole", "multipoles"))
"""Targets that need no orbitals, or a readout of their own."""


@dataclass(frozen=True, eq=False)
class Source:
    """One source in one stage of a run.

    Attributes
    ----------
    head : Head
    targets : frozenset of str
        Of ``TERMS``.
    entries, validation : list of Reference or of Surface
        Of training molecules; of validation molecules, which help choose the epoch.
    share, weight : Ramp
        Entries in a batch per record of the first source, and what their mean loss counts.
    constants : ExcitationParameters or None
        Of the interaction between configurations, where excitations are a target.
    triplet_shift : float
        Added to the triplets of the records, hartree.
    """

    head: Head
    targets: frozenset[str]
    entries: list[Reference] | list[Surface]
    validation: list[Reference] | list[Surface]
    share: Ramp = (1.0, 1.0)
    weight: Ramp = (1.0, 1.0)
    constants: ExcitationParameters | None = None
    triplet_shift: float = 0.0

    @property
    def reads_orbitals(self) -> bool:
        """Whether levels, or charges and dipoles of the density, are targets."""
        return self.head.kind != "own" and bool(self.targets & ORBITAL)

    @cached_property
    def lessons(self) -> list[Target]:
        """What orbitals are compared with, of every entry."""
        return [Target(entry) for entry in self.entries if isinstance(entry, Reference)]

    def start(self, model: Model) -> dict[str, np.ndarray]:
        """Start weights of its head."""
        return self.head.start(
            model, [e.structure for e in self.entries], [e.energy for e in self.entries]
        )

    def loss(
        self,
        model: Model,
        rows: Sequence[int],
        weights: LossWeights,
        weight: float = 1.0,
        with_gradient: bool = True,
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Summed loss of some entries (eV^2) and its gradient.

        Parameters
        ----------
        model : Model
            With the weights of the head among its own.
        rows : sequence of int
            Which entries.
        weights : LossWeights
        weight : float
            Of all terms.
        with_gradient : bool
        """
        terms, read = self.head.terms(weights.of(self.targets)), self.head.read(model)
        entries, square = [self.entries[k] for k in rows], weight * HARTREE_EV**2
        records = [entry for entry in entries if isinstance(entry, Reference)]
        parts: list[tuple[float, float, dict[str, np.ndarray]]] = []
        if self.reads_orbitals:
            lessons = [self.lessons[k] for k in rows]
            losses, _, gradients = batch_loss(read, lessons, terms, with_gradient)
            parts.append((weight, sum(losses), gradients))
        elif self.targets & SURFACE:
            parts.append((square, *surface_loss(read, entries, terms)))
        if "excitations" in self.targets:
            assert self.constants is not None
            fixed = self.constants, self.triplet_shift, terms.strengths
            found = excited_loss(read, records, *fixed, with_gradient)
            parts.append((weight * terms.excitations * HARTREE_EV**2, *found))
        loss = sum(scale * value for scale, value, _ in parts)
        if not with_gradient:
            return loss, {}
        scaled = [{n: scale * g for n, g in gradient.items()} for scale, _, gradient in parts]
        summed = {name: reduce(np.add, [part[name] for part in scaled]) for name in scaled[0]}
        return loss, self.head.adjoint(model, summed)

    def validation_loss(self, model: Model, weights: LossWeights) -> float:
        """Mean loss of the validation molecules (eV^2), with the last weight of the stage."""
        held_out = replace(self, entries=self.validation)
        one_by_one = [
            held_out.loss(model, [k], weights, self.weight[1], with_gradient=False)[0]
            for k in range(len(self.validation))
        ]
        return float(np.mean(one_by_one or [0.0]))
