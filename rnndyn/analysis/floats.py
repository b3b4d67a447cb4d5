"""Floating-point numbers with an exponent of their own that is as good as unbounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ZERO = -(1 << 60)  # exponent of zero: below every other, and twice it is still an integer
LOST = -2000  # shifted so far, a fraction is zero


@dataclass(frozen=True)
class Float:  # numpydoc ignore=PR02
    """Numbers ``fraction * 2^exponent`` that neither over- nor underflow: 1/2 <= |fraction| < 1, or 0.

    Sums and products round as those of float64 do; scales are exact.

    Parameters
    ----------
    fraction, exponent
        Arrays of one shape.
    """

    fraction: np.ndarray
    exponent: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, exponent: np.ndarray | int = 0) -> Float:
        """Make the numbers ``x * 2^exponent``.

        Parameters
        ----------
        x
            Finite.
        exponent
            Integers.

        Returns
        -------
        Float
            Of the shape of `x`.

        Examples
        --------
        >>> tiny = Float.of(np.array([1e-300]))
        >>> (tiny * tiny + tiny * tiny * tiny).log().round(3).tolist()
        [-1381.551]
        """
        fraction, own = np.frexp(x)
        return cls(fraction, np.where(fraction == 0, ZERO, own + np.asarray(exponent, np.int64)))

    def __getitem__(self, at: Any) -> Float:
        return Float(self.fraction[at], self.exponent[at])

    def __mul__(self, other: Float) -> Float:
        return Float.of(self.fraction * other.fraction, np.maximum(self.exponent + other.exponent, ZERO))

    def __add__(self, other: Float) -> Float:
        top = np.maximum(self.exponent, other.exponent)
        return Float.of(self.shifted(top) + other.shifted(top), top)

    def shifted(self, to: np.ndarray) -> np.ndarray:
        """Give the numbers over ``2^to``.

        Parameters
        ----------
        to
            Exponents, none far below those of the numbers.

        Returns
        -------
        array
            Ordinary floats.
        """
        return np.ldexp(self.fraction, np.maximum(self.exponent - to, LOST))

    def beside(self, other: Float) -> Float:
        """Join both along the second axis.

        Parameters
        ----------
        other
            Of the same shape but for the second axis.

        Returns
        -------
        Float
            This one first.
        """
        fractions, exponents = (self.fraction, other.fraction), (self.exponent, other.exponent)
        return Float(np.concatenate(fractions, axis=1), np.concatenate(exponents, axis=1))

    def sign(self) -> np.ndarray:
        """Give the signs.

        Returns
        -------
        array of int
            -1, 0 or 1.
        """
        return np.sign(self.fraction).astype(int)

    def log(self) -> np.ndarray:
        """Give the logarithms of the absolute values.

        Returns
        -------
        array
            -inf for 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(np.abs(self.fraction)) + np.where(self.fraction == 0, 0, self.exponent) * np.log(2)
