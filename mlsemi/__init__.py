"""mlsemi: semiempirical quantum chemistry with a machine-learned minimal-basis Hamiltonian.

The names below are loaded when first used, so that ``import mlsemi`` and ``mlsemi --help`` are
quick.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlsemi.batch import singlepoints
    from mlsemi.calculator import MLSemi
    from mlsemi.calculators.cells import bands, couplings
    from mlsemi.evaluate import singlepoint
    from mlsemi.molecule.structure import Structure
    from mlsemi.result import Result

__all__ = [
    "MLSemi",
    "Result",
    "Structure",
    "__version__",
    "bands",
    "couplings",
    "singlepoint",
    "singlepoints",
]

_HOME = {
    "MLSemi": "mlsemi.calculator",
    "Result": "mlsemi.result",
    "Structure": "mlsemi.molecule.structure",
    "bands": "mlsemi.calculators.cells",
    "couplings": "mlsemi.calculators.cells",
    "singlepoint": "mlsemi.evaluate",
    "singlepoints": "mlsemi.batch",
}

try:
    __version__ = metadata.version("mlsemi")
except metadata.PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mlsemi' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
