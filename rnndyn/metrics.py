"""Metrics: how good answers are, in the units in which people compare them; DataArrays are matched by their dims."""

from __future__ import annotations

import numpy as np

from rnndyn.dims import in_order
from rnndyn.validate import as_array, as_integers

ORDER = ("batch", "time", ..., "output")  # of the axes of DataArrays, as the results of the package have them


def perplexity(logits, targets, *, mask=None):
    """Inverse of the geometric mean of the targets' probabilities: the number of choices one seems to guess among.

    Parameters
    ----------
    logits : array_like, shape (..., O)
        Scores whose softmax is the probability: read-out sums, or log-probabilities.
    targets : array_like of int, shape (...)
        Labels in ``0..O-1``.
    mask : array_like, shape (...), optional
        Weights of the steps; numbers or booleans.

    Returns
    -------
    float
        From 1, always right and sure; inf where a target is impossible.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> round(perplexity([[0.0, 0.0, 0.0]], [1]), 12)
    3.0
    """
    from scipy.special import log_softmax

    logits, targets, mask = _in_one_order(logits, targets, mask)
    logits = as_array(logits, "logits")
    if not logits.ndim:
        raise ValueError("logits is a number: an array (..., output) is wanted")
    targets = as_integers(targets, "targets", minimum=0, maximum=logits.shape[-1] - 1)
    _check_shape(targets, "targets", logits.shape[:-1])
    logp = log_softmax(logits.astype(np.float64), axis=-1)
    with np.errstate(over="ignore"):
        return float(np.exp(_mean(-np.take_along_axis(logp, targets[..., None], axis=-1)[..., 0], mask)))


def accuracy(outputs, targets, *, mask=None):
    """Share of steps at which the largest output is the target.

    Parameters
    ----------
    outputs : array_like, shape (..., O)
        Scores of the labels: probabilities or read-out sums.
    targets : array_like of int, shape (...)
        Labels in ``0..O-1``.
    mask : array_like, shape (...), optional
        Weights of the steps; numbers or booleans.

    Returns
    -------
    float
        In [0, 1]. Of several largest outputs the first one counts.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    outputs, targets, mask = _in_one_order(outputs, targets, mask)
    outputs = as_array(outputs, "outputs")
    if not outputs.ndim:
        raise ValueError("outputs is a number: an array (..., output) is wanted")
    targets = as_integers(targets, "targets", minimum=0, maximum=outputs.shape[-1] - 1)
    _check_shape(targets, "targets", outputs.shape[:-1])
    return float(_mean((np.argmax(outputs, axis=-1) == targets).astype(np.float64), mask))


def mean_absolute_error(outputs, targets, *, mask=None):
    """Mean of ``|output - target|`` over steps and outputs.

    Parameters
    ----------
    outputs, targets : array_like, shape (..., O)
        What was said and what is so.
    mask : array_like, shape (...), optional
        Weights of the steps; numbers or booleans.

    Returns
    -------
    float
        In the units of the targets.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> mean_absolute_error([[1.0], [2.0]], [[0.0], [4.0]])
    1.5
    """
    outputs, targets, mask = _in_one_order(outputs, targets, mask)
    outputs, targets = _alike(outputs=outputs, targets=targets)
    return float(_mean(np.abs(outputs - targets).mean(axis=-1), mask))


def crps(mean, deviation, targets, *, mask=None):
    """Continuous ranked probability score of normal forecasts; of forecasts that are sure it is the absolute error.

    Parameters
    ----------
    mean, deviation : array_like, shape (..., O)
        Mean and standard deviation of each forecast.
    targets : array_like, shape (..., O)
        What came.
    mask : array_like, shape (...), optional
        Weights of the steps; numbers or booleans.

    Returns
    -------
    float
        Mean over steps and outputs of the integral over x of ``(F(x) - [x >= target])**2``, F the distribution function
        of the forecast; in the units of the targets. In the mean it is least for the true law.

    Raises
    ------
    TypeError, ValueError
        Naming the argument; for deviations that are not positive.

    Notes
    -----
    The closed form of Gneiting & Raftery ([gneiting2007]_, section 4.2).

    Examples
    --------
    >>> round(crps([[0.0]], [[1.0]], [[0.0]]), 6), round(crps([[0.0]], [[1e-9]], [[2.0]]), 6)
    (0.233695, 2.0)
    """
    from scipy.special import ndtr

    mean, deviation, targets, mask = _in_one_order(mean, deviation, targets, mask)
    mean, deviation, targets = _alike(mean=mean, deviation=deviation, targets=targets)
    if not (deviation > 0).all():
        raise ValueError("deviation holds a value of 0 or less: positive standard deviations are wanted")
    z = (targets - mean) / deviation
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    scores = deviation * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return float(_mean(scores.mean(axis=-1), mask))


def coverage(lower, upper, targets, *, mask=None):
    """Share of the targets that lie within intervals, ends included; of calibrated 90 % intervals, 0.9.

    Parameters
    ----------
    lower, upper, targets : array_like, shape (..., O)
        Ends of the intervals, and what came.
    mask : array_like, shape (...), optional
        Weights of the steps; numbers or booleans.

    Returns
    -------
    float
        In [0, 1]; where quantiles cross, an interval is empty.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Examples
    --------
    >>> coverage([[0.0], [0.0]], [[1.0], [1.0]], [[0.5], [2.0]])
    0.5
    """
    lower, upper, targets, mask = _in_one_order(lower, upper, targets, mask)
    lower, upper, targets = _alike(lower=lower, upper=upper, targets=targets)
    return float(_mean(((lower <= targets) & (targets <= upper)).mean(axis=-1), mask))


def edit_distance(said, wanted):
    """Least number of insertions, deletions and substitutions that make one sequence the other ([levenshtein1966]_).

    Parameters
    ----------
    said, wanted : str or sequence
        Two sequences of symbols that can be compared.

    Returns
    -------
    int
        0 for equal ones. Cost O(product of the lengths).

    Examples
    --------
    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(wanted) + 1))
    for i, a in enumerate(said, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(wanted, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


def character_error_rate(said, wanted):
    """Edits that make what was said into what is wanted, a wanted character.

    Parameters
    ----------
    said, wanted : str, or sequence of str or of label sequences
        One text, or several, which are added up.

    Returns
    -------
    float
        From 0; above 1 where more was said than was wanted.

    Raises
    ------
    TypeError, ValueError
        For different numbers of texts, for what is no text, and where nothing at all is wanted.

    Examples
    --------
    >>> character_error_rate(["kitten", "a"], ["sitting", "a"])
    0.375
    """
    if isinstance(said, str) != isinstance(wanted, str):
        raise TypeError("said and wanted are one string and several: two strings, or two lists, are wanted")
    if isinstance(said, str):
        said, wanted = [said], [wanted]
    for name, texts in (("said", said), ("wanted", wanted)):
        if not all(hasattr(text, "__len__") for text in texts):
            raise TypeError(f"{name} holds single labels: a list of sequences is wanted, such as [[1, 2], [3]]")
    if len(said) != len(wanted):
        raise ValueError(f"said has {len(said)} texts, wanted {len(wanted)}: give them in pairs")
    total = sum(map(len, wanted))
    if not total:
        raise ValueError("wanted is empty: a rate needs at least one wanted character")
    return sum(map(edit_distance, said, wanted)) / total


def _in_one_order(first, *others):
    """DataArrays with their axes in one order of names, that of the first if it has names; other arrays as they are."""
    first = in_order(first, *ORDER)
    order = (*first.dims, ...) if hasattr(first, "dims") else ORDER
    return first, *(in_order(other, *order) for other in others)


def _alike(**arrays):
    """Arrays (..., output) of real numbers, all of the shape of the first."""
    clean = [as_array(array, name, dtype="float64") for name, array in arrays.items()]
    for name, array in zip(arrays, clean, strict=True):
        _check_shape(array, name, clean[0].shape)
    if not clean[0].ndim:
        raise ValueError(f"{next(iter(arrays))} is a number: an array (..., output) is wanted")
    return clean


def _check_shape(array, name, shape):
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, wanted {shape}: correct its shape")


def _mean(values, mask):
    """Mean over all steps, weighted by the mask."""
    if mask is None:
        weights = np.ones(values.shape)
    else:
        weights = as_array(mask, "mask", dtype="float64", booleans=True)
        _check_shape(weights, "mask", values.shape)
        if (weights < 0).any():
            raise ValueError("mask holds a negative weight: weights of at least 0 are wanted")
    total = weights.sum()
    if not total > 0:
        raise ValueError("mask leaves no step to look at" if mask is not None else "targets is empty: nothing to judge")
    return (np.where(weights > 0, values, 0.0) * weights).sum() / total
