"""Write heteroatoms.smi: molecules with F, S and Cl.

    python make_heteroatoms.py organic.smi small.smi EXCLUDED_HASHES > heteroatoms.smi

A hand-written core of every class (halides, thiols, sulfides, thiocarbonyls, sulfoxides, sulfones,
heteroaromatics), then molecules of the other lists with a hydrogen replaced by F or Cl, or an oxygen
by S; of these the ones picked for diversity (MaxMin on Morgan fingerprints). Small ones first.
"""

from __future__ import annotations

import random
import sys

from make_molecules import canonical, parents_of, saturated
from rdkit import Chem, RDLogger
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from rdkit.SimDivFilters.rdSimDivPickers import MaxMinPicker

from mlsemi.training.data.exclusion import is_listed, read_hashes
from mlsemi.training.data.geometries import inchikey

CORE = """
F Cl S FF ClCl FCl CF CCl FCF ClCCl FCCl FC(F)F ClC(Cl)Cl FC(F)(F)F ClC(Cl)(Cl)Cl FC(F)Cl ClC(Cl)F
FC(F)(F)Cl ClC(F)(F)Cl CCF CCCl C=CF C=CCl C#CF C#CCl FC=C FC(F)=C ClC(Cl)=C FC=CF ClC=CCl
FC(F)=C(F)F ClC(Cl)=C(Cl)Cl FCCF ClCCCl FC(F)(F)C ClCC=C FCC=C ClCC#C O=CF O=CCl CC(F)=O CC(Cl)=O
O=C(F)F O=C(Cl)Cl N#CF N#CCl ClCC#N FCC#N OC(=O)CF OC(=O)CCl OC(=O)C(F)(F)F OCC(F)(F)F COC(F)F
NCCF OCCCl OCCF CN(C)CCF FN=O ClN=O CNC(=O)CF NC(=O)CCl CC(C)F CC(C)Cl CC(C)(C)Cl CC(C)(C)F
CS CSC CCS CSSC SS C1CS1 C1CCS1 C1CCSC1 C=S CC=S S=C=S O=C=S N=C=S CN=C=S CSC#N C=CS C=CSC CSC=O
NC=S CC(N)=S NC(N)=S CC(=O)S CSC(C)=O CC(C)=S OC=S SC=O C=C=S c1ccsc1 c1cscn1 c1cnsc1 c1csnn1
c1nncs1 c1nsnc1 CS(C)=O CS(C)(=O)=O O=S=O CS(N)(=O)=O CS(=O)(=O)F CS(=O)(=O)Cl CS(=O)O CS(=O)(=O)O
NS(N)(=O)=O FS(F)(=O)=O O=S(Cl)Cl ClSCl CSCl FSF OCS OCCS NCCS SCC=O OC(=O)CS NC(CS)C(=O)O CSCC=C
CSCCO CC1CS1 S=C1CC1 C1=CSC=C1 C1CSCS1 C1CSCCN1 C1CSCCO1 O=C1CCS1 O=C1CSCN1 N=C1NC=CS1
Fc1ccccc1 Clc1ccccc1 Sc1ccccc1 CSc1ccccc1 Fc1ccccn1 Clc1ccccn1 Clc1cccnc1 Fc1ccncc1 Fc1ncccn1
Fc1ccc(F)cc1 Cc1cccs1 Clc1cccs1 Cc1nccs1 Nc1nccs1 O=Cc1cccs1 Fc1ccc[nH]1 Clc1ccco1 Fc1cccs1
S=c1cc[nH]cc1 O=c1[nH]cc(F)c(=O)[nH]1 S=c1cc[nH]c(=O)[nH]1 FC(F)(F)C=C FC(F)(F)C#N FC(F)(F)C=O
FC1CC1 ClC1CC1 FC1(F)CC1 FC1=CC1 ClC1CO1 FC(F)OC ClCOC FCO ClCO CSF S(C)C#C CSC#C C#CS CC#CCl CC#CF
FC=CC=C ClC=CC=C FC(=C)C=C FC=CC=O ClC=CC=O FC=CN ClC=CO N=CCl N=CF CC=NCl CN(C)Cl NCl CNF NF
FN(F)F ClN(Cl)Cl FOF ClOCl OF OCl COCl COF S=CC=C S=CC=S O=CC=S CC(=S)C=C NC=CC=S OC=CC=S
"""

PICKED = 150
LARGEST = 5


def substituted(molecule: Chem.Mol, rng: random.Random) -> Chem.Mol | None:
    """One hydrogen of a carbon replaced by F or Cl, or one oxygen by S; None if there is none."""
    out = Chem.RWMol(molecule)
    Chem.Kekulize(out, clearAromaticFlags=True)
    if rng.random() < 0.5:
        oxygens = [a for a in out.GetAtoms() if a.GetAtomicNum() == 8 and a.GetFormalCharge() == 0]
        if not oxygens:
            return None
        rng.choice(oxygens).SetAtomicNum(16)
    else:
        open_ones = [
            a.GetIdx() for a in out.GetAtoms() if a.GetAtomicNum() == 6 and a.GetTotalNumHs()
        ]
        if not open_ones:
            return None
        new = out.AddAtom(Chem.Atom(rng.choice((9, 17))))
        out.AddBond(rng.choice(open_ones), new, Chem.BondType.SINGLE)
    return saturated(out)


def candidates(parents: list[str], rng: random.Random) -> list[str]:
    """One or two substitutions of every small parent."""
    out = []
    for smiles in parents:
        parent = Chem.MolFromSmiles(smiles)
        if parent is None or not 2 <= parent.GetNumHeavyAtoms() < LARGEST:
            continue
        for number in (1, 2):
            child: Chem.Mol | None = parent
            for _ in range(number):
                child = None if child is None else substituted(child, rng)
            if child is not None and child.GetNumHeavyAtoms() <= LARGEST:
                out.append(Chem.MolToSmiles(child))
    return out


def diverse(smiles: list[str], n: int) -> list[str]:
    """The ``n`` that differ most."""
    generator = GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in smiles]
    return [smiles[k] for k in MaxMinPicker().LazyBitVectorPick(prints, len(prints), n, seed=0)]


def main() -> None:
    """Print the list."""
    RDLogger.DisableLog("rdApp.*")
    rng = random.Random(0)
    *lists, hashes = sys.argv[1:]
    parents, excluded = parents_of(lists), read_hashes(hashes)
    kept: dict[str, str] = {}

    def keep(texts: list[str]) -> None:
        for text in texts:
            standard = canonical(text)
            if standard is not None and not is_listed(standard, excluded):
                kept.setdefault(inchikey(standard)[:14], standard)

    keep(CORE.split())
    keep(diverse(sorted(set(candidates(parents, rng))), PICKED))
    print("# molecules with F, S and Cl (make_heteroatoms.py), in the order they are computed")
    size = {text: Chem.MolFromSmiles(text).GetNumHeavyAtoms() for text in kept.values()}
    print("\n".join(sorted(kept.values(), key=lambda text: size[text])))


if __name__ == "__main__":
    main()
