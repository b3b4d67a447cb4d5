"""Networks at rest: the exponents at the state 0 under zero input, from the eigenvalues of the recurrent weights.

There the Jacobian of every unit-by-unit cell is ``carry I + drive W``, with two numbers that its biases decide, and W
the weights of the candidate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from rnndyn.validate import as_array, as_number, choice

CONNECTIVITIES = ("gaussian", "orthogonal")
HALVINGS = 60  # down to the last digit of a radius


class Factors(NamedTuple):
    """Jacobian at rest ``carry I + drive W``; ``lost`` further exponents a unit are -inf."""

    carry: float
    drive: float
    lost: int = 0

    def exponents(self, eigenvalues) -> np.ndarray:
        """Lyapunov exponents, exact for the size at hand.

        Parameters
        ----------
        eigenvalues : (H,)
            Of the recurrent weights W.

        Returns
        -------
        ((1 + lost) H,) array
            ln |carry + drive mu|, falling, in nats per step; then the -inf.

        Examples
        --------
        >>> Factors(0.0, 1.0).exponents([0.5, -1.0]).round(4).tolist()
        [0.0, -0.6931]
        """
        mu = np.asarray(eigenvalues)
        with np.errstate(divide="ignore"):
            known = np.sort(np.log(np.abs(self.carry + self.drive * mu)))[::-1]
        return np.concatenate([known, np.full(self.lost * len(mu), -np.inf)])

    @property
    def critical_gain(self) -> float:
        """Gain g of Gaussian weights, variance g^2 / H, at which rest is lost as H grows: g = (1 - |carry|) / drive."""
        return (1 - abs(self.carry)) / self.drive

    def below(self, s, gain: float):
        """Fraction of the finite exponents below s, for Gaussian weights as H grows.

        The eigenvalues fill the disk of radius `gain` evenly ([girko1985]_); those with an exponent below s are its
        part within e^s / drive of -carry / drive.

        Parameters
        ----------
        s
            Exponents, in nats per step.
        gain
            g, of weights of variance g^2 / H.

        Returns
        -------
        array
            From 0 to 1.

        Examples
        --------
        >>> float(Factors(0.0, 1.0).below(np.log(0.5), 1.0))
        0.25
        """
        gain = as_number(gain, "gain", above=0)
        radius, distance = np.exp(np.asarray(s, float)) / self.drive, abs(self.carry / self.drive)
        return overlap(radius, gain, distance) / (np.pi * gain**2)

    def spectrum(self, fraction, gain: float, connectivity: str = "gaussian") -> np.ndarray:
        """Finite exponents at the fractions i/H from the top, as H grows.

        Parameters
        ----------
        fraction
            Between 0 (the largest) and 1.
        gain
            g, of Gaussian weights of variance g^2 / H, or of orthogonal weights times g.
        connectivity
            "gaussian", with eigenvalues even in a disk, or "orthogonal", with eigenvalues even on its rim.

        Returns
        -------
        array
            In nats per step.

        Raises
        ------
        TypeError, ValueError
            Naming the argument.

        Examples
        --------
        >>> Factors(0.5, 0.5).spectrum([0.0, 1.0], 1.0, "orthogonal").tolist()
        [0.0, -inf]
        """
        y, gain = fractions(fraction), as_number(gain, "gain", above=0)
        carry, reach = abs(self.carry), self.drive * gain  # of eigenvalues even around 0 a sign makes no others
        if choice(connectivity, "connectivity", CONNECTIVITIES) == "orthogonal":
            squares = (carry - reach) ** 2 + 4 * carry * reach * np.sin(0.5 * np.pi * (1 - y)) ** 2
        else:
            distance, all_of_it = carry / self.drive, np.pi * gain**2

            def few(radius):
                return overlap(radius / self.drive, gain, distance) <= all_of_it * (1 - y)

            squares = _last(few, np.full(y.shape, max(carry - reach, 0.0)), carry + reach) ** 2
        with np.errstate(divide="ignore"):
            return 0.5 * np.log(squares)


def flow_at_rest(fraction, gain: float, connectivity: str = "gaussian") -> np.ndarray:
    """Exponents of ``dx/dt = -x + J x`` at the fractions i/H from the top, as H grows: real parts of eigenvalues.

    Parameters
    ----------
    fraction, gain, connectivity
        As in `Factors.spectrum`.

    Returns
    -------
    array
        In nats per time constant.

    Examples
    --------
    >>> flow_at_rest([0.0, 0.5, 1.0], 0.5).round(12).tolist()
    [-0.5, -1.0, -1.5]
    """
    y, gain = fractions(fraction), as_number(gain, "gain", above=0)
    if choice(connectivity, "connectivity", CONNECTIVITIES) == "orthogonal":
        return gain * np.cos(np.pi * y) - 1
    return gain * np.cos(_last(lambda angle: _segment(angle) <= np.pi * y, np.zeros(y.shape), np.pi)) - 1


def fractions(fraction) -> np.ndarray:
    """Fractions from the top of a spectrum, checked.

    Parameters
    ----------
    fraction
        Between 0 and 1.

    Returns
    -------
    array
        Of the shape of `fraction`.
    """
    y = as_array(fraction, "fraction", dtype="float64")
    if not ((y >= 0) & (y <= 1)).all():
        raise ValueError(f"fraction reaches from {y.min():g} to {y.max():g}: numbers between 0 and 1 are wanted")
    return y


def _last(holds, low: np.ndarray, most: float) -> np.ndarray:
    """Largest numbers between low and most at which `holds`, which is true below them and false above."""
    high = np.full(low.shape, most)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        true = holds(middle)
        low, high = np.where(true, middle, low), np.where(true, high, middle)
    return low


def overlap(r, R: float, d: float):
    """Area that two disks of radii r and R share, whose centres are d apart.

    The two segments beside the common chord, both positive: no digits are lost where the disks nearly touch, from
    outside or inside, or where one is much the larger.

    Parameters
    ----------
    r, R, d
        Radii and distance.

    Returns
    -------
    array
        Of the shape of r.

    Examples
    --------
    >>> round(float(overlap(1.0, 1.0, 2 - 2**-40)) / (8 / 3 * 2**-61), 12)  # a lens so thin is two parabolas
    1.0
    """
    r = np.asarray(r, float)
    inner = np.pi * np.minimum(r, R) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        half_chord = _four_areas(r, R, d) / (2 * d)
        a = np.arctan2(half_chord, _excess(r, d, R) / (2 * d))
        b = np.arctan2(half_chord, _excess(R, d, r) / (2 * d))
        lens = r**2 * _segment(a) + R**2 * _segment(b)
    return np.where(d >= r + R, 0.0, np.where(d <= np.abs(r - R), inner, lens))


def _four_areas(r, R: float, d: float) -> np.ndarray:
    """Four times the area of the triangle with these sides, in Kahan's order of Heron's formula."""
    c, b, a = np.sort(np.broadcast_arrays(r, R, d), axis=0)
    return np.sqrt(np.maximum((a + (b + c)) * (c - (a - b)) * (c + (a - b)) * (a + (b - c)), 0))


def _excess(a, b, c) -> np.ndarray:
    """``a^2 + b^2 - c^2``, by the difference of squares that are closer."""
    near = np.abs(a - c) < np.abs(b - c)
    return np.where(near, (a - c) * (a + c) + b**2, (b - c) * (b + c) + a**2)


def _segment(angle) -> np.ndarray:
    """Area that a chord cuts off the unit disk, seen from its centre under twice the angle; digits stay near 0."""
    x = 2 * angle
    series = np.zeros_like(x)
    for n in range(19, 2, -2):  # x^3 / 3! - x^5 / 5! + ...; the next term is below 1e-19 of the first for x < 1
        series = x**2 / (n * (n - 1)) * (1 - series)
    return 0.5 * np.where(x < 1, x * series, x - np.sin(x))


def leaky_at_rest(alpha: float = 1.0) -> Factors:
    """Factors of tanh units, plain (alpha = 1, an Elman network) or leaky in either form.

    Parameters
    ----------
    alpha
        dt / tau.

    Returns
    -------
    Factors
        1 - alpha and alpha.
    """
    return Factors(1 - alpha, alpha)


def gru_at_rest(b_r: float = 0.0, b_z: float = 0.0, *, update: str = "keep") -> Factors:
    """Factors of a GRU, the same for both placements of the reset; W are the weights of the candidate.

    Parameters
    ----------
    b_r, b_z
        Biases of reset and update gate, the same for all units; that of the candidate is zero.
    update
        As in `GRU`: whether the update gate z keeps the old state or writes the new one.

    Returns
    -------
    Factors
        k and (1 - k) r, k the weight of the old state.

    Examples
    --------
    >>> gru_at_rest().critical_gain, round(gru_at_rest(b_r=1.0).critical_gain, 4)
    (2.0, 1.3679)
    """
    if update not in ("keep", "write"):
        raise ValueError(f"update is {update!r}: 'keep' or 'write' is wanted")
    keep = _sigmoid(b_z if update == "keep" else -b_z)
    return Factors(keep, (1 - keep) * _sigmoid(b_r))


def lstm_at_rest(b_i: float = 0.0, b_f: float = 0.0, b_o: float = 0.0) -> Factors:
    """Factors of an LSTM without peepholes; W are the weights of the candidate g.

    Parameters
    ----------
    b_i, b_f, b_o
        Biases of input, forget and output gate, the same for all units; that of the candidate is zero.

    Returns
    -------
    Factors
        f and i o; the Jacobian has rank H, so that H of the 2 H exponents are -inf.

    Examples
    --------
    >>> [round(lstm_at_rest(b_f=b).critical_gain, 4) for b in (0.0, 1.0, 2.0)]
    [2.0, 1.0758, 0.4768]
    """
    return Factors(_sigmoid(b_f), _sigmoid(b_i) * _sigmoid(b_o), 1)


def _sigmoid(b: float) -> float:
    return float(expit(b))
