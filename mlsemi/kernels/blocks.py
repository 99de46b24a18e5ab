"""Irreps of blocks to the matrix and back (theory eq 5)."""

from mlsemi.kernels.jit import kernel


@kernel
def add_pairs(first, second, orbital, has_p, irreps, t0, t1, t2, half):
    """Add half-blocks of directed pairs to ``half``; H = half + half^T is then symmetric.

    irreps (n_pair, 13): ss, sp (s of i with p of j), pp0, pp1, pp2. The two directions of a pair
    are averaged for ss and pp, while sp of (i, j) is ps of (j, i), so permutation and Hermiticity
    hold by construction.
    """
    for p in range(first.size):
        i, j = first[p], second[p]
        a, b = orbital[i], orbital[j]
        half[a, b] += 0.5 * irreps[p, 0]
        if has_p[j]:
            for m in range(3):
                half[a, b + 1 + m] += irreps[p, 1 + m]
        if has_p[i] and has_p[j]:
            for m in range(3):
                for n in range(3):
                    value = t0[m, n] * irreps[p, 4]
                    for c in range(3):
                        value += t1[m, n, c] * irreps[p, 5 + c]
                    for c in range(5):
                        value += t2[m, n, c] * irreps[p, 8 + c]
                    half[a + 1 + m, b + 1 + n] += 0.5 * value


@kernel
def add_pairs_adjoint(first, second, orbital, has_p, half_bar, t0, t1, t2, irreps_bar):
    """Adjoint of add_pairs; sets irreps_bar (n_pair, 13)."""
    for p in range(first.size):
        i, j = first[p], second[p]
        a, b = orbital[i], orbital[j]
        irreps_bar[p] = 0.0
        irreps_bar[p, 0] = 0.5 * half_bar[a, b]
        if has_p[j]:
            for m in range(3):
                irreps_bar[p, 1 + m] = half_bar[a, b + 1 + m]
        if has_p[i] and has_p[j]:
            for m in range(3):
                for n in range(3):
                    value = 0.5 * half_bar[a + 1 + m, b + 1 + n]
                    irreps_bar[p, 4] += t0[m, n] * value
                    for c in range(3):
                        irreps_bar[p, 5 + c] += t1[m, n, c] * value
                    for c in range(5):
                        irreps_bar[p, 8 + c] += t2[m, n, c] * value


@kernel
def add_atoms(atoms, orbital, has_p, irreps, t0, t2, half):
    """Add halves of the on-site blocks; irreps (n_atom, 10): ss, sp, pp0, pp2."""
    for i in atoms:
        a = orbital[i]
        half[a, a] += 0.5 * irreps[i, 0]
        if has_p[i]:
            for m in range(3):
                half[a, a + 1 + m] += irreps[i, 1 + m]
                for n in range(3):
                    value = t0[m, n] * irreps[i, 4]
                    for c in range(5):
                        value += t2[m, n, c] * irreps[i, 5 + c]
                    half[a + 1 + m, a + 1 + n] += 0.5 * value


@kernel
def add_atoms_adjoint(atoms, orbital, has_p, half_bar, t0, t2, irreps_bar):
    """Adjoint of add_atoms; sets the rows of irreps_bar (n_atom, 10) that belong to atoms."""
    for i in atoms:
        a = orbital[i]
        irreps_bar[i] = 0.0
        irreps_bar[i, 0] = 0.5 * half_bar[a, a]
        if has_p[i]:
            for m in range(3):
                irreps_bar[i, 1 + m] = half_bar[a, a + 1 + m]
                for n in range(3):
                    value = 0.5 * half_bar[a + 1 + m, a + 1 + n]
                    irreps_bar[i, 4] += t0[m, n] * value
                    for c in range(5):
                        irreps_bar[i, 5 + c] += t2[m, n, c] * value
