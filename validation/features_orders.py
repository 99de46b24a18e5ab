"""Correlations of order 2 and 3 beside featomic: all products, nothing contracted, one core.

    python validation/features_orders.py

Density coefficients of ethene (two elements, two Gaussian-type radial functions, 5 angstrom) are
multiplied to rho_i^2 and rho_i^3, every irrep up to l_max, intermediate degrees cut
at l_max as well. Both programs get the same coefficients and keep all products, also those that are
equal by symmetry; norms of every irrep agree. featomic is told so by `DensityCorrelations` with
`skip_redundant=False`; here it is `Product.all` of two different factors. Processor time of one
thread, medians of interleaved runs; constructors count for neither. The last column is how features
are used here: 200 products per irrep, contracted to 20, at every order.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"

import time
from importlib.metadata import version

import numpy as np
import report
from ase.build import molecule
from featomic import SphericalExpansion
from featomic.clebsch_gordan import DensityCorrelations
from panels import Panel, figure_of

from mlsemi.draw.plots import save
from mlsemi.representations.correlations import Correlations, irreps_up_to
from mlsemi.representations.tensor_maps import tensors_of
from mlsemi.symmetry.products import Product
from mlsemi.symmetry.tensors import Irrep, Tensors

L_MAX = (4, 6)
ORDERS = (2, 3)
ROUNDS = 3


def density_of(frames: list[object], l_max: int) -> object:
    """Coefficients of featomic, one block per degree; species are properties and samples."""
    hypers = {
        "cutoff": {"radius": 5.0, "smoothing": {"type": "ShiftedCosine", "width": 5.0}},
        "density": {"type": "Gaussian", "width": 0.3, "center_atom_weight": 0.0},
        "basis": {
            "type": "TensorProduct",
            "max_angular": l_max,
            "radial": {"type": "Gto", "max_radial": 1},
        },
    }
    found = SphericalExpansion(**hypers).compute(frames)
    return found.keys_to_properties("neighbor_type").keys_to_samples("center_type")


def ours(rho: Tensors, nu: int, l_max: int) -> list[Product]:
    """Recipes of the products."""
    irreps, steps, last = irreps_up_to(l_max), [], dict(rho)
    for _ in range(nu - 1):
        steps.append(Product.all(last, rho, irreps))
        last = steps[-1](last, rho)
    return steps


def multiplied(steps: list[Product], rho: Tensors) -> dict[Irrep, np.ndarray]:
    """rho^nu by recipes."""
    last = dict(rho)
    for step in steps:
        last = step(last, rho)
    return last


def norms(tensors: Tensors) -> dict[Irrep, float]:
    """Sum of squares of each irrep, of those that have any."""
    sums = {irrep: float(np.sum(value**2)) for irrep, value in tensors.items()}
    return {irrep: total for irrep, total in sums.items() if total > 1e-20}


def timed(frames: list[object], nu: int, l_max: int) -> dict[str, float]:
    """Medians of the processor times, s, and how far norms are apart."""
    density = density_of(frames, l_max)
    rho, _ = tensors_of(density)
    theirs = DensityCorrelations(n_correlations=nu - 1, max_angular=l_max, skip_redundant=False)
    steps = ours(rho, nu, l_max)
    few = Correlations.fit(rho, nu, l_max, 20, 200)
    tasks = {
        "featomic": lambda: theirs.compute(density, angular_cutoff=l_max),
        "mlsemi": lambda: multiplied(steps, rho),
        "contracted": lambda: few(rho),
    }
    found = tasks["featomic"]()
    kept = norms(summed_keys(found))
    mine = norms(tasks["mlsemi"]())
    apart = max(abs(mine[irrep] / total - 1.0) for irrep, total in kept.items())
    if set(kept) != set(mine):
        raise SystemExit(f"other irreps: {set(kept) ^ set(mine)}")
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            times[name].append(time.process_time() - start)
    return {name: float(np.median(t)) for name, t in times.items()} | {"apart": apart}


def summed_keys(found: object) -> dict[Irrep, np.ndarray]:
    """All blocks of one irrep side by side, whatever products they came from."""
    out: dict[Irrep, list[np.ndarray]] = {}
    for key, block in found.items():
        out.setdefault(Irrep(int(key["o3_lambda"]), int(key["o3_sigma"])), []).append(block.values)
    return {irrep: np.concatenate(parts, axis=2) for irrep, parts in out.items()}


def main() -> None:
    """Time, write features_orders.md, .json and .png."""
    frames = [molecule("C2H4")]
    found = {(nu, l_max): timed(frames, nu, l_max) for nu in ORDERS for l_max in L_MAX}
    rows = [
        [
            nu,
            l_max,
            f"{1e3 * t['featomic']:.3g}",
            f"{1e3 * t['mlsemi']:.3g}",
            f"{t['featomic'] / t['mlsemi']:.1f}",
            f"{1e3 * t['contracted']:.3g}",
        ]
        for (nu, l_max), t in found.items()
    ]
    apart = max(t["apart"] for t in found.values())
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        report.table(
            ["nu", "l_max", "featomic / ms", "mlsemi / ms", "ratio", "mlsemi, contracted / ms"],
            rows,
        ),
        f"{sum(map(len, frames))} atoms, {ROUNDS} rounds, featomic {version('featomic')}. Norms of "
        f"the irreps agree to {apart:.0e}.",
        "![times](features_orders.png)",
    ]
    panel = Panel(
        "l_max",
        "processor time / ms",
        {
            f"{name}, nu = {nu}": (
                list(L_MAX),
                [1e3 * found[nu, l_max][name] for l_max in L_MAX],
                "o-" if nu == 2 else "s--",
            )
            for name in ("featomic", "mlsemi", "contracted")
            for nu in ORDERS
        },
    )
    save(figure_of([panel]), report.HERE / "features_orders.png")
    report.write(
        "features_orders",
        "Correlations of order 2 and 3 beside featomic",
        sections,
        {f"nu {nu}, l {l_max}": t for (nu, l_max), t in found.items()},
    )


if __name__ == "__main__":
    main()
