"""Write ions.smi: closed-shell ions and zwitterions.

    python make_ions.py organic.smi small.smi heteroatoms.smi medium.smi EXCLUDED_HASHES > ions.smi

A hand-written core of every class (onium ions, carbenium ions, cores of cationic and anionic dyes,
conjugate bases of all kinds, zwitterions), then the neutral molecules of the other lists with a
proton added, a proton taken away, or a methyl group added to nitrogen; a share of each site by
diversity (MaxMin on Morgan fingerprints). Small ones first, the core between them.
"""

from __future__ import annotations

import random
import sys

from make_heteroatoms import diverse
from make_molecules import canonical, parents_of, words
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem

from mlsemi.training.data.exclusion import is_listed, read_hashes
from mlsemi.training.data.geometries import inchikey

CORE = """
[NH4+] C[NH3+] C[NH2+]C C[NH+](C)C C[N+](C)(C)C CC[NH3+] [OH3+] C[OH2+] C[OH+]C [SH3+] C[SH2+] C[S+](C)C
C=[NH2+] CC=[NH2+] CC(C)=[NH2+] C=[NH+]C C=[N+](C)C CC(C)=[N+](C)C NC=[NH2+] NC(N)=[NH2+] CC(N)=[NH2+]
CN=C(N)[NH3+] NC=CC=[NH2+] CN(C)C=[N+](C)C CN(C)C=CC=[N+](C)C CN(C)C=CC=CC=[N+](C)C
CN(C)C=CC=CC=CC=[N+](C)C NC=CC=CC=[NH2+] C=[OH+] CC=[OH+] CC(C)=[OH+] OC=[OH+] NC=[OH+] CC(N)=[OH+]
COC=[OH+] OC(O)=[OH+] C#[NH+] CC#[NH+] C[O+]=C C[O+](C)C CC#[O+] C[NH+]=O O=[NH2+] N#[O+] O=[N+]=O
[CH3+] C[CH+]C C[C+](C)C C=C[CH2+] C=CC=C[CH2+] [CH2+]c1ccccc1 C1=C[CH+]1 c1ccc[cH+]cc1 [CH2+]O C[CH+]O
F[C+](F)F C[C+](N)N NC(=[NH2+])C=C c1cc[nH+]cc1 C[n+]1ccccc1 Cc1cc[nH+]cc1 Nc1cc[nH+]cc1 CN(C)c1cc[nH+]cc1
Oc1cc[nH+]cc1 N#Cc1cc[nH+]cc1 c1c[nH]c[nH+]1 Cn1cc[n+](C)c1 c1cc2ccc[nH+]c2cc1 c1ccc2[nH+]cccc2c1
c1cc[o+]cc1 Cc1cc(C)[o+]c(C)c1 c1cc[s+]cc1 c1ccc2[o+]cccc2c1 C[n+]1ccsc1 C[n+]1ccoc1 c1c[nH+]cnc1
c1c[nH+]ncn1 C[NH2+]CC(=O)O [NH3+]CC(=O)O [NH3+]CC[NH3+] [NH3+]CCO [NH3+]O N[NH3+] C[N+](C)(C)CCO
[N-]=[N+]=N [N-]=[N+]=[N-] [C-]#N [O-]C#N [S-]C#N [OH-] C[O-] CC[O-] CC(C)[O-] CC(C)(C)[O-] [O-]CC(F)(F)F [SH-] C[S-] CC[S-]
[NH2-] C[NH-] C[N-]C [O-]C=O CC(=O)[O-] CCC(=O)[O-] C=CC(=O)[O-] C#CC(=O)[O-] O=C([O-])C(F)(F)F O=C([O-])CCl
NCC(=O)[O-] OCC(=O)[O-] CC(=O)C(=O)[O-] O=CC(=O)[O-] O=C([O-])C(=O)O O=C([O-])O [O-]C(=O)[O-] O=C([O-])C(=O)[O-]
O=C([O-])CC(=O)[O-] O=C([O-])C=CC(=O)[O-] O=C([O-])CCC(=O)[O-] CC(=O)S[CH-]C=O CC([O-])=S CC(=S)[S-] [O-]c1ccccc1 [S-]c1ccccc1
[NH-]c1ccccc1 Cc1ccc([O-])cc1 N#Cc1ccc([O-])cc1 O=Cc1ccc([O-])cc1 O=[N+]([O-])c1ccc([O-])cc1 O=[N+]([O-])c1ccccc1[O-]
[O-]c1ccncc1 [O-]c1ccccn1 [O-]c1ccc2ccccc2c1 O=C([O-])c1ccccc1 O=C([O-])c1cccnc1 O=C([O-])c1ccc([O-])cc1
CS(=O)(=O)[O-] O=S(=O)([O-])C(F)(F)F O=S(=O)([O-])c1ccccc1 COS(=O)(=O)[O-] O=S(=O)([O-])O O=S([O-])O CS(=O)[O-] O=S(=O)([O-])[O-]
C[S-](=O)=O NS(=O)(=O)[O-] CS(=O)(=O)[NH-] O=S(=O)([N-]S(=O)(=O)C(F)(F)F)C(F)(F)F CS(=O)(=O)[N-]S(C)(=O)=O
O=[N+]([O-])[O-] O=N[O-] [CH2-][N+](=O)[O-] C[CH-][N+](=O)[O-] O=[N+]([O-])[CH-][N+](=O)[O-] [CH2-]C#N N#C[CH-]C#N N#C[C-](C#N)C#N
[CH2-]C=O CC(=O)[CH-]C(C)=O O=C[CH-]C=O CC(=O)[CH-]C(=O)OC C=C([O-])C [O-]C=C [O-]C=CC=O [O-]C=CC=CC=O [O-]C=CC=CC=CC=O
CN1C(=O)[CH-]C(=O)N(C)C1=O O=C1CC(=O)[N-]C(=O)N1 [CH2-]S(C)=O [CH2-]S(C)(=O)=O C#[C-] CC#[C-] [C-]#CC#C c1cc[cH-]c1 C1=CC2=CC=C[CH-]C2=C1
c1cc[n-]c1 c1cn[n-]c1 c1c[n-]cn1 c1nc[n-]n1 c1nnn[n-]1 c1ccc2[n-]ccc2c1 c1ccc2[n-]cnc2c1 O=C1CCC(=O)[N-]1 O=C1[N-]C(=O)c2ccccc21
CC(=O)[N-]C(C)=O CC(=O)[NH-] O=C[NH-] [NH-]C#N N#C[N-]C#N [O-]N=C C=N[O-] CC(C)=N[O-] CON=[N-] [O-]Cl [O-]Cl=O [O-]C(=O)OO C[O-].O [F-] [Cl-] F[H-]F
O=c1cc[n-]c(=O)[nH]1 Cc1c[n-]c(=O)[nH]c1=O Nc1cc[n-]c(=O)n1 c1ncc2nc[n-]c2n1 Nc1ncnc2nc[n-]c12 Nc1nc[nH+]c2nc[nH]c12 Nc1cc[nH+]c(=O)[nH]1
[NH3+]CC(=O)[O-] C[NH2+]CC(=O)[O-] C[N+](C)(C)CC(=O)[O-] C[N+](C)(C)CCC(=O)[O-] C[n+]1ccccc1C(=O)[O-] C[n+]1cccc(C(=O)[O-])c1 C[n+]1ccc([O-])cc1
[NH3+]CCS(=O)(=O)[O-] C[N+](C)(C)c1ccc([O-])cc1 C[n+]1ccc(C=C[O-])cc1 C[n+]1ccc(C=Cc2ccc([O-])cc2)cc1 [O-]c1ccc(-[n+]2ccccc2)cc1
Nc1ccc2cc3ccc(=[NH2+])cc-3oc2c1 CN(C)c1ccc2cc3ccc(=[N+](C)C)cc-3oc2c1 Nc1ccc2cc3ccc(N)cc3[nH+]c2c1 c1ccc2[nH+]c3ccccc3cc2c1 C[n+]1c2ccccc2cc2ccccc21
Nc1ccc2nc3ccc(=[NH2+])cc-3sc2c1 CN(C)c1ccc2nc3ccc(=[N+](C)C)cc-3sc2c1 Nc1ccc2nc3ccc(=[NH2+])cc-3oc2c1 NC(=[NH2+])c1ccccc1 C1=CC(=[NH2+])C=CC1=Cc1ccc(N)cc1
[CH+](c1ccccc1)c1ccccc1 [CH+](c1ccc(N)cc1)c1ccc(N)cc1 CN(C)c1ccc([CH+]c2ccc(N(C)C)cc2)cc1 c1ccc([C+](c2ccccc2)c2ccccc2)cc1
CN1C=CC(=CC=CN2C=CC=C2)C=C1 CN1C=CC(=Cc2cc[n+](C)cc2)C=C1 CN1C=CC(=CC=Cc2cc[n+](C)cc2)C=C1 CN1c2ccccc2OC1=Cc1oc2ccccc2[n+]1C CN1c2ccccc2SC1=Cc1sc2ccccc2[n+]1C
CN1c2ccccc2OC1=CC=Cc1oc2ccccc2[n+]1C CN1c2ccccc2C(C)(C)C1=CC=CC1=[N+](C)c2ccccc2C1(C)C C[n+]1ccc(C=Cc2ccc(N(C)C)cc2)cc1 C[n+]1ccccc1C=Cc1ccc(N(C)C)cc1
O=c1ccc2cc3ccc([O-])cc3oc-2c1 [O-]c1ccc2cc3ccc(=O)cc-3oc2c1 O=C1C=CC(=Cc2ccc([O-])cc2)C=C1 O=c1ccc2nc3ccc([O-])cc3oc-2c1 [O-]c1ccc2ccc(=O)oc2c1 O=c1cc([O-])c2ccccc2o1
[O-]c1ccc(N=Nc2ccccc2)cc1 O=S(=O)([O-])c1ccc(N=Nc2ccc(N(C)C)cc2)cc1 CN(C)c1ccc(N=[N+]c2ccccc2)cc1 CN(C)c1ccc(C=C(C#N)[C-](C#N)C#N)cc1 N#CC(C#N)=CC=C[C-](C#N)C#N
N#CC(C#N)=C[C-](C#N)C#N O=C1C([O-])=C(O)C1=O O=C1C([O-])=C([O-])C1=O C[NH+]1CCCCC1 C1CC[NH2+]C1 C1C[NH2+]CCO1 C1CC[NH2+]CC1 C[NH+]1CCOCC1 C1C[NH+]2CCC1CC2 C1CNC(=[NH2+])C1
O=P([O-])(O)O COP(=O)([O-])O O=P([O-])([O-])O CP(=O)(O)[O-] COP(=O)([O-])OC F[P-](F)(F)(F)(F)F C[PH3+] C[P+](C)(C)C [PH4+] C[P+](C)(C)c1ccccc1 O=P([O-])=O [O-]P(O)O
"""

SITES = {
    # one reaction per kind of site, and how many molecules of it are kept
    "[NX3;H1,H2,H0;!$(N-C=[O,S,N]);!$(N-[N+]);!$(N=*);!$(N-S=O):1]>>[N+;+1:1]": 120,
    "[n;X2;+0:1]>>[nH+:1]": 110,
    "[NX2;+0;$(N=C):1]>>[N+;+1:1]": 90,
    "[NX1;+0:1]#[C:2]>>[NH+:1]#[C:2]": 30,
    "[OX1;+0:1]=[C,N:2]>>[OH+:1]=[*:2]": 130,
    "[OX2;H0,H1;+0;!$(O-C=O):1]>>[O+;+1:1]": 60,
    "[SX1,SX2;+0:1]>>[S+;+1:1]": 40,
    "[NX3;H0;!$(N-C=[O,S,N]);!$(N-[N+]);!$(N=*):1]>>[N+:1]C": 40,
    "[n;X2;+0:1]>>[n+:1]C": 60,
    "[OX2;H1;$(O-C=O):1]>>[O-;H0:1]": 110,
    "[OX2;H1;$(O-c):1]>>[O-;H0:1]": 60,
    "[OX2;H1;!$(O-C=O);!$(O-c):1]>>[O-;H0:1]": 80,
    "[SX2;H1:1]>>[S-;H0:1]": 25,
    "[nH;+0:1]>>[n-;H0:1]": 70,
    "[NX3;H1;$(N-[C,S]=[O,S,N]);+0:1]>>[N-;H0:1]": 50,
    "[NX3;H2;$(N-[C,S]=[O,S,N]);+0:1]>>[N-;H1:1]": 40,
    "[NX3;H2;$(N-c);+0:1]>>[N-;H1:1]": 20,
    "[CX4;H3;$(C-[C,N,S]=[O,N]),$(C-C#N);+0:1]>>[C-;H2:1]": 50,
    "[CX4;H2;$(C-[C,N,S]=[O,N]),$(C-C#N);+0:1]>>[C-;H1:1]": 60,
    "[CX2;H1:1]#[C:2]>>[C-;H0:1]#[C:2]": 15,
}
"""Reaction of a site -> number of molecules. Hydrogens of an atom whose charge alone changes are
counted anew."""

LARGEST = 9


def ionised(parents: list[Chem.Mol], reaction: str) -> list[str]:
    """Every product of a reaction at one site of every parent."""
    change = AllChem.ReactionFromSmarts(reaction)
    gains = "+1" in reaction  # a proton: the charge and one hydrogen more
    out = set()
    for parent in parents:
        for (product,) in change.RunReactants((parent,)):
            try:
                if gains:
                    for atom in product.GetAtoms():
                        if atom.HasProp("old_mapno"):
                            at = parent.GetAtomWithIdx(atom.GetIntProp("react_atom_idx"))
                            atom.SetFormalCharge(1)
                            atom.SetNoImplicit(True)
                            atom.SetNumExplicitHs(at.GetTotalNumHs() + 1)
                Chem.SanitizeMol(product)
            except (Chem.MolSanitizeException, RuntimeError):
                continue
            if not any(atom.GetNumRadicalElectrons() for atom in product.GetAtoms()):
                out.add(Chem.MolToSmiles(product))
    return sorted(out)


def main() -> None:
    """Print the list."""
    RDLogger.DisableLog("rdApp.*")
    *lists, hashes = sys.argv[1:]
    excluded, rng = read_hashes(hashes), random.Random(0)
    parents = [Chem.MolFromSmiles(text) for text in parents_of(lists)]
    parents = [
        p for p in parents
        if p is not None and p.GetNumHeavyAtoms() <= LARGEST and "." not in Chem.MolToSmiles(p)
        and not any(atom.GetFormalCharge() for atom in p.GetAtoms())
    ]  # fmt: skip
    kept: dict[str, str] = {}

    def keep(texts: list[str]) -> None:
        for text in texts:
            standard = canonical(text)
            if standard is not None and not is_listed(standard, excluded):
                kept.setdefault(inchikey(standard), standard)

    keep(words(CORE))
    for reaction, number in SITES.items():
        found = ionised(parents, reaction)
        rng.shuffle(found)
        keep(diverse(found[:4000], min(number, len(found))))
    print("# closed-shell ions and zwitterions (make_ions.py), in the order they are computed")
    size = {text: Chem.MolFromSmiles(text).GetNumHeavyAtoms() for text in kept.values()}
    print("\n".join(sorted(kept.values(), key=lambda text: size[text])))


if __name__ == "__main__":
    main()
