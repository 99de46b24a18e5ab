"""Molecular crystals: measured cells, published positions of their atoms, published energies.

Cells are those of experiment, positions in them were optimised by others with a periodic functional
(supplementary data of Della Pia, Zen, Alfe, Michaelides, Phys. Rev. Lett. 133, 046401 (2024)), as
are the lattice energies (kJ/mol): diffusion Monte Carlo. Their crystals are X23 (Reilly and
Tkatchenko, J. Chem. Phys. 139, 024705 (2013)); here are the seventeen with the fewest atoms in the
asymmetric unit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal
from ase.spacegroup.spacegroup import parse_sitesym

GROUPS = {
    "P2_1": "x,y,z  -x,1/2+y,-z",
    "P2_1/c": "x,y,z  -x,-y,-z  -x,1/2+y,1/2-z  x,1/2-y,1/2+z",
    "P2_1/a": "x,y,z  -x,-y,-z  1/2-x,1/2+y,-z  1/2+x,1/2-y,z",
    "P2_1/n": "x,y,z  -x,-y,-z  1/2-x,1/2+y,1/2-z  1/2+x,1/2-y,1/2+z",
    "Pna2_1": "x,y,z  -x,-y,1/2+z  1/2+x,1/2-y,z  1/2-x,1/2+y,1/2+z",
    "Pbca": "x,y,z  1/2-x,-y,1/2+z  -x,1/2+y,1/2-z  1/2+x,1/2-y,-z  "
    "-x,-y,-z  1/2+x,y,1/2-z  x,1/2-y,1/2+z  1/2-x,1/2+y,z",
    "Pmnn": "x,y,z  -x,y,z  x,-y,-z  -x,-y,-z  1/2+x,1/2-y,1/2+z  1/2-x,1/2-y,1/2+z  "
    "1/2+x,1/2+y,1/2-z  1/2-x,1/2+y,1/2-z",
}
"""Settings in which the structures are published; others by their number."""


class Crystal(NamedTuple):
    """A crystal.

    Attributes
    ----------
    group : str or int
    cell : tuple
        a, b, c in angstrom, with the component of c along a in a monoclinic one as the fourth.
    atoms : str
        Element and fractional coordinates of the asymmetric unit.
    molecules : int
        In the cell.
    energy : float
        Lattice energy, kJ/mol.
    """

    group: str | int
    cell: tuple[float, ...]
    atoms: str
    molecules: int
    energy: float

    def structure(self) -> Atoms:
        """The whole cell."""
        words = self.atoms.split()
        symbols = words[::4]
        places = np.array([words[n::4] for n in (1, 2, 3)], dtype=float).T
        a, b, c = self.cell[:3]
        if isinstance(self.group, int):
            hexagonal = 143 <= self.group <= 194
            angles = [90, 90, 120 if hexagonal else 90]
            return crystal(symbols, places, spacegroup=self.group, cellpar=[a, b, c, *angles])
        vectors = [[a, 0, 0], [0, b, 0], [sum(self.cell[3:]), 0, c]]
        turns, shifts = parse_sitesym(GROUPS[self.group].split())
        found, names = np.empty((0, 3)), []
        for symbol, place in zip(symbols, places, strict=True):
            for image in (turns @ place + shifts) % 1.0:
                apart = np.abs(found - image - np.round(found - image))
                if not len(found) or apart.max(axis=1).min() > 2e-3:
                    found = np.concatenate([found, image[None]])
                    names.append(symbol)
        return Atoms(names, scaled_positions=found, cell=vectors, pbc=True)


CRYSTALS = {
    "carbon dioxide": Crystal(205, (5.624,) * 3, "C 0 0 0  O .11998 .11998 .11998", 4, -29.37),
    "ammonia": Crystal(
        198, (5.1305,) * 3, "N .20363 .20363 .20363  H .36292 .27216 .10382", 4, -38.20
    ),
    "urea": Crystal(
        113,
        (5.565, 5.565, 4.684),
        """C 0 .5 .32606  O 0 .5 .59785  N .14681 .64681 .17688
        H .26009 .76009 .28293  H .14575 .64575 .95926""",
        2,
        -108.53,
    ),
    "formamide": Crystal(
        "P2_1/n",
        (3.604, 9.041, 6.87688, -1.27456),
        """C .33203 .05508 .25732  O .47377 .92922 .24829  N .29444 .15601 .11704
        H .18857 .25838 .14241  H .37691 .13180 .98675  H .23078 .09042 .39025""",
        4,
        -80.95,
    ),
    "acetic acid": Crystal(
        "Pna2_1",
        (13.151, 3.923, 5.762),
        """C .33514 .70077 .17481  C .41048 .61816 .36153  H .31895 .95028 .88584
        H .37357 .47789 .50198  H .47194 .46294 .28733  H .44541 .85302 .42705
        O .37330 .89168 .00544  O .24573 .60252 .17159""",
        4,
        -71.71,
    ),
    "oxalic acid, beta": Crystal(
        "P2_1/c",
        (5.33, 6.015, 4.89289, -2.36848),
        """C .14369 .00305 .99832  H .51922 .89854 .19190
        O .18077 .10546 .82114  O .33299 .89206 .20236""",
        2,
        -102.30,
    ),
    "cyanamide": Crystal(
        "Pbca",
        (6.856, 6.628, 9.147),
        """N .14393 .16614 .10832  N .14647 .99719 .35026  C .14452 .07434 .23478
        H .21026 .10117 .01865  H .04605 .28241 .09450""",
        8,
        -83.60,
    ),
    "imidazole": Crystal(
        "P2_1/c",
        (7.582, 5.371, 8.56418, -4.7433),
        """C .15642 .21749 .17892  C .30892 .55386 .29928  C .31682 .54769 .16195
        N .21880 .33294 .08665  N .20819 .34623 .30934  H .20418 .26650 .98043
        H .07604 .04179 .15004  H .36966 .69377 .39032  H .38348 .67479 .11394""",
        4,
        -88.20,
    ),
    "pyrazine": Crystal(
        "Pmnn",
        (9.325, 5.85, 3.733),
        "N .15067 0 0  C .07489 .17835 .12391  H .13582 .32360 .22793",
        2,
        -61.07,
    ),
    "triazine": Crystal(
        167, (9.647, 9.647, 7.281), "C .13525 0 .25  H .24848 0 .25  N .85741 0 .25", 6, -60.48
    ),
    "uracil": Crystal(
        "P2_1/a",
        (11.938, 12.376, 3.1364, -1.8771),
        """C .14958 .20962 .00183  C .18022 .01154 .03572  C .30539 .02822 .08068
        C .34598 .13117 .08159  H .43893 .15036 .10862  H .30264 .29611 .02928
        H .01953 .09542 .97539  H .36401 .95834 .10525  N .27084 .21868 .04217
        N .11022 .10438 .00213  O .08157 .28819 .96888  O .13044 .92094 .02415""",
        4,
        -134.27,
    ),
    "benzene": Crystal(
        "Pbca",
        (7.39, 9.42, 6.81),
        """C .93997 .14064 .99361  C .86203 .04525 .12613  C .07749 .09525 .86753
        H .89362 .25049 .98833  H .75368 .07929 .22407  H .13726 .16915 .76303""",
        4,
        -49.79,
    ),
    "naphthalene": Crystal(
        "P2_1/a",
        (8.0846, 5.9375, 7.1003, -4.91153),
        """C .08311 .01978 .33017  C .11355 .16450 .22369  C .04847 .10652 .03765
        C .07642 .25246 .92415  C .01285 .19055 .74428  H .13301 .06836 .47227
        H .18671 .32677 .28011  H .14995 .41420 .98198  H .03729 .30392 .65957""",
        2,
        -75.50,
    ),
    "anthracene": Crystal(
        "P2_1/a",
        (8.4144, 5.9903, 9.05607, -6.4104),
        """C .08599 .02583 .36914  C .11698 .15621 .28268  C .05874 .08212 .14033
        C .08682 .21225 .04912  C .03068 .13548 .91029  C .05992 .26562 .81705
        C .00443 .18717 .68163  H .13135 .08582 .47742  H .18569 .31962 .32086
        H .15521 .37608 .08741  H .12767 .42917 .85559  H .02905 .28918 .61237""",
        2,
        -100.22,
    ),
    "cyclohexanedione": Crystal(
        "P2_1",
        (6.65, 6.21, 6.76934, -1.1717),
        """C .43060 .17335 .44725  C .51771 .17463 .25724  C .35839 .21966 .07220
        C .17353 .07504 .06028  C .10136 .02922 .25395  C .20083 .17404 .42522
        H .64343 .29161 .27135  H .58546 .01392 .24702  H .30133 .38593 .08069
        H .42278 .20380 .93601  H .13748 .85873 .28912  H .93456 .04437 .22945
        H .15238 .34226 .39174  H .15555 .12877 .56611  O .54301 .17033 .60899
        O .08784 .99594 .90426""",
        2,
        -88.33,
    ),
    "adamantane": Crystal(
        114,
        (6.639, 6.639, 8.918),
        """C 0 0 .19949  C .97527 .18806 .09992  C .16264 .21282 .99951
        H .13235 .01730 .27304  H .95785 .32277 .17124  H .29796 .23482 .06917
        H .14672 .34832 .92885""",
        2,
        -61.02,
    ),
    "hexamine": Crystal(
        217,
        (6.95265,) * 3,
        "H .33350 .09178 -.09178  C .24304 0 0  N .12477 .12477 .12477",
        2,
        -86.19,
    ),
}
