"""Networks at rest: the exponents at the state 0 under zero input, from the eigenvalues of the recurrent weights.

There the Jacobian of every unit-by-unit cell is ``carry I + drive W``, with two numbers that its biases decide, and W
the weights of the candidate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


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
        """Gain g of Gaussian weights, variance g^2 / H, at which rest is lost as H grows: g = (1 - carry) / drive."""
        return (1 - self.carry) / self.drive

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
        radius, distance = np.exp(np.asarray(s, float)) / self.drive, abs(self.carry / self.drive)
        return overlap(radius, gain, distance) / (np.pi * gain**2)


def overlap(r, R: float, d: float):
    """Area that two disks of radii r and R share, whose centres are d apart.

    Parameters
    ----------
    r, R, d
        Radii and distance.

    Returns
    -------
    array
        Of the shape of r.
    """
    r = np.asarray(r, float)
    inner = np.pi * np.minimum(r, R) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.arccos(np.clip((d**2 + r**2 - R**2) / (2 * d * r), -1, 1))
        b = np.arccos(np.clip((d**2 + R**2 - r**2) / (2 * d * R), -1, 1))
        kite = 0.5 * np.sqrt(np.maximum((-d + r + R) * (d + r - R) * (d - r + R) * (d + r + R), 0))
        lens = r**2 * a + R**2 * b - kite
    return np.where(d >= r + R, 0.0, np.where(d <= np.abs(r - R), inner, lens))


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
    return float(1 / (1 + np.exp(-b)))
