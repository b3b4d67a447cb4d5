"""Eigenvalues with bounds on their errors, eigenvectors, and what they say of the dynamics near a point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.analysis.interval import above
from rnndyn.kernels.threads import in_parts

EPS = np.finfo(np.float64).eps
POWERS = 128


class Spectrum(NamedTuple):
    """Of n matrices J (S, S): eigenvalues by falling modulus, the larger imaginary part first among equals.

    Attributes
    ----------
    values : (n, S) complex
        Eigenvalues.
    error : (n, S)
        Radii of disks around them whose union holds all eigenvalues of the true matrix, in each connected part of it as
        many as it has disks.
    condition : (n, S)
        Condition numbers of the eigenvalues, 1/|y^H x| for unit left and right eigenvectors; at least 1.
    right, left : (n, S, S) complex
        Eigenvectors in rows: ``J right[m] = values[m] right[m]`` of norm 1, and ``left[m]^H J = values[m] left[m]^H``
        with ``left[m]^H right[k] = 1`` for m = k, else 0.
    """

    values: np.ndarray
    error: np.ndarray
    condition: np.ndarray
    right: np.ndarray
    left: np.ndarray


def spectrum(J: np.ndarray, error: np.ndarray | float = 0.0) -> Spectrum:
    """Eigenvalues and eigenvectors.

    With approximate eigenvectors V and eigenvalues L, J is similar to ``L + V^-1 (J V - V L)``, whose eigenvalues are
    in the disks of Gershgorin's theorem around L ([wilkinson1965]_, chapter 2); a disk that stands alone is scaled down
    to about the condition number times the error. The second term is bounded with all its rounding, V^-1 by the
    residual ``I - Y V`` of its approximation Y, and the error of J is added: the disks are proved. For matrices close
    to defective ones, where V has no inverse or these disks are larger, the radii are Elsner's bound ([elsner1985]_)
    for the backward error that eigenvalue solvers are known to have.

    Parameters
    ----------
    J : (n, S, S)
        Matrices.
    error : (n,)
        2-norms of what they may be wrong by.

    Returns
    -------
    Spectrum
        Cost O(n S^3).

    Examples
    --------
    >>> found = spectrum(np.array([[[0.5, 1.0], [0.0, -2.0]]]))
    >>> found.values.real.tolist(), bool((found.error < 1e-13).all())
    ([[-2.0, 0.5]], True)
    """
    n, size = J.shape[:2]
    error = np.broadcast_to(np.asarray(error, np.float64), n)
    parts = in_parts(lambda part: _spectrum(J[part], error[part]), n, size, max(n, 1))
    return Spectrum(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _spectrum(J: np.ndarray, error: np.ndarray) -> Spectrum:
    size = J.shape[1]
    values, V = np.linalg.eig(J)
    values, V = values.astype(np.complex128), V.astype(np.complex128)
    order = np.lexsort((-values.real, -values.imag, -np.abs(values)), axis=-1)
    values, V = np.take_along_axis(values, order, -1), np.take_along_axis(V, order[:, None], -1)
    Y = _inverse(V)
    with np.errstate(all="ignore"):
        condition = np.linalg.norm(Y, axis=2) * np.linalg.norm(V, axis=1)
        radii, proved = _disks(J, error, values, V, Y)
        norm = np.linalg.norm(J, axis=(1, 2))
        off = error + size * EPS * norm
        elsner = (2 * norm + off) ** (1 - 1 / size) * off ** (1 / size)
        proved &= radii.max(axis=1) <= elsner
    radii = np.where(proved[:, None], radii, elsner[:, None])
    return Spectrum(values, radii, condition, np.swapaxes(V, 1, 2), np.conj(Y))


def _disks(J, error, values, V, Y) -> tuple[np.ndarray, np.ndarray]:
    """Radii (n, S) of the disks of L + E, E = V^-1 (J V - V L), and where they are proved."""
    size = J.shape[1]
    rounding = (4 * size + 16) * EPS  # of complex products of matrices, and what else is done here
    lengths, weights = np.abs(V), np.abs(Y)
    residual = np.abs(J @ V - V * values[:, None])
    residual += rounding * (np.abs(J) @ lengths + lengths * np.abs(values)[:, None])
    rows, diagonal = (weights @ residual).sum(axis=2), np.einsum("nij,nji->ni", weights, residual)
    most = np.linalg.norm(Y, axis=2) * error[:, None]  # each column of V is of norm 1: so much in each entry of a row
    rows, diagonal = rows + (1 + size * EPS) * size * most, diagonal + (1 + size * EPS) * most
    defect = np.abs(np.eye(size) - Y @ V).sum(axis=2) + rounding * (weights @ lengths).sum(axis=2)
    inverted = defect.max(axis=1) < 1
    passed_on = defect * (rows.max(axis=1) / (1 - defect.max(axis=1)))[:, None]
    radii, diagonal = (above(bound + passed_on, 8 * size) for bound in (rows, diagonal))
    return _sharpened(values, radii, diagonal), inverted & np.isfinite(radii).all(axis=1)


def _sharpened(values, radii, diagonal) -> np.ndarray:
    """Smaller disks for eigenvalues that stand alone ([wilkinson1965]_, chapter 2).

    With the i-th row of E multiplied by t and its column divided by t, the i-th disk shrinks to the diagonal element
    and t times the rest, while the others grow by at most c / t, c = max |E|. With t = 2 c / gap that is half the gap
    between the i-th center and all other disks; what is left of it must keep the disks apart.
    """
    apart = np.abs(values[:, :, None] - values[:, None]) * (1 - 8 * EPS) - radii[:, None]
    np.einsum("nii->ni", apart)[:] = np.inf
    gap = apart.min(axis=2) * (1 - 8 * EPS)
    small = above(diagonal + 2 * radii.max(axis=1, keepdims=True) * radii / gap)
    alone = (gap > radii) & (gap / 2 > small)
    return np.where(alone, np.minimum(small, radii), radii)


def _inverse(V: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(V)
    except np.linalg.LinAlgError:  # some matrix is defective to the last bit
        inverses = np.full(V.shape, np.inf, V.dtype)
        for k, matrix in enumerate(V):
            if np.linalg.matrix_rank(matrix) == len(matrix):
                inverses[k] = np.linalg.inv(matrix)
        return inverses


def stability(values: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Whether all eigenvalues are inside the unit circle, or some outside, as far as their errors tell.

    Parameters
    ----------
    values : (n, S) complex
        Eigenvalues by falling modulus.
    error : (n, S)
        Radii of their disks.

    Returns
    -------
    (n,) array of str
        "stable": all disks are inside. "unstable": some are outside, apart from all others, so that they hold
        eigenvalues. Else "undecided".

    Examples
    --------
    >>> stability(np.array([[1.5, 0.9], [1.5, 0.9], [0.9, 0.5]]), np.array([[0.1, 0.2], [0.4, 0.4], [0.05, 0.1]]))
    array(['unstable', 'undecided', 'stable'], dtype='<U9')
    """
    low, high = np.abs(values) - error, np.abs(values) + error
    lowest = np.minimum.accumulate(low, axis=1)  # of the first modes
    rest = np.maximum.accumulate(high[:, ::-1], axis=1)[:, ::-1]  # highest of this mode and those after it
    rest = np.concatenate([rest[:, 1:], np.zeros((len(values), 1))], axis=1)
    outside = (lowest > np.maximum(rest, 1)).any(axis=1)  # a circle of radius 1 or more parts the disks
    return np.where(outside, "unstable", np.where((high < 1).all(axis=1), "stable", "undecided"))


def mode_types(values: np.ndarray, error: np.ndarray) -> np.ndarray:
    """How a small displacement along each mode moves from step to step.

    Parameters
    ----------
    values : (n, S) complex
        Eigenvalues.
    error : (n, S)
        Their errors.

    Returns
    -------
    (n, S) array of str
        "rotation" (it turns) where the imaginary part exceeds its error; else "flip" (it changes side at every step)
        where the real part is negative beyond its error; else "monotone".
    """
    real = np.where(values.real < -error, "flip", "monotone")
    return np.where(np.abs(values.imag) > error, "rotation", real)


def time_constants(values: np.ndarray, period: int = 1) -> np.ndarray:
    """Steps in which a mode falls by a factor e: ``-p / ln |mu|``; negative where it grows, infinite on the circle.

    Parameters
    ----------
    values : (n, S) complex
        Eigenvalues mu of the Jacobian of F^p.
    period
        p.

    Returns
    -------
    (n, S) array
        In steps; 0 for mu = 0.
    """
    with np.errstate(divide="ignore"):
        rate = -np.log(np.abs(values)) / period
        return np.where(rate == 0, np.inf, 1 / rate)


def transient_growth(J: np.ndarray, stable: np.ndarray) -> np.ndarray:
    """How much a small displacement from a stable point can grow before it dies out: ``max_k ||J^k||_2``, k >= 0.

    1 for normal matrices, more for non-normal ones ([trefethen2005]_). Once a power is of norm below 1, no
    later one exceeds the largest before it, so that the maximum is found as soon as that happens. Where it does not
    happen within 128 powers, this is the maximum over those.

    Parameters
    ----------
    J : (n, S, S)
        Matrices.
    stable : (n,) bool
        Which of them have all eigenvalues inside the unit circle.

    Returns
    -------
    (n,) array
        Infinite for the others. Cost O(k S^3) for each stable one.
    """
    n, size = J.shape[:2]
    return np.concatenate(in_parts(lambda part: _growth(J[part], stable[part]), n, size, max(n, 1)))


def _growth(J: np.ndarray, stable: np.ndarray) -> np.ndarray:
    growth = np.where(stable, 1.0, np.inf)
    open_, power = np.flatnonzero(stable), J[stable]
    for _ in range(POWERS):
        above = _norm_bound(power)
        higher = above > growth[open_]  # the others need no singular values: they do not raise the maximum
        above[higher] = np.linalg.norm(power[higher], ord=2, axis=(1, 2))
        growth[open_] = np.maximum(growth[open_], above)
        on = above >= 1
        if not on.any():
            break
        open_, power = open_[on], power[on] @ J[open_[on]]
    return growth


def _norm_bound(matrices: np.ndarray) -> np.ndarray:
    """Upper bounds of 2-norms: the Frobenius norm, and the geometric mean of largest row and column sum."""
    sizes = np.abs(matrices)
    sums = sizes.sum(axis=1).max(axis=1, initial=0) * sizes.sum(axis=2).max(axis=1, initial=0)
    return np.minimum(np.linalg.norm(matrices, axis=(1, 2)), np.sqrt(sums))


def nonnormality(J: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Henrici's departure from normality ([henrici1962]_) in units of the matrix: from 0, normal, to 1, nilpotent.

    Parameters
    ----------
    J : (n, S, S)
        Matrices.
    values : (n, S)
        Their eigenvalues.

    Returns
    -------
    (n,) array
        ``sqrt(1 - sum |mu|^2 / ||J||_F^2)``; 0 for J = 0.
    """
    total = np.einsum("nij,nij->n", J, J)
    share = (np.abs(values) ** 2).sum(axis=1) / np.where(total > 0, total, 1)
    return np.sqrt(np.clip(1 - share, 0, 1)) * (total > 0)
