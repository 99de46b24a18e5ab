"""Which terms a form has, in the order in which they are added up: the table of contents."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from mlsemi.errors import InputError
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.bonds import Bonds
from mlsemi.model.terms.density import Density
from mlsemi.model.terms.dipole import Dipole
from mlsemi.model.terms.domain import Domain
from mlsemi.model.terms.electrostatics import Charges, Potential
from mlsemi.model.terms.energy import Energy
from mlsemi.model.terms.fixed.bonds import FixedBonds
from mlsemi.model.terms.fixed.features import FixedFeatures
from mlsemi.model.terms.intermolecular.bonded import Bonded
from mlsemi.model.terms.intermolecular.connection import Connection
from mlsemi.model.terms.intermolecular.contacts import Contacts
from mlsemi.model.terms.intermolecular.multipole_energy import MultipoleEnergy
from mlsemi.model.terms.intermolecular.multipoles import Multipoles
from mlsemi.model.terms.levels import Levels
from mlsemi.model.terms.messages import Messages
from mlsemi.model.terms.on_site import OnSite
from mlsemi.model.terms.repulsion import Repulsion
from mlsemi.model.terms.term import Term, Weight
from mlsemi.model.terms.two_center import TwoCenter

MOLECULES: tuple[type[Term], ...] = (Bonded, Multipoles, MultipoleEnergy, Contacts)
"""What makes the energy of a form with ``bonded``."""


@cache
def terms_of(form: ModelForm) -> tuple[Term, ...]:
    """Terms of a form. Their order decides the last bits of results.

    Raises
    ------
    InputError
        If the form names a term that there is not.
    """
    kinds: list[type[Term]] = [
        Domain,
        *((Connection,) if form.bonded else ()),
        *((Density, Messages) if form.learned else (FixedFeatures,)),
        Repulsion,
        *(MOLECULES if form.bonded else (Energy,)),
        Dipole,
        *((Charges, Potential) if form.long_range else ()),
        Levels,
        OnSite,
        Bonds if form.learned else FixedBonds,
        TwoCenter,
        *map(named, form.extra),
    ]
    return tuple(kind(form) for kind in kinds)


def named(name: str) -> type[Term]:
    """The class of a file of :mod:`mlsemi.model.terms`: dipole_field.py has DipoleField.

    Raises
    ------
    InputError
        If there is no such file.
    """
    address = f"{__package__}.terms.{name}"
    if not name.isidentifier() or find_spec(address) is None:
        raise InputError(f"extra = {name!r}: there is no term of this name")
    term: type[Term] = getattr(import_module(address), name.title().replace("_", ""))
    return term


@cache
def weights_of(form: ModelForm) -> dict[str, Weight]:
    """Name and facts of every weight of a form."""
    found: dict[str, Weight] = {}
    for term in terms_of(form):
        found |= term.weights()
    return found


def shapes_of(form: ModelForm) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight of a form."""
    return {name: weight.shape for name, weight in weights_of(form).items()}


def start_of(form: ModelForm, seed: int) -> dict[str, np.ndarray]:
    """Weights before any data are seen; every array has a stream of its own.

    A new term leaves the others as they were.

    Parameters
    ----------
    form : ModelForm
    seed : int
    """
    return {
        name: weight.start(np.random.default_rng([seed, *name.encode()]), weight.shape)
        for name, weight in weights_of(form).items()
    }
