"""The measurements of the study."""

import numpy as np

import rnndyn as rd
from rnndyn.equivalence.linear import state_space
from rnndyn.equivalence.linear.to_varma import form_error

SEED = 0
LAGS = 50
STEPS = 60
OVERFLOW = 1e300
SLOW = 0.8, 0.99  # eigenvalues of slow units
THREE = rd.Linear(
    None,
    [[0.6, 0.3, 0.0], [-0.2, 0.5, 0.2], [0.1, -0.1, 0.4]],
    W_hy=[[1.0, 0.5, -0.3]],
    process_noise=np.diag([0.4, 0.2, 0.3]),
    observation_noise=[[0.3]],
)


def run(quick: bool) -> dict:
    """Measure everything; see the package's docstring."""
    rng = np.random.default_rng(SEED)
    nets = {
        "three units, one output": THREE,
        "two units, square read-out": random(rng, 2, 2),
        "the same, no read-out noise": random(rng, 2, 2).replace(observation_noise=None),
        "five units, two outputs, an input": random(rng, 5, 2, 1),
        "two units, three outputs": random(rng, 2, 3),
        "a mode that no output shows": unobservable(rng),
    }
    sizes = (4, 8, 12) if quick else (2, 4, 6, 8, 10, 12, 16, 24, 32)
    return {
        "systems": [views(name, net, rng) for name, net in nets.items()],
        "spectrum": spectra(THREE),
        "slow": [slow(n, outputs) for outputs in (1, 4) for n in sizes if n >= outputs],
        "filter": exponents(THREE, 500 if quick else 20_000),
    }


def random(rng, n: int, outputs: int, inputs: int = 0) -> rd.Linear:
    """A random network of spectral radius 0.9."""
    A = rng.standard_normal((n, n))
    A *= 0.9 / np.abs(np.linalg.eigvals(A)).max()
    Q, R = (M @ M.T / len(M) for M in (rng.standard_normal((n, n)), rng.standard_normal((outputs, outputs))))
    W_hy, W_xh = rng.standard_normal((outputs, n)), rng.standard_normal((n, inputs))
    return rd.Linear(W_xh, A, W_hy=W_hy, b_y=rng.standard_normal(outputs), process_noise=Q, observation_noise=R)


def unobservable(rng) -> rd.Linear:
    """Two units that the output shows, and one that drives nothing."""
    net = random(rng, 3, 1)
    A, W_hy = net.W_hh.copy(), net.W_hy.copy()
    A[:2, 2], W_hy[0, 2] = 0, 0
    return net.replace(W_hh=0.9 * A / np.abs(np.linalg.eigvals(A)).max(), W_hy=W_hy)


def views(name: str, net: rd.Linear, rng) -> dict:
    """Largest differences between the network's and the VARMA model's view, by quantity."""
    model, linear = rd.to_varma(net), state_space.state_space(net)
    y = rd.simulate(net, STEPS, inputs=np.ones((STEPS, net.input_size)), rng=SEED).output.values
    y[rng.random(y.shape) < 0.1] = np.nan
    inputs = np.ones((STEPS, net.input_size)) if net.input_size else None
    gain = rd.steady_filter(net).filter_gain.values
    powers = [np.linalg.matrix_power(linear.A, j) for j in range(LAGS + 1)]
    cov = state_space.stationary(linear)[1]
    w = np.linspace(0, np.pi, 200)
    f = state_space.spectrum(linear, w)
    own = {
        "psi": [np.eye(len(linear.V)), *(linear.V @ power @ gain for power in powers[1:])],
        "autocovariance": [linear.V @ power @ cov @ linear.V.T + (k == 0) * linear.R for k, power in enumerate(powers)],
        "spectrum": f,
        "response": [linear.V @ power @ linear.B for power in powers],
    }
    found = {
        "psi": model.psi(LAGS),
        "autocovariance": model.autocovariance(LAGS),
        "spectrum": model.spectrum(w),
        "response": model.input_response(LAGS),
    }
    loglik = rd.kalman_filter(net, y, inputs=inputs).loglik.item()
    row = {f"{key}_difference": float(np.abs(found[key] - own[key]).max(initial=0)) for key in own}
    orders = [len(model.ar), len(model.ma), model.conversion.degree]
    return row | {"name": name, "orders": orders, "loglik": loglik, "varma_loglik": model.loglik(y, inputs)}


def spectra(net: rd.Linear) -> dict:
    """Spectral density in both views, and the mean of its logarithm beside log det of the innovations' covariance."""
    w = np.linspace(0, np.pi, 400)
    model = rd.to_varma(net)
    whole = model.spectrum(np.arange(2048) * 2 * np.pi / 2048)
    return {
        "frequency": w.tolist(),
        "network": state_space.spectrum(state_space.state_space(net), w)[:, 0, 0].real.tolist(),
        "varma": model.spectrum(w)[:, 0, 0].real.tolist(),
        "mean_log": float(np.log(whole[:, 0, 0].real).mean()),
        "log_noise": float(np.log(model.noise_cov[0, 0])),
    }


def slow(n: int, outputs: int) -> dict:
    """Error of the psi weights of both forms, for n slow units."""
    rng = np.random.default_rng(SEED)
    noise = {"process_noise": np.diag(rng.uniform(0.1, 1, n)), "observation_noise": np.eye(outputs)}
    net = rd.Linear(None, np.diag(np.linspace(*SLOW, n)), W_hy=rng.standard_normal((outputs, n)), **noise)
    model = rd.to_varma(net)
    y = rd.simulate(net, 200, rng=SEED).output.values
    return {
        "n": n,
        "outputs": outputs,
        "order": len(model.ar),
        "observability": model.conversion.psi_error,
        "cayley_hamilton": min(form_error(net, "cayley_hamilton"), OVERFLOW),
        "loglik_difference": float(model.loglik(y) - rd.kalman_filter(net, y).loglik),
    }


def exponents(net: rd.Linear, steps: int) -> dict:
    """Lyapunov exponents of the filter, measured, and the logarithms of the MA eigenvalues."""
    driven = np.random.default_rng(SEED).standard_normal((steps, 1))
    measured = rd.lyapunov_spectrum(rd.filter_network(net), driven, rng=SEED)
    roots = np.sort(np.log(np.abs(rd.to_varma(net).ma_eigenvalues)))[::-1]
    values = {"measured": measured.exponent.values, "stderr": measured.stderr.values, "roots": roots}
    return {name: array.tolist() for name, array in values.items()}
