"""For users: the names of :mod:`mlsemi.molecule.formats`, under the address of the guide."""

from mlsemi.molecule.formats import *  # noqa: F403
