"""The form of a model: its kind, its sizes and switches, and so the shape of every weight."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import inf

from mlsemi.errors import InputError
from mlsemi.model.bonds import PATHS as BOND_PATHS
from mlsemi.model.density import n_stacked
from mlsemi.model.fixed import BOND_INPUTS, n_product
from mlsemi.model.heads import TWO_CENTER
from mlsemi.model.messages import PATHS as MESSAGE_PATHS
from mlsemi.model.messages import n_invariant as n_learned_invariant
from mlsemi.molecule.elements import valence
from mlsemi.symmetry.so3 import L_MAX

KINDS = ("nonlinear", "linear", "kernel")
ENERGIES = ("readout", "band", "band+readout")

Shapes = dict[str, tuple[int, ...]]


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
        functions of each pair, or band energy and readout (:mod:`mlsemi.model.energy`).

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
            return n_learned_invariant(self.n_channel, self.message_passing)
        return self.n_channel + self.n_node

    def shapes(self) -> Shapes:
        """Name and shape of every weight array."""
        s, n = len(self.elements), self.n_on_site
        shapes: Shapes = {
            "level": (s, 2),
            "two_center": (s * s, self.n_radial, len(TWO_CENTER)),
            "onsite": (s, n, 4),
            "energy.atom": (s,),
            "dipole.atom": (s, n),
            "dipole.sp": (s,),
            "domain.center": (s, self.n_invariant),
            "domain.spread": (s, self.n_invariant),
            "domain.limit": (s,),
        }
        if self.long_range:
            shapes["charge"] = (s, n)
        if not self.readout:
            shapes["energy.pair"] = (s * s, self.n_radial)
        return shapes | (self._learned_shapes() if self.learned else self._fixed_shapes())

    def trained(self, name: str) -> bool:
        """Whether training moves a weight; the others are set once, from the training data."""
        if name.startswith("domain."):
            return False
        return self.learned or not name.startswith(("density.", "node.", "sparse."))

    def _learned_shapes(self) -> Shapes:
        s, r, k, n = len(self.elements), self.n_radial, self.n_channel, self.n_node
        shapes: Shapes = {
            "atom.bias": (s, k),
            "node.bias": (s, n),
            "bond.scale": (s * s, len(BOND_PATHS) * 2 * n),
        }
        if self.message_passing:
            shapes["message.radial"] = (r, len(MESSAGE_PATHS) * k)
        for l in range(L_MAX + 1):
            shapes[f"density.{l}"] = (s * r, k)
            shapes[f"atom.{l}"] = (s, n_stacked(l, self.nu) * k, k)
            shapes[f"node.{l}"] = (s, 2 * k if self.message_passing else k, n)
            if self.nu == 3:
                shapes[f"triple.{l}"] = (s, n_stacked(l, 2) * k, k)
        for name, size_in, labels, size_out in (
            ("atom.gate", k, s, 3 * k),
            ("node.gate", self.n_invariant, s, 3 * n),
            ("energy", self.n_invariant, s, 1),
            ("bond", 6 * n + r, s * s, len(BOND_PATHS) * 2 * n),
        ):
            if name == "energy" and not self.readout:
                continue
            shapes[f"{name}.in"] = (size_in, self.n_hidden)
            shapes[f"{name}.bias"] = (labels, self.n_hidden)
            shapes[f"{name}.out"] = (self.n_hidden, size_out)
        return shapes

    def _fixed_shapes(self) -> Shapes:
        s, r, k, n = len(self.elements), self.n_radial, self.n_channel, self.n_node
        shapes: Shapes = {
            "node.bias": (s, n),
            "bond.out": (s * s, self.n_factor * r, len(BOND_PATHS) * 2 * k),
        }
        if self.readout:
            shapes["energy.out"] = (s, self.n_invariant)
        for l in range(L_MAX + 1):
            shapes[f"density.{l}"] = (s, s * r, k)
            shapes[f"node.{l}"] = (s, n_product(l, k), n)
        if self.kind == "kernel":
            for name, labels, size in (
                ("atom", s, self.n_invariant),
                ("bond", s * s, BOND_INPUTS * k + r),
            ):
                shapes[f"sparse.{name}.metric"] = (labels, size)
                shapes[f"sparse.{name}.points"] = (labels, self.n_sparse, size)
                shapes[f"sparse.{name}.root"] = (labels, self.n_sparse, self.n_sparse)
        return shapes
