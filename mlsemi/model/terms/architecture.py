"""The form of a model: its kind, its sizes and switches, and so which terms it has."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from math import inf

from mlsemi.errors import InputError
from mlsemi.molecule.elements import valence
from mlsemi.symmetry.radial import RadialBasis

KINDS = ("nonlinear", "linear", "kernel")
ENERGIES = ("readout", "band", "band+readout")


@dataclass(frozen=True)
class ModelForm:
    """Everything of a model that is not a weight.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers, in the order of the species index.
    cutoff : float
        Pair cutoff, bohr.
    n_radial : int
        Radial functions.
    n_channel : int
        Channels of the neighbour density: learned, or principal components.
    n_node : int
        Channels of the node features that enter the blocks.
    n_hidden : int
        Width of the perceptrons (nonlinear only).
    kind : str
        ``nonlinear``: learned features, perceptrons. ``linear``: H is linear in fixed features,
        rho_i^2 on site and rho_ij^1 between sites. ``kernel``: the same features times a sparse
        scalar kernel.
    nu : int
        Highest order of the density correlations of an atom, 2 or 3 (nonlinear only).
    message_passing : bool
        One message-passing step (nonlinear only).
    long_range : bool
        Potential of predicted charges on the levels.
    n_sparse : int
        Sparse points per species and per species pair (kernel only).
    energy : str
        What the total energy is made of: a readout of the features, the band energy tr(P H) with
        functions of each pair, or band energy and readout (:mod:`mlsemi.model.terms.energy`).
    bonded : bool
        The readout sees atoms of its own molecule alone, and contacts between molecules are terms
        of their own: multipoles and overlaps (nonlinear only, with ``energy`` a readout).
    quadrupoles : bool
        Atoms have quadrupoles beside charges and dipoles, and all of them are read off more of the
        features (with ``bonded``).
    contact_exponents : tuple of float
        Slater exponents of the orbitals by whose overlap molecules repel and attract each other, in
        units of those of the basis (with ``bonded``).
    extra : tuple of str
        Files of :mod:`mlsemi.model.terms` whose terms this form has beside the usual ones.

    Raises
    ------
    InputError
        If an entry is of another type or out of range, or an element has no valence basis or stands
        twice.
    """

    elements: tuple[int, ...]
    cutoff: float = 11.3
    n_radial: int = 12
    n_channel: int = 16
    n_node: int = 12
    n_hidden: int = 48
    kind: str = "nonlinear"
    nu: int = 2
    message_passing: bool = True
    long_range: bool = True
    n_sparse: int = 8
    energy: str = "readout"
    bonded: bool = False
    quadrupoles: bool = False
    contact_exponents: tuple[float, float] = (1.0, 1.0)
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.type == "int" and (type(value) is not int or value < 1):
                raise InputError(f"{entry.name} = {value!r}, need a positive whole number")
            if entry.type == "bool" and type(value) is not bool:
                raise InputError(f"{entry.name} = {value!r}, need true or false")
        if type(self.cutoff) not in (int, float) or not 0.0 < self.cutoff < inf:
            raise InputError(f"cutoff = {self.cutoff!r}, need a positive number")
        if not self.elements or len(set(self.elements)) < len(self.elements):
            raise InputError("elements must be one or more, each once")
        for number in self.elements:
            valence(number)
        if self.kind not in KINDS:
            raise InputError(f"kind = {self.kind!r}, need one of {', '.join(KINDS)}")
        if self.nu not in (2, 3):
            raise InputError(f"nu = {self.nu!r}, need 2 or 3")
        if self.energy not in ENERGIES:
            raise InputError(f"energy = {self.energy!r}, need one of {', '.join(ENERGIES)}")
        if self.bonded and (not self.learned or self.energy != "readout"):
            raise InputError("bonded = true: for kind = 'nonlinear' with energy = 'readout'")
        if self.quadrupoles and not self.bonded:
            raise InputError("quadrupoles = true: of a form with bonded = true")
        for name in ("contact_exponents", "extra"):
            if isinstance(getattr(self, name), list):  # as files have it
                object.__setattr__(self, name, tuple(getattr(self, name)))
        exponents = self.contact_exponents
        numbers = isinstance(exponents, tuple) and all(type(x) in (int, float) for x in exponents)
        if not numbers or len(exponents) != 2 or not 0.0 < min(exponents) <= max(exponents) < inf:
            raise InputError(f"contact_exponents = {exponents!r}, need two positive numbers")
        if exponents != (1.0, 1.0) and not self.bonded:
            raise InputError("contact_exponents: of a form with bonded = true")
        if not isinstance(self.extra, tuple) or len(set(self.extra)) < len(self.extra):
            raise InputError(f"extra = {self.extra!r}, need names of terms, each once")

    @cached_property
    def radial(self) -> RadialBasis:
        """Radial functions of every pair."""
        return RadialBasis(self.n_radial, self.cutoff)

    @property
    def learned(self) -> bool:
        """Whether the features are learned; those of the other kinds are fixed at the start."""
        return self.kind == "nonlinear"

    @property
    def band(self) -> bool:
        """Whether tr(P H) is part of the energy."""
        return "band" in self.energy

    @property
    def readout(self) -> bool:
        """Whether the energy reads the features."""
        return "readout" in self.energy

    @property
    def ions_learned(self) -> bool:
        """Whether the constants of the response to charge and spin are among the weights."""
        return "response" in self.extra

    @property
    def n_on_site(self) -> int:
        """Node channels that the on-site blocks, charges and atomic dipoles read."""
        return self.n_node if self.learned else (self.n_channel + self.n_node) * self.n_factor

    @property
    def n_factor(self) -> int:
        """Factors that multiply fixed features: one, and one per sparse point of a kernel."""
        return 1 + (self.n_sparse if self.kind == "kernel" else 0)

    @property
    def n_invariant(self) -> int:
        """Invariants of each atom, which the energy and the training domain read."""
        if self.learned:
            return self.n_channel * (8 if self.message_passing else 3)
        return self.n_channel + self.n_node
