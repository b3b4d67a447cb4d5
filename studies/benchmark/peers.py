"""The programs whose passes are timed. Each has `load(net, inputs, slopes)`, which comes back with the work.

`use(threads)` says how many threads it may use. The calls of the `Work` are "forward" and "both", the forward pass and
the gradients of every weight and bias, for the slopes dL/dh (B, T, H) given; no program computes the gradient of the
inputs.
"""

import functools
import importlib.util
import time

import numpy as np

import rnndyn as rd
from rnndyn import dynamics, gradients
from studies.benchmark.problem import problem
from studies.benchmark.workers import Work


def work(forward, both, states, gradients=None) -> Work:
    """A program's work: what it returns is read as hidden states (B, T, H), and as dL/dW_xh, dL/dW_hh by name."""
    calls = {"forward": forward} | ({"both": both} if both else {})
    return Work(calls, lambda: (states(forward()), gradients(both()) if both else {}))


class Rnndyn:
    """The package, at the level of plain arrays."""

    @staticmethod
    def use(threads: int) -> None:
        import numba

        numba.set_num_threads(min(threads, numba.get_num_threads()))

    @staticmethod
    def load(net, inputs, slopes) -> Work:
        s0 = np.zeros((len(inputs), net.state_size), net.dtype)
        steps, H = inputs.shape[1], net.hidden_size

        def forward():
            return dynamics.forward(net, inputs, s0, steps)

        def both():
            return gradients.backprop(net, inputs, slopes, s0)

        return work(forward, both, lambda states: states[..., :H], lambda result: result[1].arrays())


class FrontDoor(Rnndyn):
    """The package, through `rd.run`: checks, packing and an xarray result included."""

    @staticmethod
    def load(net, inputs, slopes) -> Work:
        return work(lambda: rd.run(net, inputs), None, lambda result: result.hidden.values)


class Torch:
    """PyTorch's own layers, time first."""

    device = "cpu"

    @staticmethod
    def use(threads: int) -> None:
        import torch

        torch.set_num_threads(threads)

    @staticmethod
    def wait() -> None:
        """Until the device is done: the processor always is."""

    @classmethod
    def load(cls, net, inputs, slopes) -> Work:
        import torch

        kind, H = type(net).__name__, net.hidden_size
        layer = {"Elman": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}[kind](net.input_size, H)
        layer = layer.to(getattr(torch, net.dtype.name))
        with torch.no_grad():
            layer.weight_ih_l0.copy_(torch.tensor(net.W_xh))
            layer.weight_hh_l0.copy_(torch.tensor(net.W_hh))
            layer.bias_ih_l0.copy_(torch.tensor(net.b_h))
            layer.bias_hh_l0.zero_()
            if kind == "GRU":
                layer.bias_hh_l0[2 * H :] = torch.tensor(net.b_hn)
        layer = layer.to(cls.device)
        by_time = (np.ascontiguousarray(a.transpose(1, 0, 2)) for a in (inputs, slopes))
        x, g = (torch.tensor(a, device=cls.device) for a in by_time)

        def forward():
            with torch.inference_mode():
                states = layer(x)[0]
            cls.wait()
            return states

        def both():
            layer.zero_grad(set_to_none=True)
            states = layer(x)[0]
            states.backward(g)
            cls.wait()
            return states

        weights = {"W_xh": layer.weight_ih_l0, "W_hh": layer.weight_hh_l0}
        return work(
            forward,
            both,
            lambda states: states.cpu().numpy().transpose(1, 0, 2),
            lambda _: {name: weight.grad.cpu().numpy() for name, weight in weights.items()},
        )


# The steps for NumPy and JAX (xp is either): u = W_xh x + b is formed for all times at once, V = W_hh'.
def sigmoid(xp, a):
    return 0.5 * xp.tanh(0.5 * a) + 0.5


def elman_step(xp, state, u, V, b_hn):
    return (xp.tanh(u + state[0] @ V),)


def gru_step(xp, state, u, V, b_hn):
    (h,) = state
    u_r, u_z, u_n = xp.split(u, 3, axis=-1)
    v_r, v_z, v_n = xp.split(h @ V, 3, axis=-1)
    r, z = sigmoid(xp, u_r + v_r), sigmoid(xp, u_z + v_z)
    n = xp.tanh(u_n + r * (v_n + b_hn))
    return (n + z * (h - n),)


def lstm_step(xp, state, u, V, b_hn):
    h, c = state
    i, f, g, o = xp.split(u + h @ V, 4, axis=-1)
    c = sigmoid(xp, f) * c + sigmoid(xp, i) * xp.tanh(g)
    return sigmoid(xp, o) * xp.tanh(c), c


STEPS = {"Elman": (elman_step, 1), "GRU": (gru_step, 1), "LSTM": (lstm_step, 2)}


def weights_of(net):
    """The weights that the steps take, input-major, so that every product has contiguous rows."""
    b_hn = net.b_hn if type(net).__name__ == "GRU" else np.zeros(0, net.dtype)
    return {"U": net.W_xh.T.copy(), "V": net.W_hh.T.copy(), "b": net.b_h.copy(), "b_hn": b_hn.copy()}


class Numpy:
    """A NumPy loop over time, products by its BLAS; forward only."""

    @staticmethod
    def use(threads: int) -> None:
        """Its BLAS takes the cores that the process has."""

    @staticmethod
    def load(net, inputs, slopes) -> Work:
        step, parts = STEPS[type(net).__name__]
        weights, x = weights_of(net), np.ascontiguousarray(inputs.transpose(1, 0, 2))

        def forward():
            u = x @ weights["U"] + weights["b"]
            state = (np.zeros((x.shape[1], net.hidden_size), x.dtype),) * parts
            states = np.empty((*x.shape[:2], net.hidden_size), x.dtype)
            for t in range(len(x)):
                state = step(np, state, u[t], weights["V"], weights["b_hn"])
                states[t] = state[0]
            return states

        return work(forward, None, lambda states: states.transpose(1, 0, 2))


UNROLL = (1, 8)  # steps of the scan in one turn of its loop


def scan(net):
    """Hidden states (T, B, H) as JAX has them, from weights of such a network and inputs (T, B, I)."""
    import jax
    from jax import numpy as jnp

    step, parts = STEPS[type(net).__name__]

    def hidden(weights, x, unroll):
        u = x @ weights["U"] + weights["b"]
        state = (jnp.zeros((x.shape[1], net.hidden_size), x.dtype),) * parts

        def advance(state, u_t):
            state = step(jnp, state, u_t, weights["V"], weights["b_hn"])
            return state, state[0]

        return jax.lax.scan(advance, state, u, unroll=unroll)[1]

    return hidden


class Jax:
    """`jax.lax.scan` under `jit`, plain or unrolled eightfold, whichever is faster at this size."""

    @staticmethod
    def use(threads: int) -> None:
        """It takes the cores that the process has."""

    @staticmethod
    def load(net, inputs, slopes) -> Work:
        import jax
        from jax import numpy as jnp

        weights = {key: jnp.asarray(a) for key, a in weights_of(net).items()}
        x, g = (jnp.asarray(a.transpose(1, 0, 2)) for a in (inputs, slopes))
        hidden = scan(net)

        def hidden_and_gradients(weights, x, g, unroll):
            states, pull = jax.vjp(lambda w: hidden(w, x, unroll), weights)
            return states, pull(g)[0]

        forward = fastest([jax.jit(functools.partial(hidden, unroll=n)) for n in UNROLL], weights, x)
        both = fastest([jax.jit(functools.partial(hidden_and_gradients, unroll=n)) for n in UNROLL], weights, x, g)
        return work(
            lambda: forward(weights, x).block_until_ready(),
            lambda: jax.block_until_ready(both(weights, x, g)),
            lambda states: np.asarray(states).transpose(1, 0, 2),
            lambda result: {"W_xh": np.asarray(result[1]["U"]).T, "W_hh": np.asarray(result[1]["V"]).T},
        )


def fastest(programs, *arguments):
    """The quickest of several compiled JAX programs, by the best of three calls each."""
    import jax

    def best(program):
        seconds = []
        for _ in range(4):
            start = time.perf_counter()
            jax.block_until_ready(program(*arguments))
            seconds.append(time.perf_counter() - start)
        return min(seconds[1:])

    return min(programs, key=best)


PEERS = {"rnndyn": Rnndyn, "run": FrontDoor, "torch": Torch, "jax": Jax, "numpy": Numpy}


def available() -> list[str]:
    """The programs that are installed."""
    return [name for name in PEERS if name in ("rnndyn", "run") or importlib.util.find_spec(name)]


__all__ = ["PEERS", "available", "problem"]
