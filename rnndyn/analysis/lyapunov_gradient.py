"""Gradient of Lyapunov exponents with respect to the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn.analysis import front
from rnndyn.analysis.variation import Stretch, Sums
from rnndyn.errors import check_device
from rnndyn.frontdoor import as_sequences, as_window
from rnndyn.losses import called
from rnndyn.networks.base import Gradients
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.passes import no_inputs
from rnndyn.validate import as_array, as_generator, as_integer


def lyapunov_value_and_grad(
    net: Any,
    inputs: Any,
    targets: Any = 0.0,
    *,
    loss: Any = None,
    k: int | None = None,
    warmup: int = 0,
    initial_state: Any = None,
    qr_interval: int = 1,
    rng: Any = None,
    device: str = "cpu",
) -> tuple[float, np.ndarray, Gradients]:
    """Loss of the Lyapunov exponents of a finite run, and its gradient with respect to the weights.

    With it a network is given the exponents that are wanted: with targets of 0 its leading directions neither fade nor
    explode, and gradients reach far back in time ("gradient flossing", [engelken2023]_).

    Parameters
    ----------
    net
        A network of one cell: any but `Map`, `LayerNormLSTM`, and networks of networks.
    inputs : (B, T, I) or (T, I), or int
        Input sequences; for an autonomous network the number of steps T.
    targets : float or array_like
        (k,) or (B, k): the exponents that are wanted, in nats per step. Not used with a callable `loss`.
    loss
        By default the mean of ``(exponent - target)^2`` over exponents and sequences. A callable takes the exponents
        (B, k) and returns the value and its derivative with respect to them.
    k
        Number of leading exponents; None for all.
    warmup
        Steps at the start that count for nothing but to align the tangent vectors; fewer than T. The gradient goes
        through them as well.
    initial_state : (S,) or (B, S), optional
        Random by default: uniform in [-1, 1).
    qr_interval
        Steps between orthonormalisations.
    rng
        Seed or Generator of the random initial states and of the first frame.
    device
        "cpu".

    Returns
    -------
    value : float
        The loss.
    exponents : (B, k) or (k,) ndarray
        ``1 / (T - warmup) sum_t log |R_ii(t)|``, in the order of the frame, which falls where T is large.
    gradients : Gradients
        dL/dfield under the name of each field of the network, zeros for a read-out. All in float64, whatever the
        dtype of the network.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    FloatingPointError
        Where a state or a gradient is not finite, or an exponent is -inf: its derivative does not exist.

    Notes
    -----
    The derivative is that of the exponents of this very run, from this state and this frame, exact up to rounding:
    through ``Z = Q R`` by the adjoint ``Zbar = (Qbar + Q copyltu(diag(Rbar R^T) - Qbar^T Q)) R^-T`` ([liao2019]_),
    and through ``Z_t = J_t Q_t-1`` and the states by the adjoint of the variational equation, for
    which the second derivatives of each unit come from dual numbers. Rounding grows with the condition of R, some
    ``exp(qr_interval (lambda_1 - lambda_k))``, and, where the run is chaotic, the gradient itself with
    ``exp(lambda_1 T)``: there T has to be short.

    Cost: O(S^2 k) a step and sequence, some three to four times that of the exponents alone; memory O(B sqrt(T) S k),
    by checkpoints every sqrt(T) steps.

    Examples
    --------
    >>> import numpy as np, rnndyn as rd
    >>> net = rd.Linear(None, [[0.5, 0.0], [0.0, 0.25]])
    >>> value, exponents, gradients = lyapunov_value_and_grad(net, 50, loss=lambda e: (e.sum(), np.ones_like(e)), rng=0)
    >>> exponents.sum().round(6).item(), np.log(0.5 * 0.25).round(6).item()
    (-2.079442, -2.079442)
    >>> (gradients.W_hh.round(6) + 0.0).tolist()  # d log |det W| / dW = W^-T
    [[2.0, 0.0], [0.0, 4.0]]
    """
    check_device(device)
    if not isinstance(net, CellNetwork):
        raise TypeError(f"net is a {type(net).__name__}: a network of one cell is wanted, such as rnndyn.Elman")
    net = net.astype("float64")
    x, s0, steps, single = as_sequences(net, inputs, initial_state)
    rows, k, rng = len(s0), front.count(k, "k", net.state_size), as_generator(rng)
    if not rows:
        raise ValueError("inputs has no sequences: at least one is wanted")
    if initial_state is None:
        s0 = front.random_states(net, rows, rng)
    if not steps:
        raise ValueError("inputs has no time steps: at least one is wanted")
    warmup = as_integer(warmup, "warmup", minimum=0, maximum=steps - 1)
    interval = as_integer(qr_interval, "qr_interval", minimum=1)
    x = no_inputs(net, rows, steps) if x is None else x
    frame = np.linalg.qr(rng.standard_normal((net.state_size, k)))[0]
    chain = Chain(net, x, s0, np.repeat(frame[None], rows, axis=0), warmup, interval)
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        exponents = chain.exponents()
    if loss is None:
        dims, sizes = ("batch", "index"), {"batch": rows, "index": k}
        wanted = as_array(targets, "targets", dims, sizes=sizes, dtype="float64", optional=dims)
        value, g = float(np.mean((exponents - wanted) ** 2)), 2 * (exponents - wanted) / exponents.size
    else:
        value, g = called(loss, exponents)
    with np.errstate(over="ignore", invalid="ignore"):
        gradients = chain.gradients(g)
    if not np.isfinite(gradients.norm()):
        raise FloatingPointError("the gradient is not finite: take fewer steps, or fewer exponents")
    return value, exponents[0] if single else exponents, gradients


class Chain:
    """States and frames of a run, ``J_t Q_t-1 = Q_t R_t``, and the way back through them.

    Parameters
    ----------
    net
        The network, in float64.
    x : (B, T, I)
        Inputs.
    s0 : (B, S)
        States before the first step.
    frame : (B, S, k)
        Orthonormal vectors before the first step.
    warmup
        Steps that do not count.
    interval
        Steps between orthonormalisations.
    """

    def __init__(self, net: CellNetwork, x, s0: np.ndarray, frame: np.ndarray, warmup: int, interval: int) -> None:
        self.net, self.x, self.start, self.warmup, self.interval = net, x, (s0, frame), warmup, interval
        self.steps = x.shape[1]
        length = as_window(True, self.steps)
        self.windows = [(t, min(self.steps, t + length)) for t in range(0, self.steps, length)]

    def exponents(self) -> np.ndarray:
        """Run forward, and keep states and vectors at the start of each window.

        Returns
        -------
        (B, k) array
            Finite-time exponents.
        """
        s, V = self.start
        self.kept, logs = [], np.zeros((V.shape[0], V.shape[2]))
        for window in self.windows:
            self.kept.append((s, V))
            stretch = self._stretch(window, s)
            for t in range(*window):
                V = stretch.push(t - window[0], stretch.directions(t - window[0], V))
                if self._orthonormal_after(t):
                    V, R = _qr(V, t)
                    logs += np.log(np.abs(_diagonal(R))) * (t >= self.warmup)
            s = stretch.last
        return logs / (self.steps - self.warmup)

    def gradients(self, g: np.ndarray) -> Gradients:
        """Go back through the run.

        Parameters
        ----------
        g : (B, k)
            dL/d exponents.

        Returns
        -------
        Gradients
            dL/dfield.
        """
        g, sums = g / (self.steps - self.warmup), Sums(self.net)
        adjoint = np.zeros((len(g), self.net.state_size, 1 + g.shape[1]))
        for window, (s, V) in zip(self.windows[::-1], self.kept[::-1], strict=True):
            stretch = self._stretch(window, s, curved=True)
            trail = []
            for t in range(*window):
                z, QR = stretch.directions(t - window[0], V), None
                V = stretch.push(t - window[0], z)
                if self._orthonormal_after(t):
                    V, R = QR = _qr(V, t)
                trail.append((z, QR))
            for t in range(window[1] - 1, window[0] - 1, -1):
                z, QR = trail.pop()
                if QR is not None:
                    adjoint[..., 1:] = qr_adjoint(*QR, adjoint[..., 1:], g * (t >= self.warmup))
                adjoint = stretch.pull(t - window[0], z, adjoint, sums)
        return sums.gradients()

    def _stretch(self, window: tuple[int, int], s: np.ndarray, *, curved: bool = False) -> Stretch:
        x = np.ascontiguousarray(self.x[:, slice(*window)])
        return Stretch(self.net, x, s, curved=curved)

    def _orthonormal_after(self, t: int) -> bool:
        return (t + 1) % self.interval == 0 or t + 1 in (self.warmup, self.steps)


def qr_adjoint(Q: np.ndarray, R: np.ndarray, Qbar: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Adjoint of ``Z = Q R`` for a loss of Q and of the logarithms of the diagonal of R.

    Parameters
    ----------
    Q, R : (B, S, k) and (B, k, k)
        The factors.
    Qbar : (B, S, k)
        dL/dQ.
    g : (B, k)
        dL/d log |R_ii|.

    Returns
    -------
    (B, S, k) array
        dL/dZ.
    """
    M = np.tril(-np.swapaxes(Qbar, 1, 2) @ Q)
    M[:, *np.diag_indices(g.shape[1])] += g
    symmetric = M + np.swapaxes(np.tril(M, -1), 1, 2)
    return np.swapaxes(np.linalg.solve(R, np.swapaxes(Qbar + Q @ symmetric, 1, 2)), 1, 2)


def _qr(Z: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
    """``Q, R``; an error where an exponent has no derivative."""
    if not np.isfinite(Z).all():
        raise FloatingPointError(f"tangent vectors are not finite at step {t + 1}: the run diverges; take fewer steps")
    Q, R = np.linalg.qr(Z)
    noise = Z.shape[1] * np.finfo(Z.dtype).eps * np.abs(Z).max(axis=(1, 2))
    lost = (np.abs(_diagonal(R)) <= noise[:, None]).any(axis=0)
    if lost.any():
        which = f"exponent {lost.argmax() + 1} is -inf or lost in rounding at step {t + 1}"
        raise FloatingPointError(f"{which}, so it has no derivative: pass a smaller k or qr_interval")
    return Q, R


def _diagonal(R: np.ndarray) -> np.ndarray:
    return np.diagonal(R, axis1=1, axis2=2)
