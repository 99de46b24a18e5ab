"""Make the example structures: RDKit embeds, GFN2-xTB relaxes. Run in this folder."""

from pathlib import Path

from ase.build import molecule

from mlsemi.training.data.geometries import embed, relax, seed_of, thermal_frame

SEED = 1
MOLECULES = {
    "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "benzene": "c1ccccc1",
    "p-nitroaniline": "Nc1ccc(cc1)[N+](=O)[O-]",
    "formaldehyde": "C=O",
    "ammonium": "[NH4+]",
    "1,8-diphenylnaphthalene": "c1ccc(cc1)c1cccc2cccc(c12)c1ccccc1",
    "R-methyloxirane": "C[C@@H]1CO1",
    "beta-carotene": "CC1=C(C(CCC1)(C)C)/C=C/C(=C/C=C/C(=C/C=C/C=C(/C=C/C=C(/C=C/C2=C(CCCC2(C)C)C)"
    "\\C)\\C)/C)/C",
    "indigo": "O=C1/C(=C2/C(=O)c3ccccc3N2)Nc2ccccc12",
    "porphin": "C1=CC2=CC3=CC=C(N3)C=C4C=CC(=N4)C=C5C=CC(=CC1=N2)N5",
}
COLUMNS = "Properties=species:S:1:pos:R:3"
HERE = Path(__file__).parent


def write(path: Path, frames: list, comments: list[str]) -> None:
    """Extended xyz; the comment carries the charge and how the geometry was made."""
    path.unlink(missing_ok=True)
    with open(path, "w") as file:
        for atoms, comment in zip(frames, comments, strict=True):
            file.write(f"{len(atoms)}\n{COLUMNS} {comment}\n")
            for symbol, (x, y, z) in zip(atoms.symbols, atoms.positions, strict=True):
                file.write(f"{symbol:2} {x:12.6f} {y:12.6f} {z:12.6f}\n")


for name, smiles in MOLECULES.items():
    seed = seed_of(smiles, SEED)
    atoms, charge = embed(smiles, seed)
    relaxed = relax(atoms, charge, fmax=0.01)
    made = (
        f'charge={charge} smiles="{smiles}" made="RDKit ETKDG seed {seed}, relaxed with GFN2-xTB"'
    )
    write(HERE / f"{name}.xyz", [relaxed], [made])
    if name == "formaldehyde":
        seeds = range(5)
        snapshots = [thermal_frame(relaxed, charge, 300.0, s) for s in seeds]
        notes = [f'charge=0 made="GFN2-xTB Langevin dynamics, 300 K, seed {s}"' for s in seeds]
        write(HERE / "formaldehyde-300K.xyz", snapshots, notes)

cage = relax(molecule("C60"), 0, fmax=0.01)
write(HERE / "C60.xyz", [cage], ['charge=0 made="ase.build.molecule, relaxed with GFN2-xTB"'])
