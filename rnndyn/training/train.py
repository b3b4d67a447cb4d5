"""The loop of training: batches, gradients, clipping, steps, a look at validation data, and a file to resume from."""

from __future__ import annotations

import math

import numpy as np

from rnndyn import schema
from rnndyn.devices import resolve, running_on
from rnndyn.frontdoor import as_truncation, as_window
from rnndyn.gradients import Problem, windows_of
from rnndyn.losses import Called
from rnndyn.networks.base import Gradients
from rnndyn.progress import progressing
from rnndyn.training.batches import Batches
from rnndyn.training.dropout import Dropout
from rnndyn.training.optimisers import Adam
from rnndyn.training.resume import Progress, read_progress, write_progress
from rnndyn.validate import as_generator, as_integer, as_number


def train(
    net,
    inputs,
    targets,
    *,
    loss="mse",
    optimizer=None,
    clip_norm=None,
    clip_value=None,
    steps=1000,
    batch_size=None,
    by_length=False,
    dropout=None,
    rng=None,
    initial_state=None,
    lengths=None,
    mask=None,
    truncate=None,
    checkpoint=None,
    validation=None,
    validate_every=1,
    patience=None,
    save_to=None,
    save_every=100,
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
    optimizer : SGD or Adam, optional
        ``Adam(1e-3)`` by default; or any object with their methods ``start`` and ``step``.
    clip_norm : float, optional
        Largest global norm of the gradient; a larger one is scaled down to it (Pascanu et al. [pascanu2013]_,
        algorithm 1), as in PyTorch by ``clip_norm / (norm + 1e-6)``.
    clip_value : float, optional
        Instead: largest absolute value of each component of the gradient; larger ones are set to it.
    steps : int
        Number of steps.
    batch_size : int, optional
        Sequences a step, drawn without replacement within each pass over the data; None takes all at every step.
        Batches end with their longest sequence.
    by_length : bool
        Put sequences of like ``lengths`` into one batch, so that few steps are run in vain.
    dropout : Dropout, optional
        What to leave out at each step, at random: inputs, outputs, recurrent units or weights, see
        :class:`rnndyn.Dropout`. ``loss`` is then that of the network with its parts left out, ``validation_loss`` that
        of the whole one.
    rng : int or numpy.random.Generator, optional
        Draws the batches, and what is left out.
    validation : tuple or dict, optional
        Other data, ``(inputs, targets)`` or a dict of these with ``lengths``, ``mask`` and ``initial_state``. The
        network that does best on them is the one returned.
    validate_every : int
        Steps between looks at the validation data.
    patience : int, optional
        Stop after so many looks in a row without a new best; None goes on to the end.
    save_to : path-like, optional
        File that keeps the training every ``save_every`` steps and at its end. If it is there, the training goes on
        from it, to the same result in every bit as if it had never stopped, with more ``steps`` too.
    save_every : int
        Steps between writes of the file.
    progress : bool or callable, optional
        True shows a bar, with loss and norm of the gradient; a callable is called with the step and the number of
        steps.

    Returns
    -------
    net : Network
        The trained network.
    history : xarray.Dataset
        ``loss``, ``gradient_norm`` (before clipping), ``learning_rate`` and, with validation data, ``validation_loss``
        (after the step) over ``step``. Its attrs hold ``best_step``, the step that gave the network returned.

    Raises
    ------
    TypeError, ValueError
        As :func:`rnndyn.value_and_grad`; for a file that is damaged or of another training.
    FloatingPointError
        Where loss, gradient or weights are no longer finite, naming the step.
    OSError
        Where the file cannot be written; the older one stays as it was.

    Examples
    --------
    >>> import numpy as np, rnndyn as rd
    >>> x = np.random.default_rng(0).standard_normal((8, 5, 1))
    >>> net, history = rd.train(rd.Elman.random(4, 1, 1, rng=0), x, 0.5 * x, steps=50, optimizer=rd.Adam(0.05))
    >>> bool(history.loss[-1] < 0.1 * history.loss[0])
    True
    """
    place = resolve(device)
    optimizer = _as_optimizer(optimizer)
    count = as_integer(steps, "steps", minimum=0)
    clip = _as_clipping(clip_norm, clip_value)
    look, save = (
        as_integer(n, name, minimum=1) for n, name in ((validate_every, "validate_every"), (save_every, "save_every"))
    )
    problem = Problem.checked(net, inputs, targets, loss, initial_state, lengths, mask)
    truncation = as_truncation(truncate)
    as_window(checkpoint, problem.steps)
    held_out = _as_validation(net, validation, loss, patience)
    leaving_out, generator = _as_dropout(dropout, net), as_generator(rng)
    masks = int(generator.integers(2**63)) if leaving_out else 0
    batches = _as_batches(problem, batch_size, by_length, generator)
    call = {"loss": loss, "optimizer": optimizer, "clip_norm": clip_norm, "clip_value": clip_value, "rng": rng}
    call |= {"batch_size": batch_size, "by_length": by_length, "dropout": dropout, "truncate": truncate}
    call |= {"validate_every": validate_every, "patience": patience, "device": place}
    done = Progress(net, optimizer.start(net.arrays()), _history(count, optimizer, held_out), masks=masks)
    if save_to is not None:
        contents = call | {"net": net, "data": problem.contents(), "validation": held_out and held_out.contents()}
        read_progress(save_to, done, batches, contents)
    bar: dict[str, float] = {}
    for k in progressing(range(done.step, count), progress, "training", done.step, bar):
        if patience is not None and done.waited >= patience:
            break
        with running_on(place):
            part, factors = _thinned(problem, done, batches.take(), leaving_out)
            windows = windows_of(part.steps, as_window(checkpoint, part.steps), truncation)
            value, gradients = _gradient(part, windows, factors, k)
        bar |= {"loss": value, "gradient_norm": gradients.norm()}
        _advance(done, optimizer, clip(gradients.arrays(), bar["gradient_norm"]), bar)
        if held_out is not None and done.step % look == 0:
            with running_on(place):
                _validate(done, held_out)
        if save_to is not None and done.step % save == 0:
            write_progress(save_to, done, batches, contents)
    if save_to is not None and done.step % save:
        write_progress(save_to, done, batches, contents)
    best = done.net.with_arrays(done.best) if done.best else done.net
    history = {name: values[: done.step] for name, values in done.history.items()}
    attrs = {"best_step": done.best_step if done.best else done.step}
    return best, schema.build("training", history, net=best, call=call | {"steps": steps}, attrs=attrs)


# --- one step ---------------------------------------------------------------------------------------------------------


def _thinned(problem, done, rows, dropout):
    """Return the problem of some rows with parts left out, and the factors that its network's arrays had."""
    if dropout is None:
        return problem.part(done.net, rows), {}
    # A generator for each step: so a training that is taken up needs only the seed.
    rng = np.random.default_rng([done.masks, done.step])
    factors, arrays = dropout.factors(done.net, rng), done.net.arrays()
    part = problem.part(done.net.with_arrays({name: m * arrays[name] for name, m in factors.items()}), rows)
    dropout.thin(part, rng)
    return part, factors


def _gradient(part, windows, factors, k):
    """Loss and gradients, both finite; those of arrays that had factors have them too."""
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        value, gradients = part.solve(windows)
        if factors:
            found = gradients.arrays()
            gradients = Gradients(found | {name: m * found[name] for name, m in factors.items()})
        norm = gradients.norm()
    if not (math.isfinite(value) and math.isfinite(norm)):
        raise FloatingPointError(
            f"step {k + 1}: loss {value}, gradient norm {norm}; lower the learning rate or set clip_norm"
        )
    return value, gradients


def _advance(done, optimizer, gradients, facts):
    """Make one step of the optimiser, and enter it into the history."""
    for name, value in facts.items():
        done.history[name][done.step] = value
    if "learning_rate" in done.history:
        done.history["learning_rate"][done.step] = optimizer.rate(done.step)
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        arrays, done.optimizer = optimizer.step(done.net.arrays(), gradients, done.optimizer)
    done.step += 1
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise FloatingPointError(f"step {done.step}: {name} is no longer finite; lower the learning rate")
    done.net = done.net.with_arrays(arrays)


def _validate(done, held_out):
    """Look at the validation data, and keep the network if it is the best so far."""
    value = held_out.part(done.net).value()
    done.history["validation_loss"][done.step - 1] = value
    done.waited += 1
    if value < done.best_loss:
        done.best, done.best_step, done.best_loss, done.waited = done.net.arrays(), done.step, value, 0


# --- what was asked for -----------------------------------------------------------------------------------------------


def _as_optimizer(optimizer):
    optimizer = Adam() if optimizer is None else optimizer
    if not (hasattr(optimizer, "start") and hasattr(optimizer, "step")):
        kind = type(optimizer).__name__
        raise TypeError(f"optimizer is a {kind}: one with start and step is wanted, such as rnndyn.Adam(1e-3)")
    return optimizer


def _as_dropout(dropout, net):
    if dropout is None:
        return None
    if not isinstance(dropout, Dropout):
        kind = type(dropout).__name__
        raise TypeError(f"dropout is a {kind}: an rnndyn.Dropout is wanted, such as Dropout(inputs=0.2)")
    dropout.check(net)
    return dropout


def _as_clipping(norm, value):
    """Return a function of gradients and their norm that clips them."""
    if norm is not None and value is not None:
        raise ValueError("clip_norm and clip_value are both given: choose one")
    if norm is not None:
        largest = as_number(norm, "clip_norm", above=0.0)
        # The small number is that of PyTorch, and of the source document 004.
        return lambda gradients, size: _scaled(gradients, min(1.0, largest / (size + 1e-6)))
    if value is not None:
        bound = as_number(value, "clip_value", above=0.0)
        return lambda gradients, _: {name: np.clip(g, -bound, bound) for name, g in gradients.items()}
    return lambda gradients, _: gradients


def _scaled(gradients, factor):
    return gradients if factor == 1.0 else {name: factor * g for name, g in gradients.items()}


def _as_validation(net, validation, loss, patience):
    """Return the validation data as a problem, or None."""
    if patience is not None:
        as_integer(patience, "patience", minimum=1)
    if validation is None:
        if patience is not None:
            raise ValueError("patience without validation: pass validation=(inputs, targets)")
        return None
    if isinstance(validation, tuple) and len(validation) == 2:
        validation = dict(zip(("inputs", "targets"), validation, strict=True))
    if not isinstance(validation, dict):
        raise TypeError(f"validation is a {type(validation).__name__}: (inputs, targets) or a dict of them is wanted")
    known = ("inputs", "targets", "initial_state", "lengths", "mask")
    if unknown := [name for name in validation if name not in known]:
        raise ValueError(f"validation has {', '.join(map(str, unknown))}: only {', '.join(known)} are known")
    data = {name: validation.get(name) for name in known}
    try:
        return Problem.checked(net, loss=loss, **data)
    except (TypeError, ValueError) as error:
        raise type(error)(f"validation: {error}") from error


def _as_batches(problem, size, by_length, rng):
    if size is not None and isinstance(problem.loss, Called):
        raise ValueError(
            "batch_size with a callable loss: it could not tell which sequences it sees; pass batch_size=None"
        )
    if size is not None and not len(problem.s0):
        raise ValueError("inputs has no sequences, so there are no batches: pass some, or batch_size=None")
    if by_length and (problem.lengths is None or size is None):
        raise ValueError("by_length without lengths and batch_size: pass both, or by_length=False")
    return Batches(len(problem.s0), size, rng, problem.lengths if by_length else None)


def _history(steps, optimizer, held_out):
    names = ["loss", "gradient_norm"]
    names += ["learning_rate"] if hasattr(optimizer, "rate") else []  # a caller's own optimiser may have none
    names += ["validation_loss"] if held_out is not None else []
    return {name: np.full(steps, np.nan) for name in names}
