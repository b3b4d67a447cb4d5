"""Frames of tangent vectors, kept orthonormal by Householder's QR.

A frame Q (B, S, k) is pushed by Jacobians, `J Q = Q' R`; the exponents are the means of log R_ii ([benettin1980]_,
[shimada1979]_). This is the form without compiled code, and the one that decides what is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Frame:
    """Tangent vectors of B sequences, and what is learnt at each QR about their growth.

    Attributes
    ----------
    Q : (B, S, k)
        Orthonormal after `orthonormalise`.
    spread, reach
        The largest spread of log R_ii, and the largest of their sizes, over one step of any window, in nats.
    unresolved : (B,)
        Whether a window of several steps was so long that its smallest R_ii drowned in rounding.
    """

    def __init__(self, Q: np.ndarray) -> None:
        self.Q = Q
        self.eps = float(np.finfo(Q.dtype).eps)
        self.room = float(np.log(np.finfo(Q.dtype).max)) / 4
        self.spread = self.reach = 0.0
        self.taken = 0
        self.restart()

    def restart(self) -> None:
        """Forget what vanished or was not resolved; the spread is kept."""
        self.windows = 0
        self.zeros = np.zeros((self.Q.shape[0], self.Q.shape[2]), int)
        self.unresolved = np.zeros(self.Q.shape[0], bool)

    def interval(self) -> int:
        """Steps until the next QR, so that no R_ii loses more than a quarter of the digits ([geist1990]_).

        Returns
        -------
        int
            1 to `longest`.
        """
        return int(np.clip(-np.log(self.eps) / 4 / max(self.spread, 1e-3), 1, self.longest()))

    def longest(self) -> int:
        """Steps in which no vector grows or shrinks by more than a quarter of the range of numbers.

        It grows from one by one step at a time, so that the growth is measured before it is relied on.

        Returns
        -------
        int
            1 to 100.
        """
        return int(np.clip(self.room / max(self.reach, 1e-3), 1, min(1 + self.taken, 100)))

    def learn(self, logs: np.ndarray, steps: Any) -> np.ndarray:
        """Take note of the growth in some windows.

        Parameters
        ----------
        logs : (n, k)
            Logarithms of R_ii; infinite ones do not count.
        steps : int or (n,)
            Lengths of the windows.

        Returns
        -------
        (n,) array
            The spread of each window.
        """
        spread = spreads(logs)
        size = np.where(np.isfinite(logs), np.abs(logs), 0).max(axis=-1, initial=0.0)
        self.spread = max(self.spread, float((spread / steps).max(initial=0.0)))
        self.reach = max(self.reach, float((size / steps).max(initial=0.0)))
        return spread

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
        floor = self.eps * pushed.shape[-2] * _norm(pushed, (-2, -1))[:, None]
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
        self.unresolved |= (steps > 1) & (self.learn(logs, steps) > -np.log(self.eps) / 2)
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
    size = _norm(np.abs(J) @ np.abs(Q)) + _norm(pushed)
    return lacking, lacking | (diagonal <= 4 * float(np.finfo(Q.dtype).eps) * pushed.shape[-2] * size)


def _norm(vectors: np.ndarray, axis: Any = -2) -> np.ndarray:
    """2-norm whose squares do not leave the range of numbers."""
    largest = np.abs(vectors).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest, 1)
    return np.squeeze(scale, axis) * np.linalg.norm(vectors / scale, axis=axis)


def spreads(logs: np.ndarray) -> np.ndarray:
    """Largest minus smallest finite element of each row; 0 for a row without any."""
    finite = np.isfinite(logs)
    top, bottom = (np.where(finite, logs, fill) for fill in (-np.inf, np.inf))
    return np.where(finite.any(axis=-1), top.max(axis=-1), 0) - np.where(finite.any(axis=-1), bottom.min(axis=-1), 0)
