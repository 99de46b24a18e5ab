"""For users: the names of :mod:`mlsemi.draw.plots`, under the address of the guide."""

from mlsemi.draw.plots import *  # noqa: F403
