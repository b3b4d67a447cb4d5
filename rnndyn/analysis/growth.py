"""Statistics of growth: means of logarithms with their errors, and what follows from Lyapunov exponents."""

from __future__ import annotations

import numpy as np

BLOCKS = 64
LEAST_CORRELATION = -0.4  # of neighbouring blocks: at -0.5 an error would vanish
MANY = 32  # blocks, from which on a negative correlation is believed: of few it is estimated too low


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

    def add_many(self, values: np.ndarray, steps: np.ndarray) -> None:
        """Add the growth over windows of equal length, but for the last.

        Parameters
        ----------
        values : (windows, ...)
            Sums over each window.
        steps : (windows,)
            Their lengths.
        """
        at = 0
        while at < len(values):
            begun = 0.0 if self.full == len(self.steps) else self.steps[self.full]
            room = (2 if self.full == len(self.steps) else 1) * self.length - begun
            take = max(1, min(len(values) - at, int(-(-room // steps[at]))))
            self.add(values[at : at + take].sum(axis=0), steps[at : at + take].sum())
            at += take

    def _used(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums and steps of the blocks that hold any."""
        count = int((self.steps > 0).sum())
        return self.sums[:count], self.steps[:count]

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

        The variance of the batch means is multiplied by ``1 + 2 rho``, rho their correlation at lag 1, of few blocks
        only where it is positive ([straatsma1986]_); longer correlations are not seen.

        Returns
        -------
        array
            NaN for a single block; 0 where the mean is -inf.
        """
        return mean_and_error(*self._used())[1]

    def stderr_of(self, weights: np.ndarray) -> np.ndarray:
        """Standard error of a weighted sum of the means along the last axis, correlations between them included.

        Parameters
        ----------
        weights
            Of the shape of the means; where one is 0, its mean may be -inf.

        Returns
        -------
        array
            NaN for a single block.
        """
        sums, steps = self._used()
        counting = np.where(weights != 0, sums, 0) if np.isneginf(sums).any() else sums
        return mean_and_error(np.einsum("n...k,...k->n...", counting, weights), steps)[1]

    def drift(self) -> tuple[np.ndarray, np.ndarray]:
        """Difference between the means over the second and the first half of the blocks, and its standard error.

        Returns
        -------
        array, array
            NaN where there are too few blocks to tell; 0 where a mean is -inf.
        """
        sums, steps = self._used()
        half = len(steps) // 2
        if half < 2:
            unknown = np.full(sums.shape[1:], np.nan)
            return unknown, unknown
        halves = (slice(half), slice(half, None))
        (first, error), (second, other) = (mean_and_error(sums[part], steps[part]) for part in halves)
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
    weight = steps / steps.sum()
    with np.errstate(invalid="ignore"):
        total = sums.sum(axis=0)
    known = np.isfinite(total)
    mean = np.where(known, total, 0) / steps.sum()
    off = (sums if known.all() else np.where(known, sums, 0)) / length - mean
    variance = np.einsum("n,n...,n...->...", weight, off, off)
    lag = np.einsum("n,n...,n...->...", weight[1:], off[1:], off[:-1])
    rho = np.clip(lag / np.where(variance > 0, variance, 1), LEAST_CORRELATION if count >= MANY else 0, 1)
    return mean, np.sqrt(variance * count / (count - 1) * (weight**2).sum() * (1 + 2 * rho))


def kaplan_yorke(exponents: np.ndarray, complete: bool) -> np.ndarray:
    """Kaplan-Yorke dimension ([kaplan1979]_): the number of exponents, interpolated, whose sum is zero.

    Parameters
    ----------
    exponents : (..., k)
        Falling.
    complete
        Whether they are all that there are.

    Returns
    -------
    (...) array
        0 if the first is negative; k if the sum of a complete spectrum is not negative; NaN if that of an incomplete
        one is not.

    Examples
    --------
    >>> kaplan_yorke(np.array([[0.5, 0.0, -1.0], [-0.1, -0.2, -0.3]]), complete=False).tolist()
    [2.5, 0.0]
    """
    k = exponents.shape[-1]
    sums = np.cumsum(exponents, axis=-1)
    count = np.where(sums >= 0, np.arange(1, k + 1), 0).max(axis=-1)  # up to the last sum that is not negative
    at = np.clip(count - 1, 0, None)[..., None]
    over = np.take_along_axis(sums, at, -1)[..., 0]
    following = np.take_along_axis(exponents, np.minimum(at + 1, k - 1), -1)[..., 0]
    inside = (0 < count) & (count < k)
    dimension = count + np.where(inside, over, 0.0) / np.where(inside, -following, 1.0)
    unknown = np.isnan(exponents).any(axis=-1) | ((count == k) & (not complete))
    return np.where(unknown, np.nan, dimension)


def entropy_rate(exponents: np.ndarray, complete: bool) -> np.ndarray:
    """Sum of the positive exponents: Pesin's value, an upper bound of the metric entropy ([pesin1977]_).

    Parameters
    ----------
    exponents : (..., k)
        Falling.
    complete
        Whether they are all that there are.

    Returns
    -------
    (...) array
        NaN if all exponents of an incomplete spectrum are positive.
    """
    unknown = np.isnan(exponents).any(axis=-1) | ((exponents[..., -1] > 0) & (not complete))
    return np.where(unknown, np.nan, np.where(exponents > 0, exponents, 0).sum(axis=-1))


def dimension_weights(exponents: np.ndarray, complete: bool) -> np.ndarray:
    """Derivatives of the Kaplan-Yorke dimension by the exponents.

    Parameters
    ----------
    exponents : (..., k)
        Falling.
    complete
        Whether they are all that there are.

    Returns
    -------
    (..., k) array
        Zeros where the dimension does not change with them, or is not known.

    Examples
    --------
    >>> dimension_weights(np.array([0.5, 0.0, -1.0]), complete=False).tolist()
    [1.0, 1.0, 0.5]
    """
    k = exponents.shape[-1]
    dimension = kaplan_yorke(exponents, complete)
    whole = np.where(np.isfinite(dimension), dimension, 0).astype(int)[..., None]
    last = np.take_along_axis(exponents, np.minimum(whole, k - 1), -1)
    inside = (0 < whole) & (whole < k) & np.isfinite(last)
    last, place = np.where(inside, last, -1.0), np.arange(k)
    before = np.where(inside & (place < whole), exponents, 0).sum(axis=-1, keepdims=True)
    return np.where(inside, np.where(place < whole, -1 / last, np.where(place == whole, before / last**2, 0.0)), 0.0)
