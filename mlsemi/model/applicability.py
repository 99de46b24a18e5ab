"""Applicability domain in words: what a user should know about results for a structure.

How far the features of an atom are from those of training says :mod:`mlsemi.model.terms.domain`,
and how far in a metric of what matters to the levels a committee (:meth:`Committee.outside`).
Neither sees that an atom without neighbours is strange, since its features are small: bonds are
looked at themselves. So are charge, number of molecules and contacts, which no feature knows.
"""

from __future__ import annotations

import numpy as np

from mlsemi.errors import InputError
from mlsemi.kernels.geometry import bonds, contacts
from mlsemi.model.terms.intermolecular.contacts import CLOSEST
from mlsemi.molecule.elements import covalent_radius, van_der_waals_radius
from mlsemi.molecule.structure import Structure
from mlsemi.units import BOHR_ANGSTROM

NEAREST = (0.70, 1.35)
"""Distance of an atom from its nearest neighbour, in sums of their covalent radii, that molecules
at up to 1000 K keep (0.73 to 1.31 in all reference data)."""

TOUCHING = 1.1
"""In sums of van der Waals radii: atoms nearer than this touch."""

BONDS_APART = np.array([4, 5, 7])
"""Fewest bonds between the atoms of a pair that :data:`CLOSEST` is about, and of two atoms that are
not hydrogen and of any two that count as touching across a molecule."""

MOST_TOUCHING = 3
"""Such pairs in a molecule, more than which one in two thousand training structures has."""

CHANGED_TEXT = (
    "the parameters were trained on neutral closed shells only: levels of ions and open shells are "
    "off by 0.3 to 0.7 eV"
)
LEARNED_TEXT = "levels of ions and open shells are off by 0.2 to 0.5 eV"
ODD_TEXT = ", and the energy of ions whose neutral form is a radical by 0.4 eV"
NO_ENERGY_TEXT = ", and there are no energy and forces where the neutral molecule is a radical"

CELL_TEXT = (
    "outside the training domain: nothing periodic was learned, and no contacts between molecules: "
    "couplings between them are off by a third or more, and energies of packing are not "
    "reliable"
)

CONTACTS_TEXT = (
    "outside the training domain: {} separate molecules: energies between two small ones are off "
    "by 1 kcal/mol on average, by 2 to 4 in strong hydrogen bonds, and levels by some 0.1 eV"
)

NOWHERE = np.empty(0, dtype=np.int64)


def without_usual_bond(structure: Structure) -> np.ndarray:
    """Atoms whose nearest neighbour is farther or nearer than any bond of a warm molecule."""
    ratio, _ = structure.nearest
    return np.flatnonzero((ratio < NEAREST[0]) | (ratio > NEAREST[1]))


def outside_text(structure: Structure, atoms: np.ndarray) -> tuple[str, ...]:
    """One warning that names atoms outside the training domain; none for no atoms."""
    if not atoms.size:
        return ()
    named = ", ".join(f"{a} ({structure.symbols[a]})" for a in atoms[:5].tolist())
    more = f" and {atoms.size - 5} more" if atoms.size > 5 else ""
    return (f"outside the training domain: surroundings of atoms {named}{more}",)


def molecules(structure: Structure) -> np.ndarray:
    """(n_atom,) number of the molecule of each atom: atoms joined by bonds of a warm molecule.

    A hydrogen has one bond, to its nearest neighbour: hydrogen bonds join no molecules however
    short they are.
    """
    return _contacts(structure)[0]


def _contacts(structure: Structure) -> tuple[np.ndarray, int, int, float, int]:
    """Molecules and contacts (:func:`mlsemi.kernels.geometry.contacts`)."""
    x, numbers = structure.positions, structure.numbers
    partner = np.where(numbers == 1, structure.nearest[1], -1)
    start, neighbour = bonds(x, covalent_radius(numbers), NEAREST[1], partner)
    radius, heavy = van_der_waals_radius(numbers), (numbers > 1).astype(np.int64)
    found: tuple[np.ndarray, int, int, float, int] = contacts(
        x, start, neighbour, radius, heavy, CLOSEST, TOUCHING, BONDS_APART
    )
    return found


def has_energy(structure: Structure, ions_learned: bool = False) -> bool:
    """Whether the energy is known: the parameters have seen closed shells only.

    Electrons may be taken from them or given to them, or their spins turned, by
    :mod:`mlsemi.response`. What would be a radical without its charge has been seen by sets that
    have learned ions, as closed-shell ions.

    Parameters
    ----------
    structure : Structure
    ions_learned : bool
        Of :class:`mlsemi.model.terms.architecture.ModelForm`.
    """
    return not structure.of_odd_parent or (ions_learned and structure.multiplicity == 1)


def check_energy(structure: Structure, wanted: str, ions_learned: bool = False) -> None:
    """Refuse an energy that is not known.

    Parameters
    ----------
    structure : Structure
    wanted : str
        What was asked for: "forces", "the energy".
    ions_learned : bool
        As in :func:`has_energy`.

    Raises
    ------
    InputError
        Where :func:`has_energy` says no.
    """
    if not has_energy(structure, ions_learned):
        raise InputError(
            f"{wanted} at charge {structure.charge:+d}: the neutral molecule has an odd number of "
            "electrons, and the parameters were trained on closed shells only; levels, charges "
            "and spectra can be had without"
        )


def check_states(structure: Structure, multiplicities: tuple[int, ...]) -> None:
    """Refuse excited states that a ground state of this spin does not have.

    Parameters
    ----------
    structure : Structure
    multiplicities : tuple of int
        Of the ground states that have what was asked for.

    Raises
    ------
    InputError
    """
    if structure.multiplicity not in multiplicities:
        raise InputError(
            f"excited states at multiplicity {structure.multiplicity}: there are singlets and "
            "triplets of closed shells (multiplicity 1) and doublets of radicals (multiplicity 2)"
        )


def check_closed(structure: Structure) -> None:
    """Refuse surfaces and densities of excited states of an open shell.

    Raises
    ------
    InputError
        If it is one.
    """
    if structure.multiplicity > 1:
        raise InputError(
            "excited states of open shells have energies and intensities only: no surfaces, forces "
            "and densities"
        )


def doubts(
    structure: Structure,
    strange: np.ndarray = NOWHERE,
    contacts_learned: bool = False,
    ions_learned: bool = False,
) -> dict[str, str]:
    """What a user should know about results for a structure, by kind; empty inside the domain.

    Parameters
    ----------
    structure : Structure
    strange : (n_strange,) int array
        Atoms that are outside by their features.
    contacts_learned : bool
        Whether the parameters know what molecules do to each other.
    ions_learned : bool
        Whether they know ions.
    """
    atoms = without_usual_bond(structure)
    if strange.size:
        atoms = np.union1d(strange, atoms)
    found = {}
    if structure.cell is not None:
        if atoms.size:
            found["surroundings"] = outside_text(structure, atoms)[0]
        return found | {"cell": CELL_TEXT}
    molecule, first, second, ratio, n_touching = _contacts(structure)
    if structure.charge or structure.multiplicity > 1:
        found["charge"] = _charge_text(structure, ions_learned)
    if atoms.size:
        found["surroundings"] = outside_text(structure, atoms)[0]
    if molecule.max():
        found["molecules"] = _molecules_text(structure, molecule, contacts_learned)
    if ratio < 1.0:
        distance = np.linalg.norm(structure.positions[second] - structure.positions[first])
        named = " and ".join(f"{a} ({structure.symbols[a]})" for a in (first, second))
        found["contact"] = (
            f"outside the training domain: atoms {named}, {distance * BOHR_ANGSTROM:.2f} angstrom "
            "apart without a bond, are nearer than in the training molecules"
        )
    if n_touching > MOST_TOUCHING:
        found["folded"] = (
            f"outside the training domain: {n_touching} pairs of atoms touch across the molecule, "
            f"in training at most {MOST_TOUCHING}: forces between stacked or folded parts were "
            "not learned"
        )
    return found


def _charge_text(structure: Structure, ions_learned: bool) -> str:
    """A warning about charge and unpaired electrons."""
    said = LEARNED_TEXT if ions_learned else CHANGED_TEXT
    if not has_energy(structure, ions_learned):
        return said + NO_ENERGY_TEXT
    return said + (ODD_TEXT if structure.of_odd_parent else "")


def _molecules_text(structure: Structure, molecule: np.ndarray, contacts_learned: bool) -> str:
    """A warning about several molecules, ions, or parts of a broken one."""
    n = molecule.max() + 1
    n_odd = int(np.sum(np.bincount(molecule, weights=structure.core_charges) % 2))
    if n_odd:
        shifted = (
            "" if contacts_learned else ", and the parts shift each other's levels at any distance"
        )
        return (
            f"outside the training domain: {n} separate parts, {n_odd} of them with an odd number "
            "of electrons (ions, or a broken bond): orbitals and charges are those of one closed "
            "shell" + shifted
        )
    if contacts_learned:
        return CONTACTS_TEXT.format(n)
    return (
        f"outside the training domain: {n} separate molecules: each shifts the others' levels by "
        "up to some 0.2 eV at any distance, and energies between them are off by several kcal/mol "
        "(stacks repel each other); the set organic-2 has learned them (contacts-1: stacks)"
    )
