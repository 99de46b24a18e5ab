"""Geometries of molecules in contact: which atoms make a molecule, and rigid ones put together.

Two molecules, each relaxed alone, approach each other in one of the ways that non-covalent
complexes have: GFN2-xTB says how near they would like to be, and they stop at a multiple of that
distance. More than two, or two as they lie when relaxed together, move along the lines from their
common center.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.data import vdw_radii
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from mlsemi.errors import InputError
from mlsemi.training.data.geometries import (
    bond_graph,
    bonds_of,
    gfn2_calculator,
    relax,
    with_hydrogens,
)

NEAREST, FARTHEST = 0.9, 2.0
"""Closest distance between two molecules, in units of the one that GFN2-xTB likes best."""

SCAN = np.arange(0.55, 1.6, 0.05)
"""Closest distances tried, in sums of van der Waals radii."""

SHIFTS = np.arange(-10.0, 40.0, 0.02)
"""Where a second molecule is tried along its axis, angstrom."""

FAR = 35.0
"""Where nothing attracts any more, angstrom."""

TOGETHER = 1.0 / 3.0
"""Part of the geometries that start from the complex relaxed as a whole."""

WAYS = {
    "random": 1.0,
    "hydrogen bond": 2.0,
    "hydrogen to pi": 1.0,
    "halogen bond": 3.0,
    "stack": 3.0,
}
"""How often each way of approach is drawn, compared with others that two molecules have."""

LONE_PAIRS = (7, 8, 9, 15, 16, 17, 34, 35, 53)
"""Elements with lone pairs; their hydrogen goes to that of another or to a pi system."""

HALOGENS = (17, 35, 53)
"""Heavier ones, with a sigma hole on carbon or nitrogen."""

FLAT_ONES = (5, 6, 7, 8, 16, 34)
FLAT = 0.25
"""Largest distance from their plane of the atoms of a stack, angstrom."""

Site = tuple[np.ndarray, np.ndarray]
"""A point of a molecule and the direction, away from it, along which a partner comes."""

Approach = tuple[Atoms, Atoms, np.ndarray]
"""Two molecules and the axis along which the second one comes."""


@dataclass(frozen=True, eq=False)
class Molecules:
    """Which atoms of a complex make a molecule.

    Attributes
    ----------
    of_atom : (n_atom,) int array
        Number of the molecule of every atom.
    charges : tuple of int
        Charge of each molecule.
    """

    of_atom: np.ndarray
    charges: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.charges)

    @classmethod
    def of_smiles(cls, smiles: str) -> Molecules:
        """The molecules of a SMILES, atoms as :func:`geometries.embed` orders them."""
        from rdkit import Chem

        molecule = with_hydrogens(smiles)
        of_atom = np.zeros(molecule.GetNumAtoms(), dtype=int)
        charges = []
        for number, atoms in enumerate(Chem.GetMolFrags(molecule)):
            of_atom[list(atoms)] = number
            charges.append(sum(molecule.GetAtomWithIdx(a).GetFormalCharge() for a in atoms))
        return cls(of_atom, tuple(charges))

    @classmethod
    def of_geometry(cls, atoms: Atoms, charge: int) -> Molecules:
        """The molecules of a neutral geometry, by its distances.

        Raises
        ------
        InputError
            If several molecules share a charge: which of them has it cannot be seen.
        """
        count, of_atom = connected_components(bond_graph(atoms), directed=False)
        if count > 1 and charge:
            raise InputError("which molecule has the charge is unclear: give the complex as SMILES")
        return cls(of_atom, (charge,) if count == 1 else (0,) * count)


def contact_frames(
    start: Atoms, smiles: str, number: int, rng: np.random.Generator
) -> list[tuple[Atoms, str]]:
    """Geometries of a complex, its molecules rigid, at various distances.

    Parameters
    ----------
    start : ase.Atoms
        The complex as :func:`geometries.embed` makes it.
    smiles : str
    number : int
    rng : numpy Generator
        Draws the way of approach, of those that the two molecules have, and the distance.

    Returns
    -------
    ase.Atoms without a calculator, each with what was done; none for a single molecule.

    Raises
    ------
    InputError
        If a molecule does not survive its relaxation, or more than two not theirs together.
    """
    molecules = Molecules.of_smiles(smiles)
    if len(molecules) < 2 or not number:
        return []
    together = _together(start, smiles, molecules)
    alone = [relaxed_alone(start, smiles, molecules, k) for k in range(len(molecules))]
    out = []
    for _ in range(number):
        factor = NEAREST + (FARTHEST - NEAREST) * float(rng.random()) ** 2
        ways = ways_of(alone[0], alone[1], rng) if len(molecules) == 2 else {}
        weights = np.array([WAYS[way] for way in ways])
        name = str(rng.choice(list(ways), p=weights / weights.sum())) if ways else ""
        if together is not None and (not ways or rng.random() < TOGETHER):
            name, atoms = "relaxed together", _spread(together, molecules, factor)
        else:
            atoms = _joined(start, molecules, ways[name](), factor)
        out.append((atoms, f"{name}, {factor:.3f} of contact"))
    return out


def _together(start: Atoms, smiles: str, molecules: Molecules) -> Atoms | None:
    """The complex relaxed as a whole; None where two molecules, as ions do, become others, or
    where GFN2-xTB gives up.
    """
    try:
        return relax(start, sum(molecules.charges), fmax=0.01, bonds=bonds_of(smiles))
    except (InputError, CalculationFailed):
        if len(molecules) > 2:
            raise
        return None


def relaxed_alone(start: Atoms, smiles: str, molecules: Molecules, number: int) -> Atoms:
    """One molecule relaxed without the others."""
    members = molecules.of_atom == number
    bonds = bonds_of(smiles)[np.ix_(members, members)]
    return relax(start[members], molecules.charges[number], bonds=bonds)


def _spread(atoms: Atoms, molecules: Molecules, factor: float) -> Atoms:
    """All molecules moved away from the center until their closest distance is ``factor`` times
    what it was.
    """
    positions, of_atom = atoms.get_positions(), molecules.of_atom
    centers = np.array([positions[of_atom == k].mean(axis=0) for k in range(len(molecules))])
    away = (centers - centers.mean(axis=0))[of_atom]
    apart = of_atom[:, None] != of_atom[None, :]
    scales = np.arange(-0.3, 3.0, 0.002)
    closest = np.array([_distances(positions + x * away)[apart].min() for x in scales])
    before = _distances(positions)[apart].min()
    return Atoms(atoms.numbers, positions + last_below(closest, factor * before, scales) * away)


def _distances(positions: np.ndarray) -> np.ndarray:
    return np.asarray(cdist(positions, positions))


def last_below(values: np.ndarray, limit: float, places: np.ndarray) -> float:
    """The place after the last one with a value below a limit.

    Parameters
    ----------
    values : (n,) array
        With at least one below the limit.
    limit : float
    places : (n,) array
        Ascending.
    """
    return float(places[min(np.flatnonzero(values < limit)[-1] + 1, places.size - 1)])


def distances_along(pair: Approach) -> np.ndarray:
    """(n_shift, n_first, n_second) distances between two molecules at all of ``SHIFTS``."""
    first, second, along = pair
    return np.array([cdist(first.positions, second.positions + s * along) for s in SHIFTS])


def placed_at(template: Atoms, molecules: Molecules, pair: Approach, shift: float) -> Atoms:
    """The complex with its second molecule so far along the axis, atoms as in ``template``."""
    first, second, along = pair
    positions = np.empty((len(template), 3))
    positions[molecules.of_atom == 0] = first.positions
    positions[molecules.of_atom == 1] = second.positions + shift * along
    return Atoms(template.numbers, positions)


def _joined(template: Atoms, molecules: Molecules, pair: Approach, factor: float) -> Atoms:
    """Two molecules along their line of approach, ``factor`` times as far as GFN2-xTB likes."""
    first, second, _ = pair
    radii = np.add.outer(vdw_radii[first.numbers], vdw_radii[second.numbers])
    apart = distances_along(pair)
    closest, reduced = apart.min(axis=(1, 2)), (apart / radii).min(axis=(1, 2))
    placed = partial(placed_at, template, molecules, pair)
    tried = [last_below(reduced, x, SHIFTS) for x in SCAN]
    energies = [_energy(placed(s), sum(molecules.charges)) for s in (*tried, FAR)]
    best = int(np.argmin(energies))
    liked = tried[best] if best < len(tried) else last_below(reduced, 1.0, SHIFTS)
    wanted = factor * closest[np.searchsorted(SHIFTS, liked)]
    return placed(last_below(closest, wanted, SHIFTS))


def _energy(atoms: Atoms, charge: int) -> float:
    """GFN2-xTB energy, eV; infinite where its SCF does not converge, as of ions far apart."""
    atoms.calc = gfn2_calculator(charge)
    try:
        return float(atoms.get_potential_energy())
    except CalculationFailed:
        return np.inf


def ways_of(
    first: Atoms, second: Atoms, rng: np.random.Generator
) -> dict[str, Callable[[], Approach]]:
    """Name of every way of approach that two molecules have, and a function that draws one.

    Drawn are both molecules and the axis along which the second one comes.
    """
    found: dict[str, list[tuple[Site, Site, bool]]] = {"random": []}
    for a, b, turned in ((first, second, False), (second, first, True)):
        for name, givers, takers in (
            ("hydrogen bond", _ends(a, (1,), LONE_PAIRS), _lone_pairs(b)),
            ("hydrogen to pi", _ends(a, (1,), (*LONE_PAIRS, 6)), _planes(b)),
            ("halogen bond", _ends(a, HALOGENS, (6, 7, *HALOGENS)), _lone_pairs(b) + _planes(b)),
            ("stack", _planes(a), _planes(b) if not turned else []),
        ):
            pairs = [(g, t, turned) for g in givers for t in takers]
            found.setdefault(name, []).extend(pairs)
    return {
        name: partial(_drawn, name, pairs, first, second, rng)
        for name, pairs in found.items()
        if pairs or name == "random"
    }


def _drawn(
    name: str,
    pairs: list[tuple[Site, Site, bool]],
    first: Atoms,
    second: Atoms,
    rng: np.random.Generator,
) -> Approach:
    """Both molecules, the second on the axis from the first, and that axis."""
    if name == "random":
        turn = Rotation.random(rng=rng)
        centred = first.positions - first.positions.mean(axis=0)
        body = turn.apply(second.positions - second.positions.mean(axis=0))
        axis = rng.normal(size=3)
        axis /= np.linalg.norm(axis)
        return Atoms(first.numbers, centred), Atoms(second.numbers, body), axis
    (point, out), (other, towards), turned = pairs[rng.integers(len(pairs))]
    if turned:
        (point, out), (other, towards) = (other, towards), (point, out)
    # the second molecule's direction points back at the first, up to a tilt; any twist about it
    tilt = Rotation.from_rotvec(rng.normal(scale=0.0 if name == "stack" else 0.15, size=3))
    twist = Rotation.from_rotvec(rng.uniform(0.0, 2.0 * np.pi) * out)
    turn = twist * tilt * Rotation.align_vectors(-out[None], towards[None])[0]
    body = turn.apply(second.positions - other)
    if name == "stack" and rng.random() < 2.0 / 3.0:
        aside = np.cross(out, rng.normal(size=3))
        body = body + rng.uniform(0.5, 2.0) * aside / np.linalg.norm(aside)
    return Atoms(first.numbers, first.positions - point), Atoms(second.numbers, body), out


def _neighbours(atoms: Atoms) -> list[np.ndarray]:
    return [np.flatnonzero(row) for row in bond_graph(atoms)]


def _ends(atoms: Atoms, ends: tuple[int, ...], carriers: tuple[int, ...]) -> list[Site]:
    """Atoms with a single neighbour, one of the carriers, and the direction of that bond."""
    found = []
    for i, bound in enumerate(_neighbours(atoms)):
        if atoms.numbers[i] in ends and bound.size == 1 and atoms.numbers[bound[0]] in carriers:
            bond = atoms.positions[i] - atoms.positions[bound[0]]
            found.append((atoms.positions[i], bond / np.linalg.norm(bond)))
    return found


def _lone_pairs(atoms: Atoms) -> list[Site]:
    """Atoms with lone pairs, and the direction away from their neighbours."""
    found = []
    for i, bound in enumerate(_neighbours(atoms)):
        if atoms.numbers[i] not in LONE_PAIRS or bound.size > 3:
            continue
        bonds = atoms.positions[bound] - atoms.positions[i]
        away = -(bonds / np.linalg.norm(bonds, axis=1)[:, None]).sum(axis=0)
        if bound.size == 0:
            away = np.array([0.0, 0.0, 1.0])
        if np.linalg.norm(away) > 0.3:
            found.append((atoms.positions[i], away / np.linalg.norm(away)))
    return found


def _planes(atoms: Atoms) -> list[Site]:
    """Both faces of every flat group of unsaturated atoms: of rings, double bonds, carbonyls."""
    bound = _neighbours(atoms)
    flat = np.array(
        [z in FLAT_ONES and b.size in (1, 2, 3) for z, b in zip(atoms.numbers, bound, strict=True)]
    )
    graph = bond_graph(atoms) & flat[:, None] & flat[None, :]
    count, group = connected_components(graph, directed=False)
    faces = []
    for k in range(count):
        members = np.flatnonzero((group == k) & flat)
        if members.size < 2 or not any(bound[m].size == 3 for m in members):
            continue
        around = np.unique(np.concatenate([members, *(bound[m] for m in members)]))
        center = atoms.positions[members].mean(axis=0)
        _, _, axes = np.linalg.svd(atoms.positions[around] - atoms.positions[around].mean(axis=0))
        normal = axes[-1]
        if np.abs((atoms.positions[members] - center) @ normal).max() < FLAT:
            faces += [(center, normal), (center, -normal)]
    return faces
