"""For users: the names of :mod:`mlsemi.draw.spectrum`, under the address of the guide."""

from mlsemi.draw.spectrum import *  # noqa: F403
