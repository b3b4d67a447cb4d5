"""The loop of training: batches, gradients, clipping, steps, a look at validation data, and a file to resume from."""

from __future__ import annotations

import math

import numpy as np

from rnndyn.devices import device_for, running_on
from rnndyn.frontdoor import as_truncation, as_window, check_network
from rnndyn.gradients import Problem, windows_of
from rnndyn.networks.base import norm_of
from rnndyn.progress import progressing
from rnndyn.schema import WATCHED
from rnndyn.training.asked import (
    as_batches,
    as_clipping,
    as_curriculum,
    as_dropout,
    as_feeding,
    as_optimizer,
    as_validation,
    as_watch,
)
from rnndyn.training.history import as_dataset, empty_history
from rnndyn.training.joined import Joined
from rnndyn.training.rehearsed import Rehearsals
from rnndyn.training.resume import Progress, read_progress, write_progress
from rnndyn.validate import as_generator, as_integer


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
    feeding=None,
    curriculum=None,
    validation=None,
    validate_every=1,
    patience=None,
    watch=None,
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
        outputs alone, so it needs ``batch_size=None``. With ``device="cuda"`` inputs go to the GPU once and stay there,
        if half of its free memory holds them, but with `dropout` or `feeding`, which change them at every step; each
        step sends the weights.
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
        Draws the batches, what is left out, and what is fed.
    feeding : ScheduledSampling or Reinforce, optional
        Feed the network its own outputs in place of inputs: :class:`rnndyn.ScheduledSampling`, free running, or
        rewards for what it draws, :class:`rnndyn.Reinforce`. None is teacher forcing.
    curriculum : callable, optional
        Length to which sequences are cut, by the number of steps done (Bengio et al. [bengio2009]_): a schedule such as
        ``rd.schedules.Linear(5, 1, every=10)``, short ones first.
    validation : tuple or dict, optional
        Other data, ``(inputs, targets)`` or a dict of these with ``lengths``, ``mask`` and ``initial_state``. The
        network that does best on them is the one returned. By teacher forcing, whatever it is trained by, unless the
        dict has a ``feeding`` too: ``rd.ScheduledSampling(0.0)`` lets it run freely, its own outputs its inputs. What
        that draws is drawn by the same random numbers at each look.
    validate_every : int
        Steps between looks at the validation data.
    patience : int, optional
        Stop after so many looks in a row without a new best; None goes on to the end.
    watch : Watch, optional
        What to look at while the network is trained, and at which steps: see :class:`rnndyn.Watch` and
        `rnndyn.probes`.
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
        (after the step) over ``step``; what was watched over ``watched_step``. Its attrs hold ``best_step``, the step
        that gave the network returned.

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
    check_network(net)
    place = device_for(device, net)
    optimizer = as_optimizer(optimizer)
    count = as_integer(steps, "steps", minimum=0)
    clip = as_clipping(clip_norm, clip_value)
    look, save = (
        as_integer(n, name, minimum=1) for n, name in ((validate_every, "validate_every"), (save_every, "save_every"))
    )
    with running_on(place):  # data on a GPU are taken there
        problem = Problem.checked(net, inputs, targets, loss, initial_state, lengths, mask)
        held_out, fed = as_validation(net, validation, loss, patience)
        if any(option is not None for option in (batch_size, dropout, feeding, curriculum, save_to, fed)):
            problem, held_out = problem.on_processor(), held_out and held_out.on_processor()
    truncation = as_truncation(truncate)
    as_window(checkpoint, problem.steps)
    feeding, length, watch = as_feeding(feeding, problem), as_curriculum(curriculum, problem), as_watch(watch)
    dropout, generator = as_dropout(dropout, net), as_generator(rng)
    seed = None if feeding is dropout is fed is None else int(generator.integers(1 << 62))
    batches = as_batches(problem, batch_size, by_length, generator)
    call = {"loss": loss, "optimizer": optimizer, "clip_norm": clip_norm, "clip_value": clip_value, "rng": rng}
    call |= {"batch_size": batch_size, "by_length": by_length, "truncate": truncate}
    call |= {"validate_every": validate_every, "patience": patience, "watch": watch, "device": place}
    call |= {"feeding": feeding, "curriculum": curriculum, "dropout": dropout}
    call |= {} if fed is None else {"validation_feeding": fed}
    joined = Joined(optimizer, net.arrays())
    state = optimizer.start(joined.join(net.arrays()))
    done = Progress(net, state, empty_history(count, optimizer, held_out), seed=seed)
    if save_to is not None:
        contents = call | {"net": net, "data": problem.contents(), "validation": held_out and held_out.contents()}
        read_progress(save_to, done, batches, contents)
    if place == "cuda":
        problem = problem.on_device() if feeding is dropout is None else problem
        held_out = held_out.on_device() if held_out and fed is None else held_out
    _look(done, watch)
    arrays, rehearsals = joined.join(done.net.arrays()), Rehearsals(joined)
    bar: dict[str, float] = {}
    for k in progressing(range(done.step, count), progress, "training", done.step, bar):
        if patience is not None and done.waited >= patience:
            break
        with running_on(place):
            part, factors = _prepared(problem, done, batches.take(), length(k), dropout, feeding)
            plan = windows_of(part.steps, as_window(checkpoint, part.steps), truncation)
            value, gradients, norm = _gradient(done, part, plan, factors, arrays, rehearsals)
        bar |= {"loss": value, "gradient_norm": norm}
        arrays = _advance(done, optimizer, arrays, clip(gradients, norm), joined, bar)
        if held_out is not None and done.step % look == 0:
            with running_on(place):
                _validate(done, held_out, fed)
        _look(done, watch)
        if save_to is not None and done.step % save == 0:
            write_progress(save_to, done, batches, contents)
    if save_to is not None and done.step % save:
        write_progress(save_to, done, batches, contents)
    best = done.net.with_arrays(done.best) if done.best else done.net
    return best, as_dataset(done, best, call | {"steps": steps})


# --- one step ---------------------------------------------------------------------------------------------------------


def _prepared(problem, done, rows, steps, dropout, feeding):
    """Problem of the step, with what is left out and fed, and the factors that its network's arrays had.

    These are None where nothing is: the network of the problem may then be an older one. Each draws from a generator of
    the seed and the step: so a training that is taken up needs only the seed.
    """
    if dropout is feeding is None:
        return problem.part(rows, steps), None
    net, factors = done.net, {}
    if dropout is not None:
        masks = np.random.default_rng([done.seed, done.step, 1])
        factors, arrays = dropout.factors(net, masks), net.arrays()
        net = net.with_arrays({name: m * arrays[name] for name, m in factors.items()})
    part = problem.part(rows, steps).changed(net=net)
    if dropout is not None:
        part = dropout.thin(part.changed(net=dropout.masked(net, len(part.s0), masks)), masks)
    if feeding is not None:  # by the network with its parts left out, whose gradient it is
        part = feeding(part, done.step, np.random.default_rng([done.seed, done.step]))
    return part, factors


def _gradient(done, part, plan, factors, arrays, rehearsals):
    """Loss, joined gradients and their norm, all finite."""
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        found = rehearsals.solve(done, part, plan, arrays) if factors is None else None
        value, gradients = found or _solved(done, part, plan, factors, rehearsals.joined)
        norm = norm_of(gradients.values())
    if not (math.isfinite(value) and math.isfinite(norm)):
        raise FloatingPointError(
            f"step {done.step + 1}: loss {value}, gradient norm {norm}; lower the learning rate or set clip_norm"
        )
    return value, gradients, norm


def _solved(done, part, plan, factors, joined):
    """Loss and joined gradients; those of arrays that had factors have them too."""
    part = part.changed(net=done.net) if factors is None else part
    value, found = part.solve(plan)
    gradients = found.arrays()
    return value, joined.join(gradients | {name: m * gradients[name] for name, m in (factors or {}).items()})


def _advance(done, optimizer, arrays, gradients, joined, facts):
    """Make one step of the optimiser, and enter it into the history; returns the new joined arrays."""
    for name, value in facts.items():
        done.history[name][done.step] = value
    if "learning_rate" in done.history:
        done.history["learning_rate"][done.step] = optimizer.rate(done.step)
    with np.errstate(over="ignore", invalid="ignore"):  # found below
        moved, done.optimizer = optimizer.step(arrays, gradients, done.optimizer)
    arrays = arrays | _like(arrays, moved)  # an optimiser that is not ours may leave some alone
    done.step += 1
    if not all(np.isfinite(array).all() for array in arrays.values()):
        name = next(name for name, array in joined.split(arrays).items() if not np.isfinite(array).all())
        raise FloatingPointError(f"step {done.step}: {name} is no longer finite; lower the learning rate")
    done.newer = lambda: joined.split(arrays)
    return arrays


def _like(arrays, moved):
    """What an optimiser gave, in the dtype of the arrays it was given."""
    for name, array in moved.items():
        if name not in arrays or np.shape(array) != arrays[name].shape:
            wanted = ", ".join(f"{known} {old.shape}" for known, old in arrays.items())
            raise ValueError(f"optimizer gave {name} of shape {np.shape(array)}: arrays like {wanted} are wanted")
    return {name: np.asarray(array, arrays[name].dtype) for name, array in moved.items()}


def _look(done, watch):
    """Look at the network, if this is a step to look at and it was not done before."""
    if watch is not None and watch.due(done.step) and done.step not in done.watched.get(WATCHED, ()):
        watch.look(done.net, done.step, done.watched)


def _validate(done, held_out, feeding):
    """Look at the validation data, and keep the network if it is the best so far."""
    part = held_out.changed(net=done.net)
    if feeding is not None:
        part = feeding(part, done.step, np.random.default_rng([done.seed, 0, 2]))
    value = part.value()
    done.history["validation_loss"][done.step - 1] = value
    done.waited += 1
    if value < done.best_loss:
        done.best, done.best_step, done.best_loss, done.waited = done.net.arrays(), done.step, value, 0
