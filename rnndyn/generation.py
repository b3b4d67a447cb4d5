"""A network that writes: its outputs, or symbols drawn from them, become its next inputs."""

from __future__ import annotations

import numpy as np

from rnndyn import dynamics
from rnndyn.frontdoor import as_sequences, check_network
from rnndyn.losses.base import check_logits
from rnndyn.networks.compose import looks_ahead
from rnndyn.networks.encoder_decoder import EncoderDecoder
from rnndyn.readout import Readout
from rnndyn.validate import as_generator, as_integer, as_integers, as_number


def generate(net, start, steps, *, temperature=1.0, initial_state=None, rng=None):
    """Draw sequences of symbols from a network that predicts the next symbol, each drawn one its next input.

    Parameters
    ----------
    net : Network
        A network with as many outputs, the logits of the symbols, as inputs, which show a symbol each.
    start : array_like of int, shape (B, n) or (n,)
        Symbols that the network reads first, at least one.
    steps : int
        Number of symbols to draw.
    temperature : float
        Symbols come with probabilities softmax(logits / temperature): less than 1 favours the likely ones, 0 takes the
        likeliest.
    initial_state : array_like, shape (B, S) or (S,), optional
        State before the first symbol; zeros by default. Its batch axis makes as many sequences of one beginning.
    rng : int or numpy.random.Generator, optional
        Draws the symbols.

    Returns
    -------
    ndarray of int, shape (B, steps) or (steps,)
        The symbols drawn.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for networks whose outputs are no symbols of their inputs, and for one that runs to outputs
        that are not finite.

    Notes
    -----
    The largest of ``logits + temperature * Gumbel noise`` has that distribution ([gumbel1954]_). Cost of a run, step by
    step through the interpreter.

    Examples
    --------
    >>> import rnndyn as rd
    >>> shift = np.roll(np.eye(3), 1, axis=0)  # after symbol k comes k + 1
    >>> net = rd.Linear(shift, np.zeros((3, 3)), W_hy=9 * np.eye(3))
    >>> generate(net, [0], 5, temperature=0.0)
    array([1, 2, 0, 1, 2])
    """
    if isinstance(net, EncoderDecoder):
        raise TypeError("net is an EncoderDecoder: pass its decoder, with the encoder's last state for initial_state")
    check_writer(net)
    check_logits(net, "generate")
    steps, temperature = as_integer(steps, "steps", minimum=1), as_number(temperature, "temperature", minimum=0.0)
    bounds = {"minimum": 0, "maximum": net.input_size - 1}
    begun = as_integers(start, "start", ("batch", "time"), optional=("batch",), **bounds)
    if not begun.shape[-1]:
        raise ValueError("start has no symbols: at least one is wanted, for the network to read")
    shown = np.eye(net.input_size, dtype=net.dtype)[begun]
    x, s0, n, single = as_sequences(net, shown, initial_state)
    x = np.concatenate([x, np.zeros((len(x), steps - 1, net.input_size), net.dtype)], axis=1)
    own = np.broadcast_to(np.arange(n + steps - 1) >= n, x.shape[:2])
    drawn = fed(net, x, s0, own, symbols(net, temperature, as_generator(rng)))[1][:, n - 1 :]
    if np.isnan(drawn).any():
        raise ValueError("net runs to outputs that are not finite, of which no symbol can be drawn: scale weights down")
    labels = drawn.argmax(axis=-1)
    return labels[0] if single else labels


def check_writer(net):
    """Raise TypeError or ValueError unless the outputs of a network can be its next inputs."""
    check_network(net)
    if looks_ahead(net):
        kind = type(net).__name__
        raise TypeError(f"net is a {kind} that reads the future (Bidirectional): it cannot wait for its own output")
    if not net.output_size or net.input_size != net.output_size:
        numbers = f"{net.input_size} inputs and {net.output_size} outputs"
        raise ValueError(f"net has {numbers}: as many are wanted, to feed the outputs back")


def symbols(net, temperature, rng):
    """Return a function that draws a symbol (batch, output), one-hot, at each of some hidden states (batch, unit).

    Where the outputs are not finite, so is what is drawn: NaN, not a symbol.
    """

    def choose(hidden):
        logits = Readout(net).sums(np.ascontiguousarray(hidden[:, None]))[:, 0].astype(np.float64)
        drawn = np.argmax(logits + temperature * rng.gumbel(size=logits.shape), axis=1)
        known = np.isfinite(logits).all(axis=1, keepdims=True)
        return np.where(known, np.eye(logits.shape[1], dtype=net.dtype)[drawn], net.dtype.type(np.nan))

    return choose


def fed(net, x, given, own, choose, taken=None, shown=None):
    """Run a network on inputs of which some are its own choice.

    Parameters
    ----------
    net : Network
        The network.
    x : ndarray, shape (batch, time, input)
        Inputs.
    given : ndarray
        What it starts from, as `as_sequences` gives it.
    own : ndarray of bool, shape (batch, time)
        Where the choice of the step before takes the place of the input; not at the first step.
    choose : callable
        From hidden states (batch, unit) to inputs (batch, input).
    taken, shown : ndarray, optional
        Factors (batch, time, input) of the inputs, and (batch, time, unit) of the hidden states that are chosen by.

    Returns
    -------
    x : ndarray, shape (batch, time, input)
        The inputs, before their factors.
    chosen : ndarray, shape (batch, time, input)
        Its choice after each step.
    """
    x, chosen, s = x.copy(), np.empty_like(x), dynamics.start(net, given)
    for t in range(x.shape[1]):
        if t:
            x[:, t] = np.where(own[:, t, None], chosen[:, t - 1], x[:, t])
        s = dynamics.step(net, s, np.ascontiguousarray(x[:, t] if taken is None else x[:, t] * taken[:, t]))
        hidden = dynamics.hidden_of(net, s)
        chosen[:, t] = choose(hidden if shown is None else hidden * shown[:, t])
    return x, chosen
