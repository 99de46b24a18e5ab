"""How the response is solved: Tamm-Dancoff, full, or among selected configurations."""

from __future__ import annotations

from dataclasses import dataclass

from mlsemi.errors import InputError
from mlsemi.excited.full_response import FullResponse
from mlsemi.excited.selected_configurations import Selected
from mlsemi.excited.tamm_dancoff import Solve, TammDancoff


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

    Raises
    ------
    InputError
        For both at once, or a threshold that is not positive.
    """

    full: bool = False
    selection: float | None = None

    def __post_init__(self) -> None:
        if self.selection is not None and not self.selection > 0.0:
            raise InputError("the threshold of the selection must be positive")
        if self.full and self.selection is not None:
            raise InputError("configurations are selected in the Tamm-Dancoff approximation only")

    def solver(self, problem: TammDancoff) -> Solve:
        """What solves a problem this way."""
        if self.full:
            return FullResponse(problem).solve
        if self.selection is not None:
            return Selected(problem, self.selection).solve
        return problem.solve


TDA = Method()
