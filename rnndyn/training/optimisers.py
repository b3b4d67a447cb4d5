"""Optimisers: how parameters follow their gradient."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnndyn.validate import as_number

RECURRENT = ("W_hh", "W", "A")  # the fields, in the networks that there are, through which a state acts on the next


class Optimizer(ABC):
    """What optimisers share: the learning rate and the decay of weights; a subclass says in which direction to go."""

    learning_rate: float | Callable[[int], float]
    weight_decay: float
    recurrent_decay: float

    def __post_init__(self):
        if not callable(self.learning_rate):
            as_number(self.learning_rate, "learning_rate", minimum=0.0)
        as_number(self.weight_decay, "weight_decay", minimum=0.0)
        as_number(self.recurrent_decay, "recurrent_decay", minimum=0.0, maximum=1.0)

    def rate(self, count):
        """Learning rate after ``count`` steps."""
        if not callable(self.learning_rate):
            return self.learning_rate
        return float(as_number(self.learning_rate(count), f"learning_rate({count})", minimum=0.0))

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
        return 0, *({name: np.zeros_like(array) for name, array in arrays.items()} for _ in range(self.means))

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
        count, rate, new = state[0] + 1, self.rate(state[0]), {}
        means = [dict(mean) for mean in state[1:]]
        for name, g in gradients.items():
            old = arrays[name]
            decay, keep = self.decay(name)
            moved, *own = self._direction(g + decay * old if decay else g, [mean[name] for mean in means], count)
            for mean, value in zip(means, own, strict=True):
                mean[name] = value
            new[name] = (keep * old - rate * moved).astype(old.dtype, copy=False)
        return new, (count, *means)

    def decay(self, name):
        """What of an array is added to its gradient, and what of it is kept.

        Parameters
        ----------
        name : str
            Its name in the network.

        Returns
        -------
        tuple of float
            Two factors.
        """
        field = name.rpartition(".")[2]
        penalty = 0.0 if field.startswith(("b", "gain")) else self.weight_decay
        return penalty, 1.0 - self.recurrent_decay if field in RECURRENT else 1.0

    means = 0  # running means of the gradient, or of its powers

    @abstractmethod
    def _direction(self, g, means, count):
        """Direction against which to go at step ``count``, then the new running means."""


@dataclass(frozen=True)
class SGD(Optimizer):  # numpydoc ignore=PR02
    """Gradient descent, ``W <- W - learning_rate dL/dW``, with momentum if wanted, as in PyTorch.

    Parameters
    ----------
    learning_rate : float or callable
        Step size; a number, or a schedule such as ``rd.schedules.Exponential``: a function of the steps done.
    momentum : float
        What is kept of the velocity ``v <- momentum v + g`` that takes the gradient's place (Sutskever et al.
        [sutskever2013]_, section 2), in [0, 1).
    nesterov : bool
        Nesterov's form: the step is ``g + momentum v``.
    weight_decay : float
        L2 penalty: this times each weight is added to its gradient; the derivative of ``weight_decay / 2 |W|^2``.
        Biases and gains have none.
    recurrent_decay : float
        What the recurrent weights lose at each step, ``W_hh <- (1 - recurrent_decay) W_hh - ...``, apart from the
        gradient.

    Examples
    --------
    >>> arrays, gradients, sgd = {"W_hh": np.ones((1, 1))}, {"W_hh": np.full((1, 1), 2.0)}, SGD(0.1, momentum=0.5)
    >>> once, state = sgd.step(arrays, gradients, sgd.start(arrays))
    >>> twice, state = sgd.step(once, gradients, state)
    >>> once["W_hh"].item(), round(twice["W_hh"].item(), 12)
    (0.8, 0.5)
    """

    learning_rate: float | Callable[[int], float] = 1e-2
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    recurrent_decay: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        if not as_number(self.momentum, "momentum", minimum=0.0) < 1:
            raise ValueError(f"momentum is {self.momentum}: a number in [0, 1) is wanted")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov without momentum: pass a momentum above 0, or nesterov=False")

    means = 1

    def _direction(self, g, means, count):
        velocity = self.momentum * means[0] + g
        return (g + self.momentum * velocity if self.nesterov else velocity), velocity


@dataclass(frozen=True)
class Adam(Optimizer):  # numpydoc ignore=PR02
    """Adam (Kingma & Ba [kingma2015]_, algorithm 1), with PyTorch's constants.

    Parameters
    ----------
    learning_rate : float or callable
        Step size, alpha in the source; or a schedule, as in :class:`SGD`.
    betas : tuple of float
        Decay rates of the running means of the gradient and of its square.
    eps : float
        Added to the root of the mean square.
    weight_decay, recurrent_decay : float
        As in :class:`SGD`. The penalty passes through the running means; the recurrent decay does not.

    Examples
    --------
    >>> Adam(1e-2)
    Adam(learning_rate=0.01, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, recurrent_decay=0.0)
    """

    learning_rate: float | Callable[[int], float] = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    recurrent_decay: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        as_number(self.eps, "eps", above=0.0)
        wanted = ValueError(f"betas is {self.betas}: two numbers in [0, 1) are wanted")
        if np.shape(self.betas) != (2,):
            raise wanted
        for beta in self.betas:
            if not as_number(beta, "betas", minimum=0.0) < 1:
                raise wanted

    means = 2

    def _direction(self, g, means, count):
        mean = self.betas[0] * means[0] + (1 - self.betas[0]) * g
        square = self.betas[1] * means[1] + (1 - self.betas[1]) * g * g
        root = math.sqrt(1 - self.betas[1] ** count)
        return mean / (1 - self.betas[0] ** count) / (np.sqrt(square) / root + self.eps), mean, square
