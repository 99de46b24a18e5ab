"""Static polarisabilities beside those of B3LYP in a basis with diffuse functions.

    python validation/polarizability.py                 tables, of all references that are there
    python validation/polarizability.py --reference     those that are missing (needs PySCF)
    python validation/polarizability.py --fit           atomic polarisabilities of the training side

B3LYP/def2-SVPD by coupled perturbed Kohn-Sham (PySCF, density fitting) at GFN2-xTB geometries of
small molecules, none of them reserved. Every second molecule takes part in the fit of
``mlsemi/response/atomic_polarizability.py``, the others are what the tables show.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import report

import mlsemi
from mlsemi.model.terms.response import START
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import complete_or_absent
from mlsemi.response.difference_density import Response
from mlsemi.training.data.exclusion import is_listed, read_hashes
from mlsemi.training.data.geometries import bonds_of, embed, relax, seed_of

STORED = report.HERE / "polarizability_reference.json"
EXCLUDED = report.HERE.parent / "parameters" / "reference" / "excluded.txt"
ELEMENTS = (1, 6, 7, 8, 9, 16, 17)
MOLECULES = """
    O N F C Cl S C#C C=O C=C CO C#N CC N#N CCl CS CF CN O=C=O OO C=CC CC=O CCO C=CF N=C COC CC#N
    OC=O NC=O CCCl C1CC1 C1CO1 C=CC=C c1ccoc1 CC(C)=O c1ccccc1 CCC CSC S=C=S O=S=O C=CC#N CC(N)=O
    C[N+](=O)[O-] c1cc[nH]c1 c1ccsc1 CNC C#CC=O CC(=O)O ClCCl C=C=C FC(F)F c1ccncc1 C=CCl CCCC
    C=CC=O c1c[nH]cn1 CCCO NN O=CC=O CCCS
""".split()  # noqa: SIM905
"""Reserved ones are left out."""


def names() -> list[str]:
    """SMILES that are not reserved."""
    hashes = read_hashes(EXCLUDED)
    return [smiles for smiles in MOLECULES if not is_listed(smiles, hashes)]


def relaxed(smiles: str) -> Structure:
    """Geometry of GFN2-xTB."""
    atoms, charge = embed(smiles, seed_of(smiles, 0))
    return Structure.from_ase(relax(atoms, charge, bonds=bonds_of(smiles)))


def coupled_perturbed(structure: Structure) -> np.ndarray:
    """(3, 3) static polarisability of B3LYP/def2-SVPD, bohr^3."""
    from pyscf import dft, gto
    from pyscf.scf import cphf

    mol = gto.M(
        atom=list(zip(structure.symbols, structure.positions.tolist(), strict=True)),
        unit="Bohr",
        basis="def2-svpd",
        verbose=0,
    )
    solver = dft.RKS(mol, xc="b3lyp").density_fit()
    solver.grids.level = 1
    solver.kernel()
    if not solver.converged:
        raise RuntimeError("no convergence")
    occupied = solver.mo_occ > 0
    C, V = solver.mo_coeff[:, occupied], solver.mo_coeff[:, ~occupied]
    h1 = np.einsum("xmn,ma,ni->xai", mol.intor("int1e_r"), V, C)
    induced = solver.gen_response(hermi=1)

    def response(flat: np.ndarray) -> np.ndarray:
        x = flat.reshape(-1, V.shape[1], C.shape[1])
        density = np.einsum("xai,ma,ni->xmn", 2.0 * x, V, C)
        density += density.transpose(0, 2, 1)
        return np.einsum("xmn,ma,ni->xai", induced(density), V, C).reshape(flat.shape)

    first = cphf.solve(response, solver.mo_energy, solver.mo_occ, h1, tol=1e-8)[0]
    return -4.0 * np.einsum("xai,yai->xy", h1, np.asarray(first).reshape(h1.shape))


def reference() -> None:
    """Compute what is missing."""
    from pyscf import lib

    lib.num_threads(1)
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    for smiles in names():
        if smiles in stored:
            continue
        structure = relaxed(smiles)
        alpha = coupled_perturbed(structure)
        stored[smiles] = {
            "numbers": structure.numbers.tolist(),
            "positions_bohr": structure.positions.round(6).tolist(),
            "polarizability_bohr3": alpha.round(4).tolist(),
        }
        with complete_or_absent(STORED) as temporary:
            temporary.write_text(json.dumps(stored) + "\n")


def entries(fit: bool) -> dict[str, dict]:
    """Every second molecule of the references that are there: of the fit, or the others."""
    stored = json.loads(STORED.read_text())
    known = [name for name in MOLECULES if name in stored]
    return {name: stored[name] for name in known[not fit :: 2]}


def response_of(entry: dict) -> tuple[Response, np.ndarray]:
    """Response of a molecule in empty space, and the reference (bohr^3)."""
    structure = Structure(np.array(entry["numbers"]), np.array(entry["positions_bohr"]))
    response = mlsemi.singlepoint(structure, field=(0.0, 0.0, 0.0)).response
    assert response is not None
    return response, np.array(entry["polarizability_bohr3"])


def fitted(screening: float) -> tuple[dict[int, float], float]:
    """Atomic polarisabilities (bohr^3) for a screening, and the mean relative error of tensors."""
    rows, right = [], []
    for entry in entries(True).values():
        response, reference = response_of(entry)
        bare = replace(response.induction, screening=screening, atomic=0.0 * response.charges)
        rest = reference - replace(response, induction=bare).polarizability
        numbers = response.neutral.structure.numbers
        count = [float((numbers == z).sum()) for z in ELEMENTS]
        weight = 1.0 / np.linalg.norm(reference)
        rows.append(weight * np.outer(np.eye(3).ravel(), count))
        right.append(weight * rest.ravel())
    matrix, rest = np.vstack(rows), np.concatenate(right)
    a = np.linalg.lstsq(matrix, rest)[0]
    left = (matrix @ a - rest).reshape(-1, 9)
    known = dict(zip(ELEMENTS, a.round(1).tolist(), strict=True))
    return known, float(np.linalg.norm(left, axis=1).mean())


def rows_of(chosen: dict[str, dict]) -> list[tuple[str, float, float, float, float]]:
    """Name, mean polarisability here and of the reference (bohr^3), relative errors of both."""
    out = []
    for name, entry in chosen.items():
        response, reference = response_of(entry)
        own = response.polarizability
        mean, known = np.trace(own) / 3.0, np.trace(reference) / 3.0
        whole = np.linalg.norm(own - reference) / np.linalg.norm(reference)
        out.append((name, float(mean), float(known), float(mean / known - 1.0), float(whole)))
    return out


def main() -> None:
    """Fit, or write validation/polarizability.md."""
    if "--fit" in sys.argv:
        for screening in (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, START.screening):
            print(screening, *fitted(screening))
        return
    sides = {"of the fit": rows_of(entries(True)), "others": rows_of(entries(False))}
    summary = [
        (side, len(rows), f"{100 * np.mean([r[3] for r in rows]):+.1f}",
         f"{100 * np.abs([r[3] for r in rows]).mean():.1f}",
         f"{100 * np.mean([r[4] for r in rows]):.1f}")
        for side, rows in sides.items()
    ]  # fmt: skip
    report.write(
        "polarizability",
        "Static polarisabilities beside those of B3LYP/def2-SVPD",
        [
            "Mean polarisability: a third of the trace. Tensor: |difference| / |reference|. Asked: "
            "5 %.\n\n"
            + report.table(
                ("molecules", "number", "mean, %", "mean absolute, %", "tensor, %"), summary
            ),
            "## The others\n\n"
            + report.table(
                ("molecule", "here / bohr^3", "reference", "error, %", "tensor, %"),
                [
                    (n, f"{a:.1f}", f"{b:.1f}", f"{100 * c:+.1f}", f"{100 * d:.1f}")
                    for n, a, b, c, d in sides["others"]
                ],
            ),
        ],
        {"molecules": sides},
    )


if __name__ == "__main__":
    if "--reference" in sys.argv:
        reference()
    else:
        main()
