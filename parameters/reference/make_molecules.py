"""Write organic.smi: the molecules of the reference dataset, in the order they are computed.

A hand-written core of every class of H C N O chemistry comes first, then molecules made by
putting functional groups on scaffolds, picked for diversity (MaxMin on Morgan fingerprints).

    python make_molecules.py EXCLUDED_HASHES > organic.smi
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator
from rdkit.SimDivFilters.rdSimDivPickers import MaxMinPicker

from mlsemi.training.data.exclusion import is_listed

CORE = """
C CC CCC CCCC CC(C)C CCCCC CCCCCC CC(C)(C)C CC(C)CC CCC(C)CC
C=C C=CC C=CC=C C=CC=CC=C CC(=C)C=C C=Cc1ccccc1 CC=CC CC(C)=C CC=C(C)C C=CCC=C CC=CC=C C=C(C)C(C)=C
C#C CC#C CC#CC C#CC#C C=CC#C C#CCC#C C=C=C C=C=C=C C=C=CC CC=C=CC C#Cc1ccccc1 C=CC#CC=C C=C=C=C=C
C1CC1 C1CCC1 C1CCCC1 C1CCCCC1 C1=CC1 C1=CCC1 C1=CCCC1 C1=CC=CC1 C1=CCC=CC1 C1=CC=CCC1 C1=CC=CC=CC1
C=C1C=CC=C1 C=C1CC1 C1=CC2CC1C=C2 C1CC2CC1C2 C12C3C1C23 C1C2CC12 C=C1CCC1 C1=CC=C1 C=C1C=CC(=C)C=C1 CC1CC1
c1ccccc1 Cc1ccccc1 Cc1ccccc1C Cc1cccc(C)c1 Cc1ccc(C)cc1 CCc1ccccc1 C1=Cc2ccccc2C1 c1ccc2CCc2c1 C=Cc1ccc(C)cc1 C=C(C)c1ccccc1 CC=Cc1ccccc1
O CO CCO CC(C)O CC(C)(C)O C=CO OCCO OCC(O)CO C=CCO OCC=C C#CCO Oc1ccccc1 Oc1ccccc1O Oc1cccc(O)c1 Oc1ccc(O)cc1 Cc1ccc(O)cc1 OO COO
COC CCOCC COC=C C=COC=C C1CO1 CC1CO1 C1COC1 C1CCOC1 C1CCOCC1 C1COCCO1 C1OCOCO1 COCOC COc1ccccc1 c1ccoc1 Cc1ccco1 C1=COC=C1 C1=CCOC1 C1=COCC1 C1=COC=CO1 C1C=COC=C1 COc1ccc(O)cc1
C=O CC=O CCC=O CC(C)=O CCC(C)=O O=CC=O CC(=O)C=O CC(=O)C(C)=O C=CC=O CC=CC=O C=CC(C)=O C#CC=O C=C=O CC=C=O O=C=C=C=O O=C1CC1 O=C1CCC1 O=C1CCCC1 O=C1CCCCC1 O=C1C=CCC1 O=C1C=CCCC1 O=C1C=CC=CC1 O=C1C=CC=CC=C1 O=C1C=C1 O=Cc1ccccc1 CC(=O)c1ccccc1 O=CC=CC=O O=CC=CC=C CC(=O)CC(C)=O O=CCC=O OC=CC=O CC(O)=CC(C)=O
O=C1C=CC(=O)C=C1 O=C1C=CC=CC1=O CC1=CC(=O)C=CC1=O O=C1C=COC=C1 O=c1cccco1 O=C1C=CCO1 O=C1CCCO1 O=C1CCO1 O=C1OC(=O)C=C1 O=C1OC(=O)CC1 O=C1COCO1
OC=O CC(=O)O CCC(=O)O C=CC(=O)O C#CC(=O)O OC(=O)C(=O)O OC(=O)CC(=O)O OC(=O)c1ccccc1 OC(=O)C=CC(=O)O CC(O)C(=O)O CC(=O)C(=O)O O=C(O)O OC(=O)C=O
COC=O COC(C)=O CC(=O)OC=C COC(=O)C=C CCOC=O COC(=O)OC COC(=O)C#C CC(=O)OC(C)=O O=COC=O
NC=O CNC=O CN(C)C=O CC(N)=O CNC(C)=O CC(=O)N(C)C C=CC(N)=O NC(N)=O CNC(N)=O NC(=O)C(N)=O NC(=O)c1ccccc1 O=C1CCN1 O=C1CCCN1 O=C1CCCCN1 O=C1C=CCN1 O=C1NC(=O)C=C1 O=C1CCC(=O)N1 O=C1NCCN1 O=C1C=CC=CN1 CN1C=CC=CC1=O NC(=O)CN NNC=O CC(=O)NN ONC=O CC(=O)NC(C)=O
N CN CCN CNC CN(C)C CC(C)N C=CN C=CCN NCCN C1CN1 C1CNC1 C1CCNC1 C1CCNCC1 C1CNCCN1 C1COCCN1 Nc1ccccc1 CNc1ccccc1 CN(C)c1ccccc1 Nc1ccccc1N Nc1ccc(N)cc1 NN CNN CN(C)N NO CNO CON NCO NCC#N CN(C)C=C C=CN(C)C=C C1CC2CCN1C2 C#CCN C#CN
C=N CC=N C=NC CC=NC C=NN=C C=NO CC=NO CC(C)=NO C=NN C=CC=N C=CC=NC NC=N NC(N)=N CN=C=O N=C=O N=C=N CN=C=NC C=C=N NC=NC C1=NCC1 C1=NCCC1 C1C=N1 N=Cc1ccccc1 C=Nc1ccccc1 NN=Cc1ccccc1 N=C1C=CC=CC1=N N=C1C=CC(=N)C=C1 N=C1C=CC(=O)C=C1
C#N CC#N CCC#N C=CC#N CC(C)C#N N#CC#N N#CC#CC#N C#CC#N N#CCC#N N#CC=CC#N N#Cc1ccccc1 N#CC=C N#CN CN(C)C#N N#CC(C#N)=C N#CCO N#CC=O N#CC(=O)C CN=C=N [C-]#[N+]C C=C[N+]#[C-] N#CO COC#N N#CC1CC1 C=C(C#N)C#N CN(C)C=CC#N NC=CC#N NC=C(C#N)C#N OC=CC#N
C[N+](=O)[O-] CC[N+](=O)[O-] C=C[N+](=O)[O-] O=[N+]([O-])c1ccccc1 CC=C[N+](=O)[O-] NC=C[N+](=O)[O-] CN(C)C=C[N+](=O)[O-] C[N+](=O)[O-] N[N+](=O)[O-] CO[N+](=O)[O-] O[N+](=O)[O-] O=NO CON=O CN=O C=CN=O O=Nc1ccccc1 CN(C)N=O CNN=O [O-][N+](=O)C=CO Oc1ccccc1[N+](=O)[O-] Cc1ccc(cc1)[N+](=O)[O-] Nc1ccccc1[N+](=O)[O-]
N=N CN=N CN=NC C=CN=N C=CN=NC=C CN=Nc1ccccc1 C=CN=Nc1ccccc1 N=Nc1ccccc1 C=[N+]=[N-] CC=[N+]=[N-] [N-]=[N+]=NC [N-]=[N+]=NC=C [N-]=[N+]=Nc1ccccc1 [N-]=[N+]=N [N-]=[N+]=CC=O [N-]=[N+]=NC#N CN=[N+]=[N-] C1N=N1 CC1(C)N=N1 C1CN=NC1 N#[N+][O-] C=[N+]([O-])C C[N+]([O-])=Cc1ccccc1 C[N+](C)(C)[O-] [O-][n+]1ccccc1 C#[N+][O-] CC#[N+][O-] C/[N+]([O-])=N/C O=O-O
c1cc[nH]c1 Cn1cccc1 Cc1ccc[nH]1 c1c[nH]cn1 Cn1ccnc1 c1cc[nH]n1 Cn1cccn1 c1nc[nH]n1 c1cn[nH]n1 c1nn[nH]n1 c1cocn1 c1conc1 c1nnco1 c1ncno1 c1nnon1 c1conn1 Cc1ccon1 Cc1cocn1
c1ccncc1 Cc1ccncc1 Cc1cccnc1 Cc1ccccn1 Cc1cccc(C)n1 c1ccnnc1 c1cncnc1 c1cnccn1 c1ncncn1 c1cnnnc1 c1nnnnc1 c1ncnnc1 c1nncnn1 Nc1ccncc1 Nc1ccccn1 Oc1ccncc1 Oc1cccnc1 O=Cc1ccncc1 N#Cc1ccncc1 C=Cc1ccncc1 C=Cc1ccccn1 COc1ccncc1 O=[N+]([O-])c1ccncc1 CN(C)c1ccncc1 CC(=O)c1ccccn1 Nc1ncccn1 Nc1cnccn1 Oc1ncccn1 Nc1ncncn1
O=Cc1ccco1 O=Cc1ccc[nH]1 C=Cc1ccco1 C=Cc1ccc[nH]1 N#Cc1ccco1 N#Cc1ccc[nH]1 [O-][N+](=O)c1ccco1 [O-][N+](=O)c1ccc[nH]1 CC(=O)c1ccco1 CC(=O)c1ccc[nH]1 Nc1ccco1 Nc1ccn[nH]1 O=Cc1c[nH]cn1 OC(=O)c1ccco1 OC(=O)c1cnc[nH]1 C#Cc1ccco1
Nc1ccn(C)c(=O)n1 Nc1cc[nH]c(=O)n1 O=c1cc[nH]cn1 O=c1cc[nH][nH]1 O=c1[nH]cc[nH]1 O=C1CNC(=O)N1 O=C1CNC(=O)CN1 O=C1NC(=O)C(=O)N1 O=C1CC(=O)NC(=O)N1 O=c1[nH]cccn1 Cn1cccnc1=O O=c1cc(O)[nH]c(=O)[nH]1 Nc1nc(N)nc(N)n1 Nc1nc[nH]c(=O)n1 c1ncc2[nH]cnc2n1 c1cc2cncnc2[nH]1
c1ccc2[nH]ccc2c1 c1ccc2occc2c1 c1ccc2[nH]cnc2c1 c1ccc2[nH]ncc2c1 c1ccc2ocnc2c1 c1ccc2nonc2c1 c1ccn2cccc2c1 c1ccn2ccnc2c1 c1cnc2cccn2c1 c1ccc2cc[nH]c2n1 c1cc2cc[nH]c2cn1 c1cc2ccncc2[nH]1 c1coc2ccoc12 c1cc2[nH]ccc2[nH]1 C1=CC2=CC=CC2=C1 C1=CC2=CC=CN2C1 c1ccc2OCOc2c1 c1ccc2n[nH]nc2c1
c1cnc2cnccc2c1 c1ccc2nccnc2c1 c1ccc2nnccc2c1 c1cnc2nccnc2n1 c1cnc2ncncc2n1 c1ccc2ncncc2c1 c1ccc2cnncc2c1 c1cnc2ncccc2c1 O=C1C=Cc2ccccc2C1 O=C1Cc2ccccc21 O=c1ccc2ccccc12 C=C1C=Cc2ccccc21
O=C1C=CC(=C)C=C1 C=C1C=CC(=C)C=C1 N#CC(C#N)=C1C=CC=C1 O=CC=CN CN(C)C=CC=O NC=CC=O NC=CC=CC=O OC=CC=CC=O CN(C)C=CC=CC=O NC=CC=CC#N CN(C)C=CC(C)=O NC=C(C=O)C=O O=CC=CC=CC=O N#CC=CC=CC#N C=CC=CC=CC=O NC=CC=C[N+](=O)[O-] CN(C)C=C(C#N)C#N CN(C)C=CC=CC#N
Nc1ccc(C=O)cc1 Nc1ccc(C#N)cc1 Oc1ccc(C=O)cc1 Oc1ccc(C#N)cc1 COc1ccc(C#N)cc1 Nc1cccc(C#N)c1 N#Cc1ccc(C#N)cc1 O=Cc1ccc(C=O)cc1 O=Cc1ccccc1C=O O=[N+]([O-])c1ccc(O)cc1 COc1ccc(C=O)cc1 O=Nc1ccc(N)cc1 O=Nc1ccc(O)cc1 Nc1ccc(C(=O)O)cc1 C=Cc1ccc(N)cc1 C=Cc1ccc(C#N)cc1 C=Cc1ccc(O)cc1 C=Cc1ccc(C=O)cc1 Nc1cccc([N+](=O)[O-])c1 C#Cc1ccc(N)cc1 C#Cc1ccc(C#C)cc1 O=Cc1ccccc1O NC(=O)c1ccccc1N Nc1ccccc1C=O Oc1ccccc1C(=O)O NC=Cc1ccccc1 O=CC=Cc1ccccc1 N#CC=Cc1ccccc1 OC=Cc1ccccc1 COC=Cc1ccccc1
C[NH+](C)CC(=O)[O-] C[N+](C)(C)CC(=O)[O-] NCC(=O)O CC(N)C(=O)O NC(CO)C(=O)O NCCC(=O)O C[N+]1=CC=CC(=C1)[O-] C[n+]1cccc([O-])c1 [O-]c1ccc[n+](C)c1 [CH2-][n+]1ccccc1 C[N+](C)(C)[N-]C=O C=[N+]([O-])[O-] C[N+]#[C-] C[n+]1ccn([O-])c1 [O-][N+]1=CC=CC=C1
OC1OCC(O)C1O OCC1OCCC1 OC1CCCCO1 OCC(O)C=O OCC(=O)CO CC(O)CO OC1COC1 OC(=O)C(O)C(O) NC(=O)CO OCCN COCCO COCCOC CC(=O)CO CC(O)C=O CNCCO CN(C)CCO OC1CCCC1 OC1CCCCC1 NC1CCCCC1 NC1CC1 OC1CC1 O=CC1CC1 CC(=O)C1CC1 N#CC1CCC1
O.O C.O N.O CO.O C=O.O NC=O.O N.N C#N.O c1ccccc1.O C.C C=C.O C#C.O OC=O.OC=O NC=O.NC=O CO.CO C#N.C#N C=C.C=C c1cc[nH]c1.O c1ccncc1.O C=O.N CC#N.O CN.O COC.O c1ccoc1.O O=C=O.O O=C=O N#N [H][H] [C-]#[O+]
"""

SCAFFOLDS = """
C CC CCC CCCC C=C C=CC C=CC=C C=CC=CC=C C#C C#CC=C C1CC1 C1CCC1 C1CCCC1 C1CCCCC1 C1=CCCC1 C1=CC=CC1 C1=CCCCC1 C=C1CC1 C=C1C=CC=C1
c1ccccc1 Cc1ccccc1 c1ccncc1 c1ccnnc1 c1cncnc1 c1cnccn1 c1ncncn1 c1cc[nH]c1 c1ccoc1 c1c[nH]cn1 c1cc[nH]n1 c1cocn1 c1conc1 c1nc[nH]n1 c1nnco1 c1ncno1
C1CO1 C1COC1 C1CCOC1 C1CCOCC1 C1CNC1 C1CCNC1 C1CCNCC1 C1COCCN1 O=C1CCCC1 O=C1C=CCC1 O=C1C=CC(=O)C=C1 O=C1C=COC=C1 O=c1cccco1 O=c1cccc[nH]1 O=C1CCCO1 O=C1CCCN1 O=C1C=CC(=O)N1
c1ccc2[nH]ccc2c1 c1ccc2occc2c1 c1ccc2[nH]cnc2c1 c1ccn2ccnc2c1 c1ccc2cc[nH]c2n1 c1coc2ccoc12 C=Cc1ccccc1 C1=CC2=CC=CC2=C1
CC=O CC(C)=O C=CC=O C=CC(C)=O CC(=O)O COC=O CC(N)=O CNC=O COC CCO CN CNC CN(C)C C=N C=NC CC#N C=CC#N C=CN C=CO N=N CN=NC C=NN C=NO NC(N)=O O=C=C C=C=C C[N+](=O)[O-] C=C[N+](=O)[O-] O=CC=O
"""

GROUPS = """
C CC C=C C#C C(C)C C1CC1 O OC OC=O OC(C)=O C=O C(C)=O C(=O)O C(=O)OC C(N)=O N NC N(C)C NC=O NC(C)=O C#N CC#N N=C=O N=O [N+](=O)[O-] N=[N+]=[N-] N=NC C=N C=NO CO COC CN C=CC=O C=CC#N C=CN C=CO C=C=C C#CC C#CC#N C=CC=C NO NN ON=O C(=O)C=O C(=O)C=C c1ccccc1 c1ccco1 c1ccncc1
"""


def words(text: str) -> list[str]:
    """All whitespace-separated words."""
    return text.split()


def parents_of(paths: list[str]) -> list[str]:
    """SMILES of text files, one per line, without comments and dimers."""
    lines = [line.split() for path in paths for line in Path(path).read_text().split("\n")]
    return [words[0] for words in lines if words and words[0] != "#" and "." not in words[0]]


def canonical(smiles: str) -> str | None:
    """Canonical SMILES of a closed-shell molecule of H, C, N, O, or None."""
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or any(a.GetNumRadicalElectrons() for a in molecule.GetAtoms()):
        return None
    return str(Chem.MolToSmiles(molecule))


def saturated(molecule: Chem.RWMol) -> Chem.Mol | None:
    """An edited molecule with the hydrogens its valences leave room for, or None."""
    for atom in molecule.GetAtoms():
        atom.SetNoImplicit(False)
        atom.SetNumExplicitHs(0)
    try:
        Chem.SanitizeMol(molecule)
    except (Chem.rdchem.MolSanitizeException, ValueError):
        return None
    return molecule.GetMol()


def substitutions(smiles: str, groups: list[str]) -> set[str]:
    """Every molecule with one hydrogen of ``smiles`` replaced by one of the groups."""
    scaffold = Chem.MolFromSmiles(smiles)
    out = set()
    for atom in scaffold.GetAtoms():
        if not atom.GetTotalNumHs():
            continue
        for group in groups:
            fragment = Chem.MolFromSmiles(group)
            both = Chem.RWMol(Chem.CombineMols(scaffold, fragment))
            both.AddBond(atom.GetIdx(), scaffold.GetNumAtoms(), Chem.BondType.SINGLE)
            for index in (atom.GetIdx(), scaffold.GetNumAtoms()):
                end = both.GetAtomWithIdx(index)
                if end.GetNumExplicitHs():
                    end.SetNumExplicitHs(end.GetNumExplicitHs() - 1)
            try:
                Chem.SanitizeMol(both)
            except Chem.rdchem.MolSanitizeException:
                continue
            text = canonical(Chem.MolToSmiles(both))
            if text:
                out.add(text)
    return out


UNSTABLE = [
    Chem.MolFromSmarts(pattern)
    for pattern in (
        "[O,N;X2,X3]-[O]-[O,N]",
        "[NX3,OX2]-[NX3;!$(N=*);!$(N-C=O);!$(N-N=O)]-[NX3,OX2]",
        "O-[CX4]-O-[CX4]-O-[CX4]",
        "[N-]=[N+]=NC=[N+]=[N-]",
        "N(N=O)O",
        "[OX2]N=[N+]",
        "[CX4]([OH])[OH]",
        "[CX4]([NH2])[OH]",
    )
]


def sensible(molecule: Chem.Mol) -> bool:
    """Drop molecules that fall apart: chains of hetero atoms, geminal diols, too many azides."""
    return molecule.GetNumHeavyAtoms() <= 10 and not any(
        molecule.HasSubstructMatch(pattern) for pattern in UNSTABLE
    )


def pool(rng: random.Random) -> list[str]:
    """Single and double substitutions of all scaffolds, shuffled."""
    groups = words(GROUPS)
    single = set()
    for scaffold in words(SCAFFOLDS):
        single |= substitutions(scaffold, groups)
    double = set()
    for smiles in rng.sample(sorted(single), 900):
        double |= substitutions(smiles, rng.sample(groups, 6))
    kept = [s for s in sorted(single | double) if sensible(Chem.MolFromSmiles(s))]
    rng.shuffle(kept)
    return kept


def main() -> None:
    """Print the list."""
    RDLogger.DisableLog("rdApp.*")
    excluded = (
        frozenset(Path(sys.argv[1]).read_text().split()) if len(sys.argv) > 1 else frozenset()
    )
    rng = random.Random(0)
    core = [text for text in map(canonical, words(CORE)) if text]
    candidates = [text for text in pool(rng) if text not in set(core)]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    everything = core + candidates
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(s)) for s in everything]
    picks = MaxMinPicker().LazyBitVectorPick(
        prints, len(prints), 2600, firstPicks=list(range(len(core))), seed=1
    )
    tail = [everything[i] for i in picks if i >= len(core)]
    core = sorted(set(core), key=core.index)
    rng.shuffle(core)
    print("# H C N O molecules of the reference dataset: hand-written core, then diverse picks")
    for smiles in core + tail:
        # the anion of the core is not listed; without it the order of all others would change
        charged = Chem.GetFormalCharge(Chem.MolFromSmiles(smiles)) != 0
        if not charged and not is_listed(smiles, excluded):
            print(smiles)


if __name__ == "__main__":
    main()
