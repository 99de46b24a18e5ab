"""Loops of the excited-state response: screened interactions and atomic transition multipoles.

An interaction in the Loewdin frame is a sum over atoms of monopole-monopole terms (gamma) and
over single atoms of s-p dipole and p-p quadrupole terms (one-center exchange). Orbitals of one
atom are found through ``orbital_atom``, its s orbital through ``s_orbital`` and the first of
its three p orbitals through ``p_orbital`` (-1 where the atom has none).
"""

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def screened(
    positions: np.ndarray,
    hardness: np.ndarray,
    scale: float,
    power: float,
) -> np.ndarray:
    """gamma_AB = (R^p + (scale eta_AB)^-p)^(-1/p), theory eq 8; (n_atom, n_atom), hartree."""
    n = hardness.size
    gamma = np.empty((n, n))
    for a in range(n):
        gamma[a, a] = scale * hardness[a]
        for b in range(a):
            r = 0.0
            for x in range(3):
                r += (positions[a, x] - positions[b, x]) ** 2
            eta = 0.5 * scale * (hardness[a] + hardness[b])
            value = (r ** (0.5 * power) + eta ** (-power)) ** (-1.0 / power)
            gamma[a, b] = value
            gamma[b, a] = value
    return gamma


@kernel
def screened_adjoint(
    positions: np.ndarray,
    hardness: np.ndarray,
    scale: float,
    power: float,
    gamma_bar: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Adjoint of ``screened``.

    Returns positions_bar (n_atom, 3), hardness_bar (n_atom,) and (scale_bar, power_bar).
    With s = R^p + e^-p: dg/dR = -(g/s) R^(p-1), dg/de = (g/s) e^(-p-1),
    d ln g/dp = ln s / p^2 - (R^p ln R - e^-p ln e) / (p s).
    """
    n = hardness.size
    positions_bar = np.zeros((n, 3))
    hardness_bar = np.zeros(n)
    scale_bar = 0.0
    power_bar = 0.0
    for a in range(n):
        hardness_bar[a] += scale * gamma_bar[a, a]
        scale_bar += hardness[a] * gamma_bar[a, a]
        for b in range(a):
            bar = gamma_bar[a, b] + gamma_bar[b, a]
            d = positions[a] - positions[b]
            r = np.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
            mean = 0.5 * (hardness[a] + hardness[b])
            e = scale * mean
            u = r**power
            v = e ** (-power)
            g = (u + v) ** (-1.0 / power)
            ratio = bar * g / (u + v)
            for x in range(3):
                pull = -ratio * u / (r * r) * d[x]
                positions_bar[a, x] += pull
                positions_bar[b, x] -= pull
            e_bar = ratio * v / e
            hardness_bar[a] += 0.5 * scale * e_bar
            hardness_bar[b] += 0.5 * scale * e_bar
            scale_bar += mean * e_bar
            power_bar += bar * g * np.log(u + v) / power**2
            power_bar -= ratio * (u * np.log(r) - v * np.log(e)) / power
    return positions_bar, hardness_bar, scale_bar, power_bar


@kernel
def missing_exchange(
    positions: np.ndarray,
    hardness: np.ndarray,
    near: float,
    far: float,
) -> np.ndarray:
    """gamma^F_AB = c(R) (R^2 + eta_AB^-2)^-1/2, c = far + (near - far) exp(-R / 3 bohr), eq 9a."""
    n = hardness.size
    gamma = np.empty((n, n))
    for a in range(n):
        gamma[a, a] = near * hardness[a]
        for b in range(a):
            square = 0.0
            for x in range(3):
                square += (positions[a, x] - positions[b, x]) ** 2
            fraction = far + (near - far) * np.exp(-np.sqrt(square) / 3.0)
            eta = 0.5 * (hardness[a] + hardness[b])
            gamma[a, b] = fraction / np.sqrt(square + eta ** (-2))
            gamma[b, a] = gamma[a, b]
    return gamma


@kernel
def missing_exchange_adjoint(
    positions: np.ndarray,
    hardness: np.ndarray,
    near: float,
    far: float,
    gamma_bar: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Adjoint of ``missing_exchange``: positions_bar, hardness_bar, near_bar, far_bar."""
    n = hardness.size
    positions_bar = np.zeros((n, 3))
    hardness_bar = np.zeros(n)
    near_bar = 0.0
    far_bar = 0.0
    for a in range(n):
        hardness_bar[a] += near * gamma_bar[a, a]
        near_bar += hardness[a] * gamma_bar[a, a]
        for b in range(a):
            bar = gamma_bar[a, b] + gamma_bar[b, a]
            d = positions[a] - positions[b]
            r = np.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
            eta = 0.5 * (hardness[a] + hardness[b])
            decay = np.exp(-r / 3.0)
            fraction = far + (near - far) * decay
            ohno = 1.0 / np.sqrt(r * r + eta ** (-2))
            near_bar += bar * decay * ohno
            far_bar += bar * (1.0 - decay) * ohno
            eta_bar = bar * fraction * ohno**3 * eta ** (-3)
            hardness_bar[a] += 0.5 * eta_bar
            hardness_bar[b] += 0.5 * eta_bar
            slope = -(near - far) * decay * ohno / 3.0 - fraction * ohno**3 * r
            for x in range(3):
                pull = bar * slope * d[x] / r
                positions_bar[a, x] += pull
                positions_bar[b, x] -= pull
    return positions_bar, hardness_bar, near_bar, far_bar


@kernel
def transition_multipoles(
    left: np.ndarray,
    right: np.ndarray,
    orbital_atom: np.ndarray,
    s_orbital: np.ndarray,
    p_orbital: np.ndarray,
    channel: np.ndarray,
    n_channel: int,
) -> np.ndarray:
    """Transition multipoles of all orbital pairs (left p, right q).

    ``left`` (n_p, n_orbital) and ``right`` (n_q, n_orbital) hold orbitals as rows. Channels
    0..n_atom-1 are the charges q_pq^A of theory eq 7; atom A's three s-p dipoles and five
    traceless p-p quadrupoles stand at ``channel[A]`` .. ``channel[A] + 7`` (none if -1).
    Returns (n_p, n_q, n_channel).
    """
    n_p, n_q = left.shape[0], right.shape[0]
    out = np.zeros((n_p, n_q, n_channel))
    for p in range(n_p):
        for q in range(n_q):
            x, y, row = left[p], right[q], out[p, q]
            for mu in range(orbital_atom.size):
                row[orbital_atom[mu]] += x[mu] * y[mu]
            for a in range(s_orbital.size):
                t = channel[a]
                if t < 0:
                    continue
                s, f = s_orbital[a], p_orbital[a]
                g, h = f + 1, f + 2
                row[t] = x[s] * y[f] + x[f] * y[s]
                row[t + 1] = x[s] * y[g] + x[g] * y[s]
                row[t + 2] = x[s] * y[h] + x[h] * y[s]
                row[t + 3] = x[f] * y[g] + x[g] * y[f]
                row[t + 4] = x[f] * y[h] + x[h] * y[f]
                row[t + 5] = x[g] * y[h] + x[h] * y[g]
                row[t + 6] = x[f] * y[f] - x[g] * y[g]
                row[t + 7] = (2.0 * x[h] * y[h] - x[f] * y[f] - x[g] * y[g]) / np.sqrt(3.0)
    return out


@kernel
def coulomb_elements(
    multipoles_occ: np.ndarray,
    multipoles_vir: np.ndarray,
    occupied: np.ndarray,
    virtual: np.ndarray,
) -> np.ndarray:
    """(ij|ab) between selected configurations; (n, n) symmetric.

    ``multipoles_occ`` (o, o, t) are transition multipoles q_ij, ``multipoles_vir`` (v, v, t)
    are q_ab already multiplied by the interaction; configuration k is occupied[k]->virtual[k].
    """
    n = occupied.size
    out = np.empty((n, n))
    for k in range(n):
        for l in range(k + 1):
            value = np.dot(
                multipoles_occ[occupied[k], occupied[l]], multipoles_vir[virtual[k], virtual[l]]
            )
            out[k, l] = value
            out[l, k] = value
    return out


@kernel
def _at(transition: np.ndarray, places: np.ndarray, m: int, k: int, n: int) -> float:
    """Element of a transition density; zero on functions that are left out."""
    row, column = places[0, m], places[1, n]
    return transition[row, k, column] if min(row, column) >= 0 else 0.0


@kernel
def one_center_blocks(
    transition: np.ndarray,
    places: np.ndarray,
    s_orbital: np.ndarray,
    p_orbital: np.ndarray,
    constants: np.ndarray,
    factor: float,
    weight: float,
    blocks: np.ndarray,
) -> None:
    """One-center exchange potentials of transition densities, per vector and atom.

    ``transition`` (n_row, k, n_column) is X in the Loewdin frame, [mu, vector, nu]; ``places``
    (2, n_orbital) tells the row and the column of each function, -1 if left out; ``constants``
    (n_atom, 2) are K_sp, K_pp. Writes factor * exchange type - weight * Coulomb type, in the order
    (s, p, p', p''), into ``blocks`` (k, n_atom, 4, 4):
    exchange type  K_mn (X_mn + X_nm), in the p shell K (P + P^T - 2/3 tr P);
    Coulomb type   K_mn X_nm off the diagonal and sum_n K_mn X_nn on it, in the p shell
    K (P^T + tr P - 2/3 P).
    """
    for a in range(s_orbital.size):
        s, f = s_orbital[a], p_orbital[a]
        if s < 0 or f < 0:
            continue
        sp, pp = constants[a]
        for k in range(transition.shape[1]):
            block = blocks[k, a]
            trace = 0.0
            for m in range(3):
                trace += _at(transition, places, f + m, k, f + m)
                down = _at(transition, places, s, k, f + m)
                up = _at(transition, places, f + m, k, s)
                block[0, m + 1] = sp * (factor * (down + up) - weight * up)
                block[m + 1, 0] = sp * (factor * (down + up) - weight * down)
            block[0, 0] = -weight * sp * trace
            of_s = _at(transition, places, s, k, s)
            for m in range(3):
                for n in range(3):
                    x = _at(transition, places, f + m, k, f + n)
                    y = _at(transition, places, f + n, k, f + m)
                    block[m + 1, n + 1] = pp * (factor * (x + y) - weight * (y - 2.0 / 3.0 * x))
                block[m + 1, m + 1] -= pp * trace * (2.0 / 3.0 * factor + weight)
                block[m + 1, m + 1] -= weight * sp * of_s


@kernel
def monopole_charges(
    transition: np.ndarray,
    places: np.ndarray,
    orbital_atom: np.ndarray,
    charges: np.ndarray,
) -> None:
    """Sum the diagonal of each transition density over atoms: ``charges`` (n_atom, k)."""
    for mu in range(orbital_atom.size):
        for k in range(transition.shape[1]):
            charges[orbital_atom[mu], k] += _at(transition, places, mu, k, mu)


@kernel
def screen(
    transition: np.ndarray, row_atom: np.ndarray, column_atom: np.ndarray, gamma_j: np.ndarray
) -> None:
    """Overwrite ``transition`` (n_row, k, n_column) by -gamma^J o X."""
    n_row, n_vector, n_column = transition.shape
    screening = np.empty(n_column)
    for mu in range(n_row):
        for nu in range(n_column):
            screening[nu] = -gamma_j[row_atom[mu], column_atom[nu]]
        for k in range(n_vector):
            row = transition[mu, k]
            for nu in range(n_column):
                row[nu] *= screening[nu]


@kernel
def add_on_atoms(
    blocks: np.ndarray,
    s_orbital: np.ndarray,
    p_orbital: np.ndarray,
    right: np.ndarray,
    out: np.ndarray,
) -> None:
    """out[mu, k] += sum_nu blocks[k, A]_mu,nu right[nu], over the functions of each atom A.

    ``blocks`` (k, n_atom, 4, 4) in the order (s, p, p', p''), ``right`` (n_orbital, n), ``out``
    (n_orbital, k, n).
    """
    n_vector, n = out.shape[1], out.shape[2]
    for a in range(s_orbital.size):
        for m in range(4):
            mu = s_orbital[a] if m == 0 else p_orbital[a] + m - 1
            for l in range(4):
                nu = s_orbital[a] if l == 0 else p_orbital[a] + l - 1
                if min(mu - max(m - 1, 0), nu - max(l - 1, 0)) < 0:
                    continue
                for k in range(n_vector):
                    value, row = blocks[k, a, m, l], out[mu, k]
                    if value != 0.0:
                        for j in range(n):
                            row[j] += value * right[nu, j]


@kernel
def interaction_adjoint(
    transition: np.ndarray,
    energies_bar: np.ndarray,
    orbital_atom: np.ndarray,
    s_orbital: np.ndarray,
    p_orbital: np.ndarray,
    constants: np.ndarray,
    factor: float,
    weight: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Derivatives of E = sum_k w_bar_k <X_k| potential of X_k> by what multiplies X_k.

    Returns gamma_j_bar, gamma_k_bar (n_atom, n_atom), constants_bar (n_atom, 2) for K_sp, K_pp,
    and weight_bar.
    """
    n, n_atom = orbital_atom.size, s_orbital.size
    gamma_j_bar = np.zeros((n_atom, n_atom))
    gamma_k_bar = np.zeros((n_atom, n_atom))
    constants_bar = np.zeros((n_atom, 2))
    weight_bar = 0.0
    for k in range(energies_bar.size):
        w = energies_bar[k]
        charges = np.zeros(n_atom)
        for mu in range(n):
            charges[orbital_atom[mu]] += transition[mu, k, mu]
            for nu in range(n):
                gamma_j_bar[orbital_atom[mu], orbital_atom[nu]] -= w * transition[mu, k, nu] ** 2
        gamma_k_bar += w * factor * np.outer(charges, charges)
        for a in range(n_atom):
            s, f = s_orbital[a], p_orbital[a]
            if s < 0 or f < 0:
                continue
            exchange_sp, coulomb_sp, square, product, trace = 0.0, 0.0, 0.0, 0.0, 0.0
            for m in range(3):
                down, up = transition[s, k, f + m], transition[f + m, k, s]
                trace += transition[f + m, k, f + m]
                exchange_sp += (down + up) ** 2
                coulomb_sp += 2.0 * down * up
                for j in range(3):
                    x = transition[f + m, k, f + j]
                    square += x * x
                    product += x * transition[f + j, k, f + m]
            coulomb_sp += 2.0 * transition[s, k, s] * trace
            exchange_pp = square + product - 2.0 / 3.0 * trace * trace
            coulomb_pp = product + trace * trace - 2.0 / 3.0 * square
            constants_bar[a, 0] += w * (factor * exchange_sp - weight * coulomb_sp)
            constants_bar[a, 1] += w * (factor * exchange_pp - weight * coulomb_pp)
            weight_bar -= w * (constants[a, 0] * coulomb_sp + constants[a, 1] * coulomb_pp)
    return gamma_j_bar, gamma_k_bar, constants_bar, weight_bar


@kernel
def transition_populations(orbitals, n_occupied, group, n_group):
    """B[g, i, a] = sum_(mu in g) C[mu, i] C[mu, n + a], n occupied; group (n_orbital,) of mu."""
    n_orbital = orbitals.shape[0]
    n_virtual = orbitals.shape[1] - n_occupied
    out = np.zeros((n_group, n_occupied, n_virtual))
    for mu in range(n_orbital):
        g = group[mu]
        for i in range(n_occupied):
            c = orbitals[mu, i]
            for a in range(n_virtual):
                out[g, i, a] += c * orbitals[mu, n_occupied + a]
    return out
