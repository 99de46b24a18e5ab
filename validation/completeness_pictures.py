"""Pictures of environments that low orders cannot tell apart, for docs/completeness.md.

    python validation/completeness_pictures.py

One pair of each family of `mlsemi.representations.degenerate`, seed 3, the same as in the page.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import report
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mlsemi.draw.plots import CYCLE, STYLE, save
from mlsemi.representations.degenerate import Pair, same_distances, same_radii, same_triples

FAMILIES = {
    "same radii: nu = 1 is blind": same_radii,
    "same distances: nu = 2 is blind": same_distances,
    "same tetrahedra: nu = 3 is blind": same_triples,
}
IMAGE = report.HERE.parent / "docs" / "images" / "degenerate-pairs.png"


def draw(axes: object, positions: np.ndarray, color: str) -> None:
    """Atoms, the central one large, and lines to it; light ones between the others."""
    x = positions - positions[0]
    for i in range(1, len(x)):
        axes.plot(*np.stack([x[0], x[i]], axis=1), color="0.3", lw=1.2)
        for j in range(i + 1, len(x)):
            axes.plot(*np.stack([x[i], x[j]], axis=1), color="0.8", lw=0.6)
    axes.scatter(*x[1:].T, s=50, color=color, depthshade=False)
    axes.scatter(*x[:1].T, s=120, color="0.2", depthshade=False)
    reach = 0.75 * np.abs(x).max()
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
    axes.set_axis_off()
    axes.set_box_aspect((1, 1, 1))


def main() -> None:
    """Draw all families."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 5.0), layout="constrained")
        FigureCanvasAgg(figure)
        for column, (name, family) in enumerate(FAMILIES.items()):
            pair: Pair = family(3)
            for row, points in enumerate(pair):
                axes = figure.add_subplot(2, 3, 3 * row + column + 1, projection="3d")
                draw(axes, points.positions, CYCLE[row])
                if row == 0:
                    axes.set_title(name, fontsize=9)
        save(figure, IMAGE)


if __name__ == "__main__":
    main()
