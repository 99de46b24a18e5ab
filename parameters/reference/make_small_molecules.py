"""Write candidates for small.smi: mutations of the small molecules of organic.smi.

    python make_small_molecules.py organic.smi EXCLUDED_HASHES > candidates.smi
    mlsemi select candidates.smi -n 900 --known organic.h5 --known organic-forces.h5 -o small.smi

The farthest points are the oddest molecules, so the candidates are few enough that the selection
only drops those that resemble others. One or two random changes (another element, another bond order, an atom more or less, a ring
closed) turn each molecule of up to six heavy atoms into others of three to six. A small molecule
costs a tenth of a large one and shows the model the same kinds of bonds.
"""

from __future__ import annotations

import random
import sys

from make_molecules import canonical, parents_of, saturated, sensible
from rdkit import Chem, RDLogger

from mlsemi.training.data.exclusion import is_listed, read_hashes
from mlsemi.training.data.geometries import inchikey

ELEMENTS = ("C", "N", "O")
ORDERS = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)
SMALLEST, LARGEST = 3, 6
CHILDREN = 60
CANDIDATES = 1200

STRAINED = [
    Chem.MolFromSmarts(pattern)
    for pattern in (
        "[O;X2]-[O;X2]", "[r3,r4,r5,r6]#*", "[R]=[R]=[R]", "[r3,r4;!$([#6])]=*",
        "[r3]=[r3;!$([#6])]", "[r3](=*)(-[r3]=*)",
    )
]  # fmt: skip

CHAINS = [
    Chem.MolFromSmarts(pattern)
    for pattern in (
        "N-N-N", "N-N-O", "[N,O]-N-O", "[OX2]-[NX2]=[NX2]", "[NX3]-[NX2]=[NX2;!$(N=[N+])]",
        "[O,N;H]-C#*", "[OX2H]-C(-[OX2])=*", "[N+]#C-[O,N]",
    )
]  # fmt: skip


def mutated(molecule: Chem.Mol, rng: random.Random) -> Chem.Mol | None:
    """One random change, or None where valences do not allow it."""
    out = Chem.RWMol(molecule)
    Chem.Kekulize(out, clearAromaticFlags=True)
    atoms = list(range(out.GetNumAtoms()))
    change = rng.choice(("element", "order", "add", "remove", "ring"))
    if change == "element":
        out.GetAtomWithIdx(rng.choice(atoms)).SetAtomicNum(rng.choice((6, 7, 8)))
    elif change == "order" and out.GetNumBonds():
        out.GetBondWithIdx(rng.randrange(out.GetNumBonds())).SetBondType(rng.choice(ORDERS))
    elif change == "add":
        new = out.AddAtom(Chem.Atom(rng.choice(ELEMENTS)))
        out.AddBond(rng.choice(atoms), new, rng.choice(ORDERS))
    elif change == "remove":
        ends = [a for a in atoms if out.GetAtomWithIdx(a).GetDegree() == 1]
        if not ends:
            return None
        out.RemoveAtom(rng.choice(ends))
    elif change == "ring" and len(atoms) > 2:
        first, second = rng.sample(atoms, 2)
        if out.GetBondBetweenAtoms(first, second) is not None:
            return None
        out.AddBond(first, second, Chem.BondType.SINGLE)
    return saturated(out)


def whole(molecule: Chem.Mol, largest: int, rings: int) -> bool:
    """Neither too large, nor with too many rings, nor in pieces, nor charged, nor strained."""
    return (
        SMALLEST <= molecule.GetNumHeavyAtoms() <= largest
        and molecule.GetRingInfo().NumRings() <= rings
        and Chem.GetFormalCharge(molecule) == 0
        and len(Chem.GetMolFrags(molecule)) == 1
        and not any(molecule.HasSubstructMatch(pattern) for pattern in STRAINED)
    )


def stable(molecule: Chem.Mol, largest: int = LARGEST, rings: int = 1) -> bool:
    """Whole and sensible, without fragile chains."""
    return (
        whole(molecule, largest, rings)
        and sensible(molecule)
        and not any(molecule.HasSubstructMatch(pattern) for pattern in CHAINS)
    )


def child_of(parent: Chem.Mol, rng: random.Random) -> str | None:
    """SMILES after one or two random changes, or None where valences do not allow them."""
    child: Chem.Mol | None = parent
    for _ in range(rng.choice((1, 1, 2))):
        child = None if child is None else mutated(child, rng)
    return None if child is None else canonical(Chem.MolToSmiles(child))


def main() -> None:
    """Print the candidates, shuffled."""
    RDLogger.DisableLog("rdApp.*")
    rng = random.Random(0)
    parents = parents_of(sys.argv[1:2])
    excluded = read_hashes(sys.argv[2] if len(sys.argv) > 2 else None)
    known = {inchikey(smiles)[:14] for smiles in parents}
    out: dict[str, str] = {}
    for smiles in parents:
        parent = Chem.MolFromSmiles(smiles)
        if parent.GetNumHeavyAtoms() > LARGEST:
            continue
        for _ in range(CHILDREN):
            text = child_of(parent, rng)
            if text is None or not stable(Chem.MolFromSmiles(text)):
                continue
            skeleton = inchikey(text)[:14]
            if skeleton not in known and not is_listed(text, excluded):
                out.setdefault(skeleton, text)
    candidates = sorted(out.values())
    rng.shuffle(candidates)
    print("\n".join(candidates[:CANDIDATES]))


if __name__ == "__main__":
    main()
