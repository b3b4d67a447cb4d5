"""Lyapunov spectra: rnndyn, a jitted scan of JAX with a QR at each step, and a NumPy loop.

All take the same steps from the same states and frames, in float64. The work is a random tanh network of gain 1.5
without input. `spectrum()` comes back with exponents (network, k).
"""

import functools

import numpy as np

import rnndyn as rd
from rnndyn import dynamics
from rnndyn.analysis.measure import ByTiles, Measure
from rnndyn.tangents import course
from studies.benchmark.peers import Jax as JaxPasses
from studies.benchmark.peers import Numpy as NumpyPasses
from studies.benchmark.peers import Rnndyn as Passes
from studies.benchmark.workers import Work

GAIN = 1.5
# Size, directions, networks, steps that are timed.
SETTINGS = [
    *(
        (N, N, 1, steps)
        for N, steps in ((50, 1000), (64, 1000), (100, 1000), (128, 1000), (200, 400), (256, 400), (512, 100))
    ),
    (500, 20, 1, 200),
    (1000, 50, 1, 100),
    (64, 64, 64, 200),
    (128, 128, 16, 100),
]
COMPARED = 50  # steps after which exponents are compared: chaos amplifies the programs' rounding
LIMIT = (256, 64, 50)  # units, sequences and steps of the forward pass that stands for the limit of the processor


def problem(N: int, k: int, networks: int, steps: int):
    """Weights (network, N, N), states (network, N), frames (network, N, k)."""
    rng = np.random.default_rng(0)
    W = GAIN / np.sqrt(N) * rng.standard_normal((networks, N, N))
    h = np.tanh(rng.standard_normal((networks, N)))
    for _ in range(50):  # away from a transient in which directions collapse
        h = np.tanh((W @ h[:, :, None])[:, :, 0])
    return W, h, np.linalg.qr(rng.standard_normal((networks, N, k)))[0], steps


def operations(N: int, k: int, networks: int, steps: int) -> int:
    """Floating-point operations of the products with W and of the least orthonormalisation."""
    return networks * steps * (2 * N * N * k + 2 * N * k * k)


def by_rnndyn(W, h, Q, steps: int, *, checked: bool, device: str = "cpu"):
    """Function of the steps that measures the spectra; `checked` by the determinants."""
    nets = [rd.Elman(None, weights) for weights in W]

    def spectrum(steps=steps):
        measure = Measure(len(W), Q.shape[2], checked)
        ByTiles(course(nets, None, h[:, None], device), Q, None).advance(steps, measure)
        return measure.summary().exponent

    return spectrum


class Rnndyn(Passes):
    """The measurement of `rd.lyapunov_spectrum`, its statistics and checks included."""

    @staticmethod
    def load(W, h, Q, steps) -> Work:
        spectrum = by_rnndyn(W, h, Q, steps, checked=Q.shape[1] == Q.shape[2])
        units, batch, times = LIMIT
        wide, start = rd.Elman.random(units, rng=0), np.zeros((batch, units))
        return Work(
            {"spectrum": spectrum, "limit": lambda: dynamics.forward(wide, None, start, times)},
            lambda: spectrum(COMPARED),
        )


class Jax(JaxPasses):
    """One compiled scan; an ensemble by `vmap`."""

    @staticmethod
    def load(W, h, Q, steps) -> Work:
        import jax
        from jax import numpy as jnp

        jax.config.update("jax_enable_x64", True)

        def one(W, h, Q, steps):
            def step(state, _):
                h, Q, logs = state
                h = jnp.tanh(W @ h)
                Q, R = jnp.linalg.qr((1 - h * h)[:, None] * (W @ Q))
                return (h, Q, logs + jnp.log(jnp.abs(jnp.diag(R)))), None

            state = h, Q, jnp.zeros(Q.shape[1])
            return jax.lax.scan(step, state, None, length=steps)[0][2] / steps

        def program(steps):
            many = jax.vmap(functools.partial(one, steps=steps))
            return jax.jit(many if len(W) > 1 else lambda W, h, Q: one(W[0], h[0], Q[0], steps)[None])

        given = [jnp.asarray(a) for a in (W, h, Q)]
        timed, compared = program(steps), program(COMPARED)
        return spectra(lambda: timed(*given).block_until_ready(), lambda: compared(*given))


class Numpy(NumpyPasses):
    """A loop over steps; an ensemble by stacked matrices."""

    @staticmethod
    def load(W, h, Q, steps) -> Work:
        def spectrum(steps=steps):
            state, frame, logs = h[:, :, None], Q, 0.0
            for _ in range(steps):
                state = np.tanh(W @ state)
                frame, R = np.linalg.qr((1 - state * state) * (W @ frame))
                logs = logs + np.log(np.abs(np.einsum("nii->ni", R)))
            return logs / steps

        return spectra(spectrum, lambda: spectrum(COMPARED))


def spectra(spectrum, compared) -> Work:
    """A program whose one call is the spectrum; what it computes in fewer steps is compared."""
    return Work({"spectrum": spectrum}, lambda: np.sort(np.asarray(compared()))[:, ::-1])


PEERS = {"rnndyn": Rnndyn, "jax": Jax, "numpy": Numpy}
