"""Write dimers.smi, dimers-2.smi, clusters.smi, collisions.smi: for `mlsemi reference --contacts`.

    python make_dimers.py *.smi EXCLUDED_HASHES

Pairs of hand-written molecules, drawn at random from pairs of classes: hydrogen bonds, pi systems,
X-H and pi, alkanes, halogen bonds, ions with ions and with neutral molecules. dimers.smi has pairs of
up to eight heavy atoms together, dimers-2.smi others of up to sixteen, clusters.smi three to six
molecules, water above all, collisions.smi all pairs of some small ones for `--collisions`. Left out are the pairs of the S22 set (Jurecka, Sponer, Cerny and Hobza,
Phys. Chem. Chem. Phys. 8, 1985 (2006)) but for the water dimer, pairs that a given list holds, and
whatever is or has a molecule among the excluded ones. Small ones first.
"""

from __future__ import annotations

import random
import sys
from itertools import combinations_with_replacement, product

from make_elements import written
from make_molecules import canonical, words
from rdkit import Chem, RDLogger

from mlsemi.training.data.exclusion import is_listed, read_hashes

CLASSES = {
    "donor": """
O N CO CN F Cl Br S OC=O NC=O CC(=O)O CNC=O CCO C#N NN OO NO CNC CS NC(N)=O CC(N)=O C=NO OCC=O OCCO C=CO C=CN NCC=O N=C=O C1CN1 c1cc[nH]c1 c1c[nH]cn1 c1cc[nH]n1 Oc1ccccc1 Nc1ccccc1
C=N C#C P [SeH2] O=c1cc[nH]c(=O)[nH]1 Nc1ncccn1 CNC(C)=O OC(=O)C(=O)O CC(O)=CC=O Nc1cc[nH]c(=O)n1 OCC(F)(F)F OB(O)O CB(O)O [SiH3]O O=P(O)(O)O COP(=O)(O)O CS(N)(=O)=O c1ccc2[nH]ccc2c1 O=C1CCCN1 O=c1cccc[nH]1
""",
    "acceptor": """
O N C=O CO COC CC=O CC#N C#N CN CN(C)C CNC C1CO1 CC(C)=O C=N CN=C OC=O NC=O COC=O CN(C)C=O O=C=O N#N [C-]#[O+] O=S=O C[N+](=O)[O-] CF CCl CSC CS C=S C1CS1 C1CCOC1 c1ccoc1 c1ccncc1 c1cnccn1 c1ncncn1 c1cocn1 c1cscn1
N#[N+][O-] CS(C)=O CS(C)(=O)=O CP(C)C CP(C)(C)=O C[Se]C CC(=O)N(C)C O=C1C=CC(=O)C=C1 O=CC=CO c1ccc2ncccc2c1 C1COCCN1 C1CN2CCC1CC2 CON=O COC(C)=O C[Si](C)(C)OC FC=O O=C1CCC1 c1c[nH]cn1 c1cnoc1
""",
    "pi": """
C=C C#C C=CC C=CC=C C#CC#C C=CC#N C=CC=O O=CC=O C=C=C N#CC#N c1ccccc1 c1ccoc1 c1cc[nH]c1 c1ccsc1 c1ccncc1 c1cnccn1 c1cncnc1 c1ncncn1 c1c[nH]cn1 c1cocn1 c1cscn1 C=CC=CC=C NC=CC=O O=C1C=CC(=O)C=C1
Cc1ccccc1 Oc1ccccc1 Nc1ccccc1 Fc1ccccc1 N#Cc1ccccc1 O=Cc1ccccc1 Fc1c(F)c(F)c(F)c(F)c1F C=Cc1ccccc1 O=c1cc[nH]c(=O)[nH]1 Nc1cc[nH]c(=O)n1 c1ccc2[nH]ccc2c1 c1ccc2occc2c1 c1ccc2sccc2c1 c1ccc2nsnc2c1 c1ccc2[nH]cnc2c1 C1=CC2=CC=CC2=C1 C=C1C=CC=C1 C1=CC=CC=CC=C1 c1cc2sccc2s1 c1cc[se]c1 B1NBNBN1 C1=CC=CBN1 N#CC(C#N)=C(C#N)C#N C1=CSC=CS1 O=[N+]([O-])c1ccccc1 NC(=O)C=C S=CN CC(=O)C=C NC=O C=S
""",
    "alkane": """
C CC CCC CCCC CC(C)C CC(C)(C)C CCCCC C1CC1 C1CCC1 C1CCCC1 C1CCCCC1 CCCCCC [SiH4] C[Si](C)(C)C C[SiH3] CF FC(F)(F)F [H][H] CB(C)C C1CC2CCC1C2
""",
    "halide": """
CCl CBr CI FC(F)(F)Cl FC(F)(F)Br FC(F)(F)I ClC(Cl)Cl FC(F)Cl ClCl BrBr FCl FBr ClBr ICl BrI C#CCl C#CBr C#CI C=CCl C=CBr C=CI N#CCl N#CBr N#CI CCBr CCI O=CCl O=CBr ClC#CCl Clc1ccccc1 Brc1ccccc1 Ic1ccccc1 Fc1c(F)c(F)c(I)c(F)c1F Fc1c(F)c(F)c(Br)c(F)c1F Brc1ccncc1 Ic1cccs1 Clc1ccncc1 FC(F)(F)C(F)(F)I BrC(Br)Br II O=C1CCC(=O)N1Br O=C1CCC(=O)N1I CN(C)Cl
""",
    "cation": """
[NH4+] C[NH3+] C[NH2+]C C[N+](C)(C)C NC=[NH2+] NC(N)=[NH2+] C=[NH2+] c1c[nH]c[nH+]1 c1cc[nH+]cc1 C[n+]1ccccc1 Cn1cc[n+](C)c1 C[S+](C)C C[P+](C)(C)C C[NH+](C)C CC=[NH2+] [NH3+]O [PH4+] C[OH2+] Oc1cc[nH+]cc1 C[NH+]=C
""",
    "anion": """
[F-] [Cl-] [Br-] [I-] [C-]#N [O-]C=O CC(=O)[O-] O=[N+]([O-])[O-] O=N[O-] [S-]C#N [O-]C#N [N-]=[N+]=[N-] [SH-] C[O-] C[S-] F[B-](F)(F)F CS(=O)(=O)[O-] O=S(=O)([O-])C(F)(F)F [O-]c1ccccc1 c1cn[n-]c1 [CH2-][N+](=O)[O-] O=P([O-])(O)O O=C([O-])C(F)(F)F N#C[C-](C#N)C#N F[P-](F)(F)(F)(F)F O=C([O-])O [BH4-] [O-]C=C
""",
}

PAIRS = (
    ("donor", "acceptor", 0.26),
    ("donor", "donor", 0.05),
    ("pi", "pi", 0.17),
    ("donor", "pi", 0.11),
    ("alkane", "pi", 0.05),
    ("alkane", "alkane", 0.03),
    ("alkane", "acceptor", 0.03),
    ("halide", "acceptor", 0.08),
    ("halide", "pi", 0.04),
    ("halide", "halide", 0.02),
    ("cation", "anion", 0.06),
    ("cation", "acceptor", 0.04),
    ("cation", "pi", 0.02),
    ("anion", "donor", 0.04),
)
"""Classes of both molecules, and the share of such pairs."""

LISTS = {"dimers": (340, 2, 8), "dimers-2": (820, 5, 16)}
"""Number of pairs, and the fewest and most heavy atoms of both together."""

CLUSTERS = """
O.O.O O.O.O.O O.O.O.O.O O.O.O.O.O.O N.N.N F.F.F CO.CO.CO C#N.C#N.C#N Cl.Cl.Cl O.O.N O.N.N O.O.F O.O.Cl O.O.CO O.CO.CO O.O.C=O O.C=O.C=O O.O.OC=O O.OC=O.OC=O O.O.NC=O O.NC=O.NC=O O.O.C O.C.C C.C.C C=C.C=C.C=C C#C.C#C.C#C C=C.C=C.O O.O.C#N O.O.CC#N
O.O.O=C=O O=C=O.O=C=O.O=C=O O.O.COC O.O.CN O.O.S S.S.S O.O.c1cc[nH]c1 O.O.c1ccoc1 O.O.c1ccncc1 O.O.c1ccccc1 O.O.[Cl-] O.O.[F-] O.O.[Br-] O.O.[O-]C=O O.O.[C-]#N O.O.[NH4+] O.O.C[NH3+] O.[NH4+].[Cl-] O.O.O.[Cl-] O.O.O.[NH4+] O.O.O.N O.O.O.CO O.O.O.C=O O.O.O.NC=O CC.CC.CC C=O.C=O.C=O c1ccoc1.c1ccoc1.O O.O.BrBr O.CBr.CBr O.O.CS(C)=O
"""
COLLIDING = """
O N C F Cl S CO C=O C#N C#C C=C CC O=C=O N#N CN OC=O NC=O CF CCl CS COC CC=O CC#N O=S=O OO [H][H] C1CO1 c1ccoc1 c1c[nH]cn1 CBr P [SiH4] [SeH2] I
"""
FRAMES = {3: 3, 4: 4, 5: 5, 6: 8}
"""Thermal frames of a cluster of so many molecules."""

STANDARD = """
N.N OC=O.OC=O NC=O.NC=O C.C C=C.C=C C.c1ccccc1 c1ccccc1.c1ccccc1 c1cnccn1.c1cnccn1 O=c1cc[nH]c(=O)[nH]1.O=c1cc[nH]c(=O)[nH]1 c1ccccc1.c1ccc2[nH]ccc2c1 C#C.C=C O.c1ccccc1 N.c1ccccc1 C#N.c1ccccc1 Oc1ccccc1.Oc1ccccc1 Nc1ccccn1.O=c1cccc[nH]1
"""


def heavy(smiles: str) -> int:
    """Number of atoms other than hydrogen."""
    return int(Chem.MolFromSmiles(smiles).GetNumHeavyAtoms())


def molecules() -> dict[str, list[str]]:
    """Canonical SMILES of every class."""
    out: dict[str, list[str]] = {}
    for name, text in CLASSES.items():
        standard = [canonical(word) for word in words(text)]
        if None in standard:
            raise SystemExit(f"{name}: cannot read {words(text)[standard.index(None)]}")
        out[name] = list(dict.fromkeys(str(word) for word in standard))
    return out


def shuffled_pairs(
    members: dict[str, list[str]], fewest: int, most: int, rng: random.Random
) -> dict[tuple[str, str], list[str]]:
    """All pairs of every pair of classes, in random order."""
    out = {}
    for first, second, _ in PAIRS:
        found = {str(canonical(f"{a}.{b}")) for a, b in product(members[first], members[second])}
        kept = sorted(pair for pair in found if fewest <= heavy(pair) <= most)
        rng.shuffle(kept)
        out[first, second] = kept
    return out


def main() -> None:
    """Write the lists into this folder."""
    RDLogger.DisableLog("rdApp.*")
    *lists, hashes = sys.argv[1:]
    excluded = read_hashes(hashes)
    own = [f"{name}.smi" for name in (*LISTS, "clusters")]
    standard = {str(canonical(pair)) for pair in words(STANDARD)}
    taken = set(standard)
    for path in lists:
        if path not in own:
            with open(path) as file:
                given = [line.split()[0] for line in file if "." in line and line[0] != "#"]
            taken |= {str(canonical(text)) for text in given}

    def allowed(smiles: str) -> bool:
        return not any(is_listed(s, excluded) for s in (smiles, *smiles.split(".")))

    def free(smiles: str) -> bool:
        return smiles not in taken and allowed(smiles)

    members = molecules()
    for name, (number, fewest, most) in LISTS.items():
        kept: list[str] = []
        ordered = shuffled_pairs(members, fewest, most, random.Random(0))
        for first, second, share in PAIRS:
            left = round(share * number)
            for pair in ordered[first, second]:
                if left and free(pair):
                    kept.append(pair)
                    taken.add(pair)
                    left -= 1
        written(f"{name}.smi", f"pairs of up to {most} heavy atoms", kept, "make_dimers.py")
    # the water dimer stands in another list, but is wanted here too
    clusters = [str(canonical(text)) for text in words(CLUSTERS)]
    lines = [f"{text} {FRAMES[text.count('.') + 1]}" for text in clusters if free(text)]
    written("clusters.smi", "clusters, with thermal frames", ["O.O 8", *lines], "make_dimers.py")
    pairs = [
        str(canonical(f"{a}.{b}")) for a, b in combinations_with_replacement(words(COLLIDING), 2)
    ]
    colliding = [pair for pair in pairs if pair not in standard and allowed(pair)]
    written("collisions.smi", "pairs of small molecules", colliding, "make_dimers.py")


if __name__ == "__main__":
    main()
