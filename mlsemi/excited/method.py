"""How the response is solved: Tamm-Dancoff, full, or among selected configurations."""

from __future__ import annotations

from dataclasses import dataclass

from mlsemi.errors import InputError
from mlsemi.excited.full_response import FullResponse
from mlsemi.excited.second_order import Corrected
from mlsemi.excited.selected_configurations import Selected
from mlsemi.excited.tamm_dancoff import Solve, TammDancoff

LARGE = 20_000
"""Configurations above which roots are corrected to second order: of some 140 atoms."""


@dataclass(frozen=True)
class Method:
    """How the response is solved.

    Attributes
    ----------
    full : bool
        With de-excitations (sTD-DFT, theory eq 9b) instead of the Tamm-Dancoff approximation.
    selection : float or None
        For very large molecules: configurations are left out that together lower no state by more
        than this (hartree); they are accounted for to second order.
    exact : bool
        To small residuals whatever the size. Else roots among more than ``LARGE`` configurations
        are good to 1e-3 eV (:mod:`mlsemi.excited.second_order`), in a third to half of the time.
        The full response and gradients are always exact.

    Raises
    ------
    InputError
        For a selection that is full or exact at once, or a threshold that is not positive.
    """

    full: bool = False
    selection: float | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.selection is not None and not self.selection > 0.0:
            raise InputError("the threshold of the selection must be positive")
        if self.full and self.selection is not None:
            raise InputError("configurations are selected in the Tamm-Dancoff approximation only")
        if self.exact and self.selection is not None:
            raise InputError("selected configurations are not exact: ask for one of the two")

    def solver(self, problem: TammDancoff) -> Solve:
        """What solves a problem this way."""
        if self.full:
            return FullResponse(problem).solve
        if self.selection is not None:
            return Selected(problem, self.selection).solve
        if self.exact or problem.n_configuration <= LARGE:
            return problem.solve
        return Corrected(problem).solve


TDA, EXACT = Method(), Method(exact=True)
