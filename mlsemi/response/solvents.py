"""Solvents by name: static dielectric constant and refractive index at room temperature."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from numbers import Real

from mlsemi.errors import InputError

TABLE = {
    "acetic acid": (6.25, 1.3720),
    "acetone": (20.49, 1.3588),
    "acetonitrile": (35.69, 1.3442),
    "aniline": (6.89, 1.5863),
    "benzene": (2.27, 1.5011),
    "1-butanol": (17.33, 1.3993),
    "carbon disulfide": (2.61, 1.6319),
    "carbon tetrachloride": (2.23, 1.4601),
    "chlorobenzene": (5.70, 1.5241),
    "chloroform": (4.71, 1.4459),
    "cyclohexane": (2.02, 1.4266),
    "1,2-dichloroethane": (10.13, 1.4448),
    "dichloromethane": (8.93, 1.4242),
    "diethyl ether": (4.24, 1.3526),
    "dimethylformamide": (37.22, 1.4305),
    "dimethyl sulfoxide": (46.83, 1.4783),
    "1,4-dioxane": (2.21, 1.4224),
    "ethanol": (24.85, 1.3611),
    "ethyl acetate": (5.99, 1.3723),
    "formamide": (108.94, 1.4472),
    "heptane": (1.91, 1.3878),
    "hexane": (1.88, 1.3749),
    "methanol": (32.61, 1.3288),
    "nitromethane": (36.56, 1.3817),
    "1-octanol": (9.86, 1.4295),
    "1-propanol": (20.52, 1.3850),
    "2-propanol": (19.26, 1.3776),
    "pyridine": (12.98, 1.5095),
    "tetrahydrofuran": (7.43, 1.4050),
    "toluene": (2.37, 1.4961),
    "water": (78.36, 1.3328),
}
"""Name -> (dielectric constant, refractive index): values of the Minnesota solvent descriptor
database (Winget, Dolney, Giesen, Cramer, Truhlar, 1999)."""

OTHER_NAMES = {
    "butanol": "1-butanol", "carbon disulphide": "carbon disulfide", "ccl4": "carbon tetrachloride",
    "chcl3": "chloroform", "ch2cl2": "dichloromethane", "cs2": "carbon disulfide",
    "dce": "1,2-dichloroethane", "dichloroethane": "1,2-dichloroethane", "dcm": "dichloromethane",
    "dioxane": "1,4-dioxane", "dmf": "dimethylformamide", "dmso": "dimethyl sulfoxide",
    "ether": "diethyl ether", "etoac": "ethyl acetate", "etoh": "ethanol", "h2o": "water",
    "isopropanol": "2-propanol", "mecn": "acetonitrile", "meoh": "methanol",
    "n-heptane": "heptane", "n-hexane": "hexane", "octanol": "1-octanol", "propanol": "1-propanol",
    "thf": "tetrahydrofuran",
}  # fmt: skip

TENSION: dict[str, float] = {}
"""Free energy of a cavity over its area, hartree / bohr^2, by solvent. None yet: over published
hydration energies the best one for water is zero (``validation/solvation.py``)."""

USUAL_INDEX = 1.40
"""Refractive index of a solvent that is known by its dielectric constant alone."""


@dataclass(frozen=True)
class Solvent:
    """A polarisable continuum.

    Attributes
    ----------
    name : str
    epsilon : float
        Static dielectric constant.
    refractive_index : float
        n; n^2 is the dielectric constant at optical frequencies.
    """

    name: str
    epsilon: float
    refractive_index: float

    def __post_init__(self) -> None:
        if not (isfinite(self.epsilon) and self.epsilon >= 1.0):
            raise InputError(
                f"dielectric constant {self.epsilon}: need a finite number from 1 upwards"
            )

    @property
    def factor(self) -> float:
        """(eps - 1) / eps of the conductor's reaction (theory eq 19)."""
        return (self.epsilon - 1.0) / self.epsilon

    @property
    def tension(self) -> float:
        """Of the surface of a cavity, hartree / bohr^2; zero where it is not known."""
        return TENSION.get(self.name, 0.0)

    @property
    def fast_factor(self) -> float:
        """(n^2 - 1) / n^2: the part that follows an electronic excitation at once."""
        return 1.0 - self.refractive_index**-2


def solvent_of(name: str | float | Solvent) -> Solvent:
    """Solvent of a name, or of a dielectric constant.

    Raises
    ------
    InputError
        If the name is unknown or the constant below one.
    """
    if isinstance(name, Solvent):
        return name
    if isinstance(name, str):
        known = " ".join(name.lower().split())
        known = OTHER_NAMES.get(known, known)
        if known not in TABLE:
            raise InputError(f"no solvent {name!r} (there are {', '.join(TABLE)})")
        return Solvent(known, *TABLE[known])
    if not isinstance(name, Real) or isinstance(name, bool):
        raise InputError(f"solvent {name!r:.60}: give a name or a dielectric constant")
    epsilon = float(name)
    index = min(USUAL_INDEX, max(epsilon, 1.0) ** 0.5)
    return Solvent(f"epsilon {epsilon:g}", epsilon, index)
