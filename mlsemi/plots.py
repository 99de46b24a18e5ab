"""For users: the names of :mod:`mlsemi.draw.plots` and :mod:`mlsemi.draw.absorption`,
under the address of the guide.
"""

from mlsemi.draw.absorption import *  # noqa: F403
from mlsemi.draw.comparison import *  # noqa: F403
from mlsemi.draw.plots import *  # noqa: F403
