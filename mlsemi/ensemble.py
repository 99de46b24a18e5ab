"""For users: the names of :mod:`mlsemi.draw.ensemble`, under the address of the guide."""

from mlsemi.draw.ensemble import *  # noqa: F403
