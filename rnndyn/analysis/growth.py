"""Growth of tangent vectors: frames kept orthonormal by QR, and the logarithms of the growth in blocks.

A frame Q (B, S, k) is pushed by Jacobians, `J Q = Q' R`; the exponents are the means of log R_ii ([benettin1980]_,
[shimada1979]_). Nothing here grows with the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

BLOCKS = 64


class Tally:
    """Sums of a growing series in at most 2 `BLOCKS` blocks, whose length doubles when they are full."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.sums = np.zeros((2 * BLOCKS, *shape))
        self.steps = np.zeros(2 * BLOCKS)
        self.full = 0
        self.length = 1

    def add(self, values: np.ndarray, steps: int) -> None:
        """Add the growth over so many steps.

        Parameters
        ----------
        values
            Sums over these steps.
        steps
            Their number.
        """
        if self.full == len(self.steps):
            self.sums[:BLOCKS] = self.sums[::2] + self.sums[1::2]
            self.steps[:BLOCKS] = self.steps[::2] + self.steps[1::2]
            self.sums[BLOCKS:], self.steps[BLOCKS:] = 0, 0
            self.full, self.length = BLOCKS, 2 * self.length
        self.sums[self.full] += values
        self.steps[self.full] += steps
        if self.steps[self.full] >= self.length:
            self.full += 1

    @property
    def total(self) -> float:
        """Number of steps."""
        return self.steps.sum()

    def mean(self) -> np.ndarray:
        """Mean per step.

        Returns
        -------
        array
            -inf where any block is.
        """
        return self.sums.sum(axis=0) / self.total

    def stderr(self) -> np.ndarray:
        """Standard error of the mean, from the scatter of the blocks and the correlation of neighbouring ones.

        The variance of the batch means is multiplied by ``1 + 2 rho``, rho their correlation at lag 1 where it is
        positive ([straatsma1986]_); longer correlations are not seen.

        Returns
        -------
        array
            NaN for a single block; 0 where the mean is -inf.
        """
        used = self.steps > 0
        return mean_and_error(self.sums[used], self.steps[used])[1]

    def drift(self) -> tuple[np.ndarray, np.ndarray]:
        """Difference between the means over the second and the first half of the blocks, and its standard error.

        Returns
        -------
        array, array
            NaN where there are too few blocks to tell; 0 where a mean is -inf.
        """
        used = self.steps > 0
        half = int(used.sum()) // 2
        if half < 2:
            unknown = np.full(self.sums.shape[1:], np.nan)
            return unknown, unknown
        halves = (slice(half), slice(half, int(used.sum())))
        (first, error), (second, other) = (mean_and_error(self.sums[part], self.steps[part]) for part in halves)
        return second - first, np.hypot(error, other)


def mean_and_error(sums: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean per step over blocks, and its standard error.

    Parameters
    ----------
    sums : (n, ...)
        Sums over the blocks.
    steps : (n,)
        Their lengths.

    Returns
    -------
    array, array
        NaN for a single block; zeros where a block is -inf.
    """
    count = len(steps)
    if count < 2:
        unknown = np.full(sums.shape[1:], np.nan)
        return unknown, unknown
    length = steps.reshape(-1, *(1,) * (sums.ndim - 1))
    weight = length / steps.sum()
    rates = np.where(np.isfinite(sums).all(axis=0), sums, 0) / length
    mean = (weight * rates).sum(axis=0)
    off = rates - mean
    variance = (weight * off**2).sum(axis=0)
    lag = (weight[1:] * off[1:] * off[:-1]).sum(axis=0)
    rho = np.clip(lag / np.where(variance > 0, variance, 1), 0, 1)
    return mean, np.sqrt(variance * count / (count - 1) * (weight**2).sum(axis=0) * (1 + 2 * rho))


class Frame:
    """Tangent vectors of B sequences, and what is learnt at each QR about their growth.

    Attributes
    ----------
    Q : (B, S, k)
        Orthonormal after `orthonormalise`.
    spread
        The largest spread of log R_ii over one step of any window, in nats.
    unresolved : (B,)
        Whether a window of several steps was so long that its smallest R_ii drowned in rounding.
    """

    def __init__(self, Q: np.ndarray) -> None:
        self.Q = Q
        self.eps = float(np.finfo(Q.dtype).eps)
        self.spread = 0.0
        self.taken = 0
        self.restart()

    def restart(self) -> None:
        """Forget what vanished or was not resolved; the spread is kept."""
        self.windows = 0
        self.zeros = np.zeros((self.Q.shape[0], self.Q.shape[2]), int)
        self.unresolved = np.zeros(self.Q.shape[0], bool)

    def interval(self) -> int:
        """Steps until the next QR, so that no R_ii loses more than a quarter of the digits ([geist1990]_).

        It grows from one by one step at a time, so that the spread is measured before it is relied on.

        Returns
        -------
        int
            1 to 100.
        """
        digits = -np.log(self.eps) / 4
        return int(np.clip(digits / max(self.spread, 1e-3), 1, min(1 + self.taken, 100)))

    def orthonormalise(self, pushed: np.ndarray, steps: int, jacobian: Callable[[], np.ndarray]) -> np.ndarray:
        """Replace the frame by the orthonormal basis of the pushed one.

        An R_ii is zero, and its logarithm -inf, where rows or columns of the Jacobian are zero and leave it no rank, or
        where it is within rounding of zero at every QR of the run (see `dead`).

        Parameters
        ----------
        pushed : (B, S, k)
            The frame, multiplied by the Jacobians of the window.
        steps
            Length of the window.
        jacobian
            Gives the Jacobians (B, S, S) of its last step; called only where an R_ii is small.

        Returns
        -------
        (B, k) array
            log R_ii, in float64.
        """
        Q, R = np.linalg.qr(pushed)
        diagonal = np.abs(np.einsum("...ii->...i", R)).astype(np.float64)
        floor = self.eps * pushed.shape[-2] * np.linalg.norm(pushed, axis=(-2, -1))[:, None]
        small = diagonal <= floor
        if small.any():
            if steps == 1:
                lacking, small = vanishing(diagonal, pushed, jacobian(), self.Q)
                diagonal[lacking] = 0
            else:
                self.unresolved |= small.any(axis=-1)
        self.zeros += small
        self.windows += 1
        self.taken += 1
        self.Q = Q
        with np.errstate(divide="ignore"):
            logs = np.log(diagonal)
        spread = _spread(logs)
        self.spread = max(self.spread, float(spread.max(initial=0.0)) / steps)
        self.unresolved |= (steps > 1) & (spread > -np.log(self.eps) / 2)
        return logs

    def dead(self) -> np.ndarray:
        """Directions that vanished to rounding at every QR.

        Returns
        -------
        (B, k) bool array
            Their exponents are -inf.
        """
        return (self.zeros == self.windows) & (self.windows > 0)


def vanishing(diagonal: np.ndarray, pushed: np.ndarray, J: np.ndarray, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which R_ii of the QR of ``J Q`` are zero.

    Parameters
    ----------
    diagonal : (B, k)
        |R_ii|.
    pushed : (B, S, k)
        J Q.
    J : (B, S, S)
        Jacobians.
    Q : (B, S, k)
        Orthonormal columns.

    Returns
    -------
    (B, k) bool array, (B, k) bool array
        Zero because rows or columns of J are zero and leave it no rank; zero within the rounding of the product and of
        the QR, column by column: small columns of graded matrices are exact.
    """
    rank = np.minimum((J != 0).any(axis=-1).sum(axis=-1), (J != 0).any(axis=-2).sum(axis=-1))
    lacking = np.arange(diagonal.shape[-1]) >= rank[:, None]
    size = np.linalg.norm(np.abs(J) @ np.abs(Q), axis=-2) + np.linalg.norm(pushed, axis=-2)
    return lacking, lacking | (diagonal <= 4 * float(np.finfo(Q.dtype).eps) * pushed.shape[-2] * size)


def _spread(logs: np.ndarray) -> np.ndarray:
    """Largest minus smallest finite element of each row; 0 for a row without any."""
    finite = np.isfinite(logs)
    top, bottom = (np.where(finite, logs, fill) for fill in (-np.inf, np.inf))
    return np.where(finite.any(axis=-1), top.max(axis=-1), 0) - np.where(finite.any(axis=-1), bottom.min(axis=-1), 0)


def kaplan_yorke(exponents: np.ndarray, complete: bool) -> float:
    """Kaplan-Yorke dimension ([kaplan1979]_): the number of exponents, interpolated, whose sum is zero.

    Parameters
    ----------
    exponents : (k,)
        Falling.
    complete
        Whether they are all that there are.

    Returns
    -------
    float
        0 if the first is negative; k if the sum of a complete spectrum is not negative; NaN if that of an incomplete
        one is not.

    Examples
    --------
    >>> kaplan_yorke(np.array([0.5, 0.0, -1.0]), complete=False)
    2.5
    """
    if np.isnan(exponents).any():
        return np.nan
    sums = np.cumsum(exponents)
    above = np.flatnonzero(sums >= 0)
    if not len(above):
        return 0.0
    last = above[-1]
    if last == len(exponents) - 1:
        return float(len(exponents)) if complete else np.nan
    return float(last + 1 + sums[last] / -exponents[last + 1])


def entropy_rate(exponents: np.ndarray, complete: bool) -> float:
    """Sum of the positive exponents: Pesin's value, an upper bound of the metric entropy ([pesin1977]_).

    Parameters
    ----------
    exponents : (k,)
        Falling.
    complete
        Whether they are all that there are.

    Returns
    -------
    float
        NaN if all exponents of an incomplete spectrum are positive.
    """
    if np.isnan(exponents).any() or (not complete and exponents[-1] > 0):
        return np.nan
    return float(exponents[exponents > 0].sum())
