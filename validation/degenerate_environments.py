"""Environments that low-order correlations cannot tell apart, and what can.

    python validation/degenerate_environments.py [--pairs 4000] [--landmarks 3000]

Three families, drawn at random by `mlsemi.representations.degenerate`: CH4 with one bond length
and other angles; CH4 with one list of all interatomic distances; B8 with one list of all
tetrahedra of the center and three atoms. The table gives the difference between the descriptors
of the *central atom* of the two members of a pair, relative to their size: the median of 20 pairs,
"same" where none exceeds 1e-10. Then the energy difference within B8 pairs is learnt from the
central atom alone (GFN2-xTB by tblite, electronic temperature 0.01 hartree, so that level crossings
do not roughen it): ridge regression on differences of descriptors, regularisation chosen on a tenth
of the training pairs, the last fifth of all pairs for the test. Errors are root mean squares in
percent of the root mean square difference: a descriptor that sees no difference has 100 %.

Energies are cached in `runs/degenerate`; a run that is stopped goes on where it was.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import report
from panels import Panel, figure_of
from rich.progress import track
from tblite.interface import Calculator

from mlsemi.draw.plots import save
from mlsemi.representations.centers import Bonds
from mlsemi.representations.correlations import AtomFeatures, Correlations
from mlsemi.representations.degenerate import same_distances, same_radii, same_triples
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.message_correlations import MessageFeatures
from mlsemi.representations.neighbours import Points
from mlsemi.representations.radial_tables import point_functions
from mlsemi.representations.triplets import TripleScalars, TripletDescriptors
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.tensors import SCALAR, taken
from mlsemi.units import HARTREE_EV

CACHE = report.HERE.parent / "runs" / "degenerate"
FAMILIES = {
    "same radii": same_radii,
    "same distances": same_distances,
    "same tetrahedra": same_triples,
}
N_MEMBER = 20
SAME = 1e-10
TEMPERATURE = 0.01
"""kT of the electrons, hartree."""
CUTOFF = 9.0
ELEMENTS = (1, 5, 6)
CHUNK = 200
FIT = 150
"""Structures to which contractions are fitted."""
N_PAIR = 4000
"""Pairs that the published error is reached with; fewer are not judged."""
TEST = 0.2
PUBLISHED = {"published, nonlinear triplets": 20.0, "published, nu <= 7": 43.0}
"""DFT energies, other members of the family, neural network (Nigam et al. 2024), percent."""


def central(structures: Sequence[Points]) -> np.ndarray:
    """Rows of the central atoms, the first of every structure."""
    sizes = [s.numbers.size for s in structures]
    return np.cumsum([0, *sizes[:-1]])


def in_chunks(
    function: Callable[[Sequence[Points]], np.ndarray], structures: Sequence[Points], text: str
) -> np.ndarray:
    """Descriptors of all structures, some at a time."""
    starts = range(0, len(structures), CHUNK)
    return np.concatenate([function(structures[a : a + CHUNK]) for a in track(starts, text)])


def correlations(
    fit: Sequence[Points], expansion: Expansion, n_keep: Sequence[int], n_product: int
) -> Callable[[Sequence[Points]], list[np.ndarray]]:
    """Invariants of the central atom of the orders 1 .. nu."""

    def density(structures: Sequence[Points]) -> dict:
        rows = central(structures)
        return taken(expansion(expansion.neighbours(structures).around(rows)), rows)

    chain = Correlations.fit(density(fit), len(n_keep), 4, n_keep, n_product, invariant=True)
    return lambda structures: [order[SCALAR][:, 0] for order in chain(density(structures))]


def triple_scalars(fit: Sequence[Points], expansion: Expansion, n_bond: int) -> TripleScalars:
    """Scalars of all triples around the central atoms."""
    primitive = Expansion(ELEMENTS, point_functions(RadialBasis(8, CUTOFF), 5))
    bonds = Bonds(ELEMENTS, primitive.optimal(fit, n_bond).radial, by_species=True)
    atoms = AtomFeatures.fit(fit, expansion, 1, 6, 3)
    return TripleScalars.fit(fit, bonds, atoms, 30, 1000, central(fit))


def representations(
    structures: Sequence[Points], elements: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Invariants of the central atoms by every representation of the table."""
    rows = central(structures)
    expansion = Expansion(ELEMENTS, point_functions(RadialBasis(6, CUTOFF), 7))
    expansion = expansion.optimal(structures, 3)
    orders = correlations(structures, expansion, (20, 30, 30, 60), 600)(structures)
    out = {f"nu = {n}": value for n, value in enumerate(orders, start=1)}
    bonds = Bonds(ELEMENTS, point_functions(RadialBasis(3, CUTOFF), 5), by_species=True)
    atoms = AtomFeatures.fit(structures, expansion, 1, 4, 8)
    messages = MessageFeatures.fit(structures, bonds, atoms, 1, 1, 2, 3, 20, 600)
    names = ("messages (1 <- 1)", "messages (1 <- (1 <- 1))")
    for name, layer in zip(names, messages(structures), strict=True):
        out[name] = layer[SCALAR][rows, 0]
    scalars = triple_scalars(structures, expansion, 3)
    triplets = TripletDescriptors.fit(structures, scalars, 100, 0.7, centers=rows)
    out["linear triplets"] = scalars.summed(structures, rows)[rows]
    out["nonlinear triplets"] = triplets(structures, rows)[rows]
    return out


def differences(values: np.ndarray) -> np.ndarray:
    """Largest difference within each pair, relative to the largest component of the pair."""
    first, second = values[::2], values[1::2]
    size = np.maximum(np.abs(first).max(axis=1), np.abs(second).max(axis=1))
    return np.abs(first - second).max(axis=1) / size


def separation() -> dict[str, dict[str, list[float]]]:
    """Differences of every pair of every family in every representation."""
    out: dict[str, dict[str, list[float]]] = {}
    for family, draw in FAMILIES.items():
        structures = [one for seed in range(N_MEMBER) for one in draw(seed)]
        for name, values in representations(structures, ELEMENTS).items():
            out.setdefault(name, {})[family] = differences(values).tolist()
    return out


def energy(points: Points) -> float:
    """GFN2-xTB free energy, hartree."""
    calculator = Calculator("GFN2-xTB", points.numbers, points.positions)
    calculator.set("verbosity", 0)
    calculator.set("temperature", TEMPERATURE)
    calculator.set("max-iter", 500)
    return float(calculator.singlepoint()["energy"])


def energies(n_pair: int) -> np.ndarray:
    """(n_pair, 2) energies of the B8 pairs 0 .. n_pair - 1; computed once, then from the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / "energies.npy"
    known = np.load(file).tolist() if file.exists() else []
    for seed in track(range(len(known), n_pair), "energies"):
        known.append([energy(one) for one in same_triples(seed)])
        if seed % 50 == 49 or seed == n_pair - 1:
            np.save(file, np.array(known))
    return np.array(known[:n_pair])


def descriptors(structures: Sequence[Points], n_landmark: int) -> dict[str, np.ndarray]:
    """What the learning starts from, for the central atoms."""
    fit = structures[:FIT]
    expansion = Expansion(ELEMENTS, point_functions(RadialBasis(8, CUTOFF), 7)).optimal(fit, 3)
    chain = correlations(fit, expansion, (20, 60, 60, 400), 3000)
    orders = in_chunks(lambda part: np.concatenate(chain(part), axis=1), structures, "nu <= 4")
    n_three = sum(one.shape[1] for one in chain(fit[:2])[:3])
    scalars = triple_scalars(fit, expansion, 3)
    n_train = int((1.0 - TEST) * len(structures))
    landmarks = structures[: n_train : max(1, n_train // 2000)]
    triplets = TripletDescriptors.fit(
        landmarks, scalars, n_landmark, 0.85, centers=central(landmarks)
    )

    def linear(part: Sequence[Points]) -> np.ndarray:
        return scalars.summed(part, central(part))[central(part)]

    def nonlinear(part: Sequence[Points]) -> np.ndarray:
        return triplets(part, central(part))[central(part)]

    return {
        "nu <= 3": orders[:, :n_three],
        "nu <= 4": orders,
        "linear triplets": in_chunks(linear, structures, "linear triplets"),
        "nonlinear triplets": in_chunks(nonlinear, structures, "nonlinear triplets"),
    }


def ridge(x: np.ndarray, y: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Predictions for ``other``, the regularisation chosen on the last tenth of the data.

    The scale of the regularisation is that of the descriptors themselves (their columns have unit
    variance), not of their differences: rounding noise is not blown up to a signal.
    """
    n = int(0.9 * len(y))

    def predicted(a: np.ndarray, b: np.ndarray, to: np.ndarray, alpha: float) -> np.ndarray:
        kernel = a @ a.T + alpha * x.shape[1] * np.eye(len(b))
        return to @ (a.T @ np.linalg.solve(kernel, b))

    alphas = 10.0 ** np.arange(-9.0, 0.0)
    errors = [np.mean((predicted(x[:n], y[:n], x[n:], a) - y[n:]) ** 2) for a in alphas]
    return predicted(x, y, other, alphas[int(np.argmin(errors))])


def learn(
    values: dict[str, np.ndarray], target: np.ndarray
) -> tuple[dict[str, dict[int, float]], dict[str, np.ndarray]]:
    """Test error in percent against number of training pairs, and the predictions with most."""
    n_train = int((1.0 - TEST) * len(target))
    sizes = [n for n in (100, 200, 400, 800, 1600) if n < n_train] + [n_train]
    errors: dict[str, dict[int, float]] = {}
    last = {}
    for name, value in values.items():
        scaled = value / np.maximum(value.std(axis=0), 1e-12 * np.abs(value).max())
        x = scaled[::2] - scaled[1::2]
        for n in sizes:
            last[name] = ridge(x[:n], target[:n], x[n_train:])
            wrong = np.mean((last[name] - target[n_train:]) ** 2)
            percent = 100.0 * np.sqrt(wrong / np.mean(target[n_train:] ** 2))
            errors.setdefault(name, {})[n] = float(percent)
    return errors, last


def draw(
    errors: dict[str, dict[int, float]], predictions: dict[str, np.ndarray], target: np.ndarray
) -> None:
    """Learning curves, and predicted against true differences of the test pairs."""
    curves = {name: (list(e), list(e.values()), "o-") for name, e in errors.items()}
    test = HARTREE_EV * target[-len(next(iter(predictions.values()))) :]
    clouds = {
        name: (test, HARTREE_EV * predictions[name], ".")
        for name in ("nu <= 3", "nonlinear triplets")
    }
    span = [float(test.min()), float(test.max())]
    clouds["exact"] = (span, span, "k-")
    panels = [
        Panel("training pairs", "error within pairs / %", curves, "x", PUBLISHED),
        Panel("GFN2-xTB difference / eV", "predicted / eV", clouds, ""),
    ]
    save(figure_of(panels), report.HERE / "degenerate_environments.png")


def main() -> None:
    """Table, learning, figure; fail if the nonlinear triplets miss 20 % with all pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=N_PAIR)
    parser.add_argument("--landmarks", type=int, default=3000)
    options = parser.parse_args()
    found = separation()
    rows = []
    for name, families in found.items():
        cells = ["same" if max(d) < SAME else f"{np.median(d):.0e}" for d in families.values()]
        rows.append([name, *cells])
    pair_energies = energies(options.pairs)
    target = pair_energies[:, 0] - pair_energies[:, 1]
    structures = [one for seed in range(options.pairs) for one in same_triples(seed)]
    errors, predictions = learn(descriptors(structures, options.landmarks), target)
    draw(errors, predictions, target)
    sizes = list(errors["nu <= 3"])
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        report.table(["", *FAMILIES], rows),
        f"Errors within pairs, percent, against training pairs; {len(target) - sizes[-1]} test "
        f"pairs, root mean square difference {HARTREE_EV * np.sqrt(np.mean(target**2)):.3f} eV. "
        "Published for DFT energies of other members of the family: 100 (nu <= 3), "
        "100 (linear triplets), 43 (nu <= 7), 20 (nonlinear triplets).",
        report.table(
            ["", *map(str, sizes)],
            [[name, *(f"{v:.0f}" for v in one.values())] for name, one in errors.items()],
        ),
        "![learning curves](degenerate_environments.png)",
    ]
    report.write(
        "degenerate_environments",
        "Degenerate environments",
        sections,
        {"separation": found, "errors_percent": errors, "n_pair": options.pairs},
    )
    if options.pairs >= N_PAIR and errors["nonlinear triplets"][sizes[-1]] > 20.0:
        raise SystemExit("nonlinear triplets above 20 %")


if __name__ == "__main__":
    main()
