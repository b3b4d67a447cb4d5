"""Training in its plain form: Adam, clipping by the global norm, mini-batches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rnndyn import schema
from rnndyn.devices import resolve
from rnndyn.frontdoor import as_lengths, as_mask, as_sequences, as_targets
from rnndyn.gradients import value_and_grad
from rnndyn.losses import LOSSES
from rnndyn.progress import progressing
from rnndyn.validate import as_generator, as_integer, as_number, choice


@dataclass(frozen=True)
class Adam:  # numpydoc ignore=PR02
    """Adam (Kingma & Ba [kingma2015]_, algorithm 1), with PyTorch's constants.

    Parameters
    ----------
    learning_rate : float
        Step size, alpha in the source.
    betas : tuple of float
        Decay rates of the running means of the gradient and of its square.
    eps : float
        Added to the root of the mean square.

    Examples
    --------
    >>> Adam(1e-2)
    Adam(learning_rate=0.01, betas=(0.9, 0.999), eps=1e-08)
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self):
        as_number(self.learning_rate, "learning_rate", minimum=0.0)
        as_number(self.eps, "eps", above=0.0)
        for beta in self.betas:
            if not 0 <= as_number(beta, "betas", minimum=0.0) < 1:
                raise ValueError(f"betas is {self.betas}: two numbers in [0, 1) are wanted")

    def start(self, arrays):
        """State before the first step: a step count and running means of zero.

        Parameters
        ----------
        arrays : dict of ndarray
            What will be trained.

        Returns
        -------
        tuple
            To be passed to :meth:`step`.
        """
        return 0, *({name: np.zeros_like(array) for name, array in arrays.items()} for _ in range(2))

    def step(self, arrays, gradients, state):
        """Arrays after one step, and the new state.

        Parameters
        ----------
        arrays, gradients : dict of ndarray
            Parameters and dL/d of them, under the same names.
        state : tuple
            From :meth:`start` or the step before.

        Returns
        -------
        arrays : dict of ndarray
            New arrays.
        state : tuple
            New state.
        """
        count, means, squares = state[0] + 1, {}, {}
        rate, root = self.learning_rate / (1 - self.betas[0] ** count), math.sqrt(1 - self.betas[1] ** count)
        new = {}
        for name, g in gradients.items():
            means[name] = self.betas[0] * state[1][name] + (1 - self.betas[0]) * g
            squares[name] = self.betas[1] * state[2][name] + (1 - self.betas[1]) * g * g
            change = rate * means[name] / (np.sqrt(squares[name]) / root + self.eps)
            new[name] = (arrays[name] - change).astype(arrays[name].dtype, copy=False)
        return new, (count, means, squares)


def train(
    net,
    inputs,
    targets,
    *,
    loss="mse",
    optimizer=None,
    clip_norm=None,
    steps=1000,
    batch_size=None,
    rng=None,
    initial_state=None,
    lengths=None,
    mask=None,
    truncate=None,
    checkpoint=None,
    progress=None,
    device="cpu",
):  # numpydoc ignore=PR03
    """Train a network on sequences by gradient descent.

    Parameters
    ----------
    net : Network
        The network to start from; it stays as it is.
    inputs, targets, loss, initial_state, lengths, mask, truncate, checkpoint, device
        As in :func:`rnndyn.value_and_grad`; ``inputs`` and ``targets`` with a batch axis. A callable ``loss`` sees the
        outputs alone, so it needs ``batch_size=None``.
    optimizer : Adam, optional
        ``Adam(1e-3)`` by default.
    clip_norm : float, optional
        Largest global norm of the gradient; a larger one is scaled down to it (Pascanu et al. [pascanu2013]_,
        algorithm 1).
    steps : int
        Number of steps.
    batch_size : int, optional
        Sequences a step, drawn without replacement within each pass over the data; None takes all at every step.
    rng : int or numpy.random.Generator, optional
        Draws the batches.
    progress : bool or callable, optional
        True shows a bar; a callable is called with the step and the number of steps.

    Returns
    -------
    net : Network
        The trained network.
    history : xarray.Dataset
        ``loss`` and ``gradient_norm`` (before clipping) over ``step``.

    Raises
    ------
    TypeError, ValueError
        As :func:`rnndyn.value_and_grad`.
    FloatingPointError
        Where loss or gradient are no longer finite, naming the step.

    Examples
    --------
    >>> import numpy as np, rnndyn as rd
    >>> x = np.random.default_rng(0).standard_normal((8, 5, 1))
    >>> net, history = rd.train(rd.Elman.random(4, 1, 1, rng=0), x, 0.5 * x, steps=50, optimizer=rd.Adam(0.05))
    >>> bool(history.loss[-1] < 0.1 * history.loss[0])
    True
    """
    place = resolve(device)
    optimizer = Adam() if optimizer is None else optimizer
    if not (hasattr(optimizer, "start") and hasattr(optimizer, "step")):
        kind = type(optimizer).__name__
        raise TypeError(f"optimizer is a {kind}: one with start and step is wanted, such as rnndyn.Adam(1e-3)")
    count = as_integer(steps, "steps", minimum=0)
    x, s0, T, _ = as_sequences(net, inputs, initial_state)
    if callable(loss) and batch_size is not None:
        raise ValueError(
            "batch_size with a callable loss: it could not tell which sequences it sees; pass batch_size=None"
        )
    whole = {
        "inputs": T if x is None else x,
        "targets": None if callable(loss) else as_targets(net, targets, choice(loss, "loss", LOSSES), len(s0), T),
        "initial_state": s0,
        "lengths": as_lengths(lengths, len(s0), T),
        "mask": as_mask(mask, len(s0), T, None),
    }
    options = {"loss": loss, "truncate": truncate, "checkpoint": checkpoint, "device": place}
    clip = None if clip_norm is None else as_number(clip_norm, "clip_norm", above=0.0)
    batches = _batches(len(s0), batch_size, as_generator(rng))
    history = {"loss": np.empty(count), "gradient_norm": np.empty(count)}
    state = optimizer.start(net.arrays())
    for k in progressing(range(count), progress, "training"):
        rows = next(batches)
        part = whole if rows is None else {n: v[rows] if isinstance(v, np.ndarray) else v for n, v in whole.items()}
        with np.errstate(over="ignore", invalid="ignore"):  # found below
            value, gradients = value_and_grad(net, **part, **options)
            norm = gradients.norm()
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise FloatingPointError(
                f"step {k + 1}: loss {value}, gradient norm {norm}; lower the learning rate or set clip_norm"
            )
        history["loss"][k], history["gradient_norm"][k] = value, norm
        scale = 1.0 if clip is None or norm <= clip else clip / norm
        arrays, state = optimizer.step(net.arrays(), {n: scale * g for n, g in gradients.arrays().items()}, state)
        net = net.with_arrays(arrays)
    call = {
        "steps": steps,
        "batch_size": batch_size,
        "clip_norm": clip_norm,
        "loss": str(loss),
        "optimizer": repr(optimizer),
        "rng": rng,
        "device": place,
    }
    return net, schema.build("training", history, net=net, call=call)


def _batches(total, size, rng):
    """Row numbers of one batch after the other, each pass over the data in a new order; None for all rows."""
    if size is None:
        while True:
            yield None
    size = min(as_integer(size, "batch_size", minimum=1), total)
    while True:
        order = rng.permutation(total)
        for start in range(0, total - size + 1, size):
            yield np.sort(order[start : start + size])
