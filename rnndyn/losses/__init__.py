"""Losses: what a network's outputs cost, and the derivative with respect to the read-out's sums.

``loss="gaussian_nll"`` in `rnndyn.value_and_grad`, `rnndyn.train` and their companions is one of the table below with
its defaults; with options it is an object, as in ``loss=rd.losses.Quantile([0.05, 0.95])``.
"""

from __future__ import annotations

from rnndyn.losses.base import Called, Loss, SequenceLoss, StepLoss, activate, called, pull_activation
from rnndyn.losses.ctc import CTC
from rnndyn.losses.densities import GaussianNLL, Mixture
from rnndyn.losses.steps import MSE, CrossEntropy, Quantile
from rnndyn.validate import choice

LOSSES: dict[str, type[Loss]] = {
    "mse": MSE,
    "cross_entropy": CrossEntropy,
    "gaussian_nll": GaussianNLL,
    "mixture": Mixture,
    "quantile": Quantile,
    "ctc": CTC,
}

__all__ = [
    "CTC",
    "LOSSES",
    "MSE",
    "CrossEntropy",
    "GaussianNLL",
    "Loss",
    "Mixture",
    "Quantile",
    "SequenceLoss",
    "StepLoss",
    "activate",
    "as_loss",
    "called",
    "pull_activation",
]


def as_loss(loss):
    """Loss of a caller's name, object or function.

    Parameters
    ----------
    loss : str, Loss or callable
        What was passed.

    Returns
    -------
    Loss
        The object.

    Raises
    ------
    TypeError, ValueError
        For an unknown name, and for what is none of the three.

    Examples
    --------
    >>> as_loss("quantile")
    Quantile(levels=(0.1, 0.5, 0.9))
    """
    if isinstance(loss, type) and issubclass(loss, Loss):
        raise TypeError(f"loss is the class {loss.__name__}: an object is wanted, {loss.__name__}()")
    if isinstance(loss, Loss):
        return loss
    return Called(loss) if callable(loss) else LOSSES[choice(loss, "loss", LOSSES)]()
