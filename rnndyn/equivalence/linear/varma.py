"""Vector autoregressions with moving-average noise and inputs, as an object: VARMAX models."""

from __future__ import annotations

import math
import warnings
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.linalg import LinAlgError

from rnndyn.equivalence.linear import filtering, state_space
from rnndyn.equivalence.linear.filtering import Start
from rnndyn.equivalence.linear.kalman import as_series
from rnndyn.equivalence.linear.simulation import draw
from rnndyn.equivalence.linear.state_space import StateSpace, factor, radius
from rnndyn.networks import Linear
from rnndyn.networks.elman import check_covariance
from rnndyn.validate import as_array, as_integer

EDGE = 1 - 1e-12  # a spectral radius from here on is not below 1
EPS = float(np.finfo(np.float64).eps)
LARGEST = 1 << 26  # numbers of weights that are summed up


class Conversion(NamedTuple):
    """How `rnndyn.to_varma` found a model, and what it left out.

    `psi_error` is the largest error of the weights psi_j and of the responses to inputs over `lags` lags, in units of
    the innovations' standard deviations. `degree` is McMillan's: the least number of state variables with the same
    weights. The eigenvalues in `unobservable` and `unreachable` belong to modes of the network that its outputs do not
    show, or that neither noise nor inputs drive: factors that AR and MA polynomial have in common.
    """

    method: str
    psi_error: float
    lags: int
    degree: int
    unobservable: tuple[complex, ...]
    unreachable: tuple[complex, ...]


@dataclass(frozen=True, eq=False, repr=False)
class VARMA:  # numpydoc ignore=PR02
    """``y_t = const + sum_i ar_i y_{t-i} + sum_j exog_j x_{t-j} + e_t + sum_j ma_j e_{t-j}``, e_t Gaussian and white.

    Sums over y and e begin at lag 1, that over the inputs x at lag 0 ([lutkepohl2005]_, chapters 10 and 11).

    Parameters
    ----------
    ar : (p, O, O)
        Autoregressive coefficients, lags 1 to p.
    ma : (q, O, O)
        Coefficients of the moving average, lags 1 to q.
    noise_cov : (O, O)
        Covariance of e_t; symmetric and positive semidefinite.
    exog : (r, O, I), optional
        Coefficients of the inputs, lags 0 to r - 1.
    const : (O,), optional
        Constant; zero by default.
    conversion : Conversion, optional
        Where it came from, if from `rnndyn.to_varma`.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    The same process has many such forms: compare `psi`, `autocovariance`, `spectrum` and `loglik`, not coefficients.

    Examples
    --------
    >>> model = VARMA([[[0.9]]], [[[-0.4]]], [[1.0]])
    >>> model.psi(3).ravel().round(3).tolist()
    [1.0, 0.5, 0.45, 0.405]
    >>> model.autocovariance(1).ravel().round(3).tolist()
    [2.316, 1.684]
    """

    ar: Any
    ma: Any
    noise_cov: Any
    _: KW_ONLY
    exog: Any = None
    const: Any = None
    conversion: Conversion | None = None

    def __post_init__(self) -> None:
        dims = ("output", "output_2")
        noise_cov = as_array(self.noise_cov, "noise_cov", dims, dtype="float64")
        sizes = dict.fromkeys(dims, len(noise_cov))
        as_array(noise_cov, "noise_cov", dims, sizes=sizes)
        check_covariance(noise_cov, "noise_cov")
        arrays = {"noise_cov": noise_cov}
        for name in ("ar", "ma"):
            given = getattr(self, name)
            given = np.zeros((0, *noise_cov.shape)) if given is None or not np.size(given) else given
            arrays[name] = as_array(given, name, ("lag", *dims), sizes=sizes, dtype="float64")
        exog = np.zeros((0, len(noise_cov), 0)) if self.exog is None else self.exog
        const = np.zeros(len(noise_cov)) if self.const is None else self.const
        arrays["exog"] = as_array(exog, "exog", ("lag", "output", "input"), sizes=sizes, dtype="float64")
        arrays["const"] = as_array(const, "const", ("output",), sizes=sizes, dtype="float64")
        for name, array in arrays.items():
            array = array.copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        p, q, r = len(self.ar), len(self.ma), len(self.exog)
        return f"VARMA(outputs={len(self.const)}, p={p}, q={q}, inputs={self.exog.shape[2]}, r={r})"

    # --- its numbers --------------------------------------------------------------------------------------------------

    def psi(self, n: int) -> np.ndarray:
        """Weights of the innovations in ``y_t = mean + sum_j psi_j e_{t-j}``.

        Parameters
        ----------
        n
            Largest lag.

        Returns
        -------
        ndarray
            (n + 1, O, O); the first is the identity.
        """
        return expand(self.ar, np.concatenate([np.eye(len(self.const))[None], self.ma]), as_integer(n, "n", minimum=0))

    def input_response(self, n: int) -> np.ndarray:
        """Responses of y_t to the inputs x_{t-j}, j = 0..n.

        Parameters
        ----------
        n
            Largest lag.

        Returns
        -------
        ndarray
            (n + 1, O, I).
        """
        return expand(self.ar, self.exog, as_integer(n, "n", minimum=0))

    @property
    def ar_eigenvalues(self) -> np.ndarray:
        """Reciprocals of the roots of det(I - sum ar_i z^i), (p O,); all inside the unit circle: stationary."""
        return np.linalg.eigvals(companion(self.ar))

    @property
    def ma_eigenvalues(self) -> np.ndarray:
        """Reciprocals of the roots of det(I + sum ma_j z^j), (q O,); all inside the unit circle: invertible."""
        return np.linalg.eigvals(companion(-self.ma))

    @property
    def mean(self) -> np.ndarray:
        """Mean (O,) of y without inputs."""
        self._check_stationary()
        return np.linalg.solve(np.eye(len(self.const)) - self.ar.sum(axis=0), self.const)

    def autocovariance(self, n: int) -> np.ndarray:
        """Covariances of y_{t+k} with y_t, k = 0..n.

        Parameters
        ----------
        n
            Largest lag.

        Returns
        -------
        ndarray
            (n + 1, O, O).

        Raises
        ------
        ValueError
            For a model that is not stationary.
        """
        n = as_integer(n, "n", minimum=0)
        V, F = self._model.V, self._start.factor
        out, later = [], F
        for _ in range(n + 1):
            out.append(V @ later @ F.T @ V.T)
            later = self._model.A @ later
        return np.array(out)

    def spectrum(self, frequency: Any) -> np.ndarray:
        """Spectral density matrix; its mean over all frequencies is the covariance of y.

        Parameters
        ----------
        frequency : (F,)
            Angular frequencies, in radians per step.

        Returns
        -------
        ndarray
            (F, O, O), complex and Hermitian. log det is log det noise_cov in the mean, if the model is invertible.
        """
        w = as_array(frequency, "frequency", ("frequency",), dtype="float64")
        left, right = (self._at(sign * a, w) for sign, a in ((-1, self.ar), (1, self.ma)))
        H = np.linalg.solve(left, right)
        return H @ self.noise_cov @ H.conj().transpose(0, 2, 1)

    def _at(self, coefficients: np.ndarray, w: np.ndarray) -> np.ndarray:
        """I + sum_j c_j exp(-i w j)."""
        z = np.exp(-1j * np.outer(w, np.arange(1, len(coefficients) + 1)))
        return np.eye(len(self.const)) + np.tensordot(z, coefficients, 1)

    def loglik(self, y: Any, inputs: Any = None) -> Any:
        """Exact log-likelihood of sequences that begin in the stationary law, in nats.

        Parameters
        ----------
        y : (B, T, O) or (T, O); (T,) for one output
            Outputs; NaN is a missing value.
        inputs : (B, T, I) or (T, I), optional
            Inputs x_1 ... x_T; those before are taken to be zero.

        Returns
        -------
        float, or ndarray of shape (B,)
            By the Kalman filter of `to_rnn`.

        Raises
        ------
        TypeError, ValueError
            Naming the argument; for a model that is not stationary, or of singular noise_cov.
        """
        self._check_stationary()
        series, single = as_series(y, inputs, len(self.const), self.exog.shape[2])
        start = self._start
        gains = filtering.gains(self._model, start, series.y, smoothing=False)
        loglik = filtering.filter_means(self._model, start, series, gains).loglik.sum(axis=1)
        return float(loglik[0]) if single else loglik

    def simulate(self, steps: int, *, inputs: Any = None, batch: int | None = None, rng: Any = None) -> np.ndarray:
        """Draw sequences from the stationary law.

        Parameters
        ----------
        steps
            Number of steps.
        inputs : (batch, steps, I) or (steps, I), optional
            Inputs; those before are zero.
        batch
            Number of sequences; None for one without a batch axis.
        rng
            Seed or Generator.

        Returns
        -------
        ndarray
            (batch, steps, O) or (steps, O).

        Raises
        ------
        TypeError, ValueError
            Naming the argument; for a model that is not stationary.
        """
        return draw(self._model, (self._start.mean, self._start.factor), steps, inputs, batch, rng)[1]

    # --- as a network -------------------------------------------------------------------------------------------------

    def to_rnn(self) -> Linear:
        """The linear network with the same outputs, in Harvey's form ([harvey1989]_, section 3.4).

        Returns
        -------
        Linear
            With O max(p, q + 1, r) hidden units, process noise of rank O and no read-out noise. It need not be the
            smallest one.
        """
        return self._model.network()

    @cached_property
    def _model(self) -> StateSpace:
        O, I = len(self.const), self.exog.shape[2]
        m = max(len(self.ar), len(self.ma) + 1, len(self.exog))
        noise, into = np.zeros((m, O, O)), np.zeros((m, O, I))
        noise[0], noise[1 : len(self.ma) + 1] = np.eye(O), self.ma
        into[: len(self.exog)] = self.exog
        A = np.eye(m * O, k=O)
        A[: len(self.ar) * O, :O] = self.ar.reshape(len(self.ar) * O, O)
        G = noise.reshape(-1, O)
        b = np.concatenate([self.const, np.zeros((m - 1) * O)])
        return StateSpace(
            A, into.reshape(m * O, I), b, np.eye(O, m * O), np.zeros(O), G @ self.noise_cov @ G.T, np.zeros((O, O))
        )

    @cached_property
    def _start(self) -> Start:
        """Stationary law of the states of `_model`, from the weights of the innovations in them.

        Lyapunov's equation loses all digits where slow modes make the companion form ill-conditioned; the weights,
        which follow from psi without feedback, do not.
        """
        self._check_stationary()
        A, O = self._model.A, len(self.const)
        lags = memory(radius(companion(self.ar)), len(self.ar) + len(self.ma))
        if lags * len(A) * O > LARGEST:
            return self._near_unit_root()
        m = len(A) // O
        psi, phi, theta = self.psi(lags), np.zeros((m, O, O)), np.zeros((m, O, O))
        phi[: len(self.ar)], theta[1 : len(self.ma) + 1] = self.ar, self.ma
        mean, whole = np.zeros((m, O)), np.zeros((lags + 1, m, O, O))
        mean[0], whole[:, 0] = self.mean, psi
        for i in range(m - 1, 0, -1):
            whole[0, i], whole[1:, i] = theta[i], phi[i] @ psi[:-1]
            mean[i] = phi[i] @ mean[0]
            if i < m - 1:
                whole[1:, i] += whole[:-1, i + 1]
                mean[i] += mean[i + 1]
        weighted = whole.reshape(lags + 1, m * O, O) @ factor(self.noise_cov)
        flat = weighted.transpose(0, 2, 1).reshape(-1, m * O)
        return Start(mean.ravel(), np.ascontiguousarray(np.transpose(np.linalg.qr(flat, mode="r"))), 0)

    def _near_unit_root(self) -> Start:
        """Stationary law by Lyapunov's equation, where it bears a change of the coefficients by their rounding."""
        A = self._model.A
        signs = np.where(np.arange(A.size).reshape(A.shape) % 3, 1, -1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # SciPy warns of what is told here
                mean, cov = state_space.stationary(self._model)
                other = state_space.stationary(self._model._replace(A=A * (1 + 2 * EPS * signs)))[1]
            change = np.abs(np.diagonal(other) / np.diagonal(cov) - 1).max()
        except LinAlgError:
            change = np.inf
        if not change < 1e-6:
            raise ValueError(
                f"ar has an eigenvalue of modulus {radius(A):.9g}, too near to 1 for this form: rounding of ar changes "
                "the stationary law; use rnndyn.kalman_filter of the network, or take differences of y"
            )
        return Start(mean, factor(cov), 0)

    def _check_stationary(self) -> None:
        largest = radius(companion(self.ar))
        if largest >= EDGE:
            raise ValueError(
                f"ar has an eigenvalue of modulus {largest:.6g}, not below 1: the model is not stationary; take "
                "differences of y"
            )


def expand(ar: np.ndarray, numerator: np.ndarray, n: int) -> np.ndarray:
    """Power series (n + 1, O, c) of ``(I - sum ar_i L^i)^-1 sum_j numerator_j L^j``."""
    p, O = ar.shape[:2]
    width = numerator.shape[2]
    flat = np.ascontiguousarray(ar.transpose(1, 0, 2)).reshape(O, p * O)
    back = np.zeros((n + 1 + p, O, width))  # the latest first: what a step needs lies side by side
    for j in range(n + 1):
        at = n - j
        back[at] = flat @ back[at + 1 : at + 1 + p].reshape(p * O, width)
        if j < len(numerator):
            back[at] += numerator[j]
    return back[: n + 1][::-1]


def memory(largest: float, order: int) -> int:
    """Lags after which powers of a spectral radius are below rounding."""
    return order + (math.ceil(math.log(1e-17) / math.log(largest)) if largest > 0 else 0)


def companion(coefficients: np.ndarray) -> np.ndarray:
    """The matrix whose eigenvalues are the reciprocals of the roots of det(I - sum c_i z^i)."""
    p, O = coefficients.shape[:2]
    C = np.eye(p * O, k=-O)
    if p:
        C[:O] = coefficients.transpose(1, 0, 2).reshape(O, p * O)
    return C
