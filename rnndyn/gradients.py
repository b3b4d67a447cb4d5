"""Backpropagation through time for every network: whole, truncated, or with checkpoints.

Time is cut into windows. Each is run again from the state at its start, recorded, and its adjoint propagated; the
windows join without a change in any bit, so checkpoints cost memory and time but no accuracy (Griewank & Walther
[griewank2000]_; with windows of sqrt(T) steps, memory grows as sqrt(T), Chen et al. [chen2016]_).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnndyn.devices import device_for, running_on
from rnndyn.dynamics import forward, hidden_of, start
from rnndyn.frontdoor import (
    as_ended,
    as_mask,
    as_sequences,
    as_truncation,
    as_window,
    check_network,
    on_processor,
)
from rnndyn.losses import SequenceLoss, as_loss
from rnndyn.networks.compose import Stack, looks_ahead
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.readout import Readout
from rnndyn.records import Window, pull_start, record, sums_for
from rnndyn.validate import is_on_gpu

DATA = ("x", "s0", "steps", "targets", "weight", "lengths")
FACTORS = ("taken", "shown")  # of the inputs (batch, time, input), and of the hidden states that the read-out sees


@lru_cache(maxsize=16)
def windows_of(steps, length, truncate):
    """Windows of a run, last first, and whether the adjoint is cut between them."""
    if truncate is not None:
        every, back = truncate
        ends = [*range(every, steps, every), steps] if steps else []
        begins = [0, *ends[:-1]]
        pairs = zip(begins, ends, strict=True)
        return tuple(Window(max(0, stop - max(back, stop - begin)), begin, stop) for begin, stop in pairs)[::-1], True
    starts = range(0, steps, length or max(steps, 1))
    return tuple(Window(start, start, min(steps, start + (length or steps))) for start in starts)[::-1], False


def value_and_grad(
    net,
    inputs,
    targets,
    *,
    loss="mse",
    initial_state=None,
    lengths=None,
    mask=None,
    truncate=None,
    checkpoint=None,
    device="cpu",
):
    """Loss of a network on sequences, and its gradient by backpropagation through time.

    Parameters
    ----------
    net : Network
        The network; without a read-out its outputs are the hidden states.
    inputs : array_like, shape (B, T, I) or (T, I), or int
        Input sequences; for an autonomous network the number of steps. For an :class:`EncoderDecoder` a pair, the
        source and these.
    targets : array_like
        ``"mse"``: (B, T, O) or (T, O). ``"cross_entropy"``: integers (B, T) or (T,) in ``0..O-1``. For the others see
        `rnndyn.losses`. For a callable: not used, None.
    loss : {"mse", "cross_entropy", "gaussian_nll", "mixture", "quantile", "ctc"}, Loss or callable
        ``"mse"``: sum over time and outputs of ``1/2 (y - target)^2``, mean over the batch. ``"cross_entropy"``: minus
        the log-probability of the targets, with the read-out's sums as logits, summed over time, mean over the batch;
        so are the others, as `rnndyn.losses` says. A callable takes the outputs (B, T, O), zeros behind the ends of
        sequences, and returns the value and its derivative with respect to them.
    initial_state : array_like, shape (B, S) or (S,), optional
        State before the first step; zeros by default.
    lengths : array_like of int, shape (B,), optional
        Where sequences end; later steps count for nothing, whatever they hold. For an :class:`EncoderDecoder` also a
        pair, of the source and of the inputs, either of them None.
    mask : array_like, shape (B, T) or (T,), optional
        Weight of each step in the loss; numbers or booleans. Not with ``"ctc"`` or a callable.
    truncate : int or (int, int), optional
        Truncated backpropagation (Williams & Peng [williams1990]_): ``(k1, k2)`` goes back ``k2`` steps after every
        ``k1`` steps, for the losses of those ``k1``; ``k`` is ``(k, k)``.
    checkpoint : int or True, optional
        Keep only the states at every ``checkpoint`` steps and record the stretches between them again; True takes
        ``ceil(sqrt(T))``. The gradient is the same to the last bit, on a GPU to rounding.
    device : {"cpu", "cuda", "auto"}
        Where to run the network: on the processor, on a GPU, or on a GPU where one can run it. The read-out and the
        loss are computed by the processor. On a GPU the numbers differ from the processor's by rounding. Arrays that
        are there already are taken as by :func:`rnndyn.run`; targets and masks are copied to the processor.

    Returns
    -------
    value : float
        The loss.
    gradients : Gradients
        dL/dfield under the name of each field of the network.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, for wrong types, shapes, values that are not finite, lengths or labels out of range.
    DeviceError
        For ``"cuda"`` where no GPU can be used, with the reason and the remedy, for a :class:`Map` or a
        :class:`LayerNormLSTM`, which have no kernels there, and where a single sequence does not fit its memory.
        Several that do not go through it some at a time.

    Notes
    -----
    Backpropagation through time of Werbos [werbos1990]_, equation 12 ff. The cost is some three forward passes, one
    more with checkpoints or truncation with ``k2 > k1``; memory is O(B T (G + S) H), with checkpoints its square root
    in T.

    Examples
    --------
    >>> import numpy as np, rnndyn as rd
    >>> net = rd.Elman([[1.0]], [[0.5]])
    >>> value, gradients = rd.value_and_grad(net, np.ones((2, 1)), np.zeros((2, 1)))
    >>> round(value, 6), gradients.W_hh.round(6).tolist()
    (0.678208, [[0.150057]])
    """
    check_network(net)
    with running_on(device_for(device, net)):
        problem = Problem.checked(net, inputs, targets, loss, initial_state, lengths, mask)
        return problem.solve(windows_of(problem.steps, as_window(checkpoint, problem.steps), as_truncation(truncate)))


class Problem:
    """One gradient: a network, its data, and the sums that the windows fill."""

    def __init__(self, net, x, s0, steps, targets, loss, weight, lengths, taken=None, shown=None):
        self.net, self.x, self.s0, self.steps, self.lengths = net, x, s0, steps, lengths
        self.targets, self.loss, self.weight = targets, loss, weight
        self.taken, self.shown = taken, shown
        self.readout = Readout(net)

    @classmethod
    def checked(cls, net, inputs, targets, loss, initial_state, lengths, mask):
        """Problem from a caller's arguments."""
        x, s0, steps, _ = as_sequences(net, inputs, initial_state)
        x, s0, ends = as_ended(net, x, s0, steps, lengths)
        weight = as_mask(mask, len(s0), steps, ends)
        loss = as_loss(loss)
        if mask is not None and not loss.masks:
            raise ValueError(f"mask with loss={loss!r}, which has no loss of single steps: pass lengths, or mask=None")
        targets = loss.targets(net, on_processor(targets, "targets"), len(s0), steps, ends)
        return cls(net, x, s0, steps, targets, loss, weight, ends)

    def part(self, rows=None, steps=None):
        """Problem of all sequences, or some, cut after the longest or ``steps``."""
        if rows is None and steps is None:
            return self
        rows = slice(None) if rows is None else rows
        ends = None if self.lengths is None else self.lengths[rows]
        steps = min(self.steps, self.steps if steps is None else steps)
        if ends is not None:
            steps = min(steps, max(1, int(ends.max(initial=0))))
            ends = np.minimum(ends, steps)
        weight = None if self.weight is None else self.weight[rows, :steps]
        x = None if self.x is None else rows_of(self.x, rows, steps)
        targets = self.loss.part(self.targets, rows, steps)
        data = {"x": x, "s0": self.s0[rows], "steps": steps, "targets": targets, "weight": weight, "lengths": ends}
        return self.changed(**data)

    def changed(self, **changes):
        """Problem with some of its arguments changed."""
        return Problem(**{name: getattr(self, name) for name in ("net", "loss", *DATA, *FACTORS)} | changes)

    def on_processor(self):
        """Problem whose data are on the processor, as it is needed to cut them into batches."""
        return self.changed(x=on_processor(self.x, "inputs"), s0=on_processor(self.s0, "initial_state"))

    def on_device(self):
        """Problem whose inputs stay on the GPU, if the network takes them there and its memory has room for them."""
        from rnndyn.arrays_cuda import resident

        first = self.net.layers[0] if isinstance(self.net, Stack) else self.net
        return self.changed(x=resident(self.x)) if isinstance(first, CellNetwork) else self

    def contents(self):
        """Data alone, without the network."""
        return [getattr(self, name) for name in DATA]

    def inputs(self, start, stop):
        """Inputs of a window, contiguous but on a GPU."""
        whole = self.x is None or (start, stop) == (0, self.steps)
        x = self.x if whole else self.x[:, start:stop]
        x = x if self.taken is None else x * self.taken[:, start:stop]
        return x if x is None or is_on_gpu(x) else np.ascontiguousarray(x)

    def starts(self, windows):
        """States at the start of each window but the first, by running once without a tape."""
        times = sorted({window.start for window in windows} | {0})
        state = start(self.net, self.s0)
        kept = {0: state}
        for begin, end in zip(times, times[1:], strict=False):
            states = forward(self.net, self.inputs(begin, end), state, end - begin)
            state = states[:, -1].copy()  # a view would keep all of them
            kept[end] = state
        return kept

    def solve(self, plan, trace=None, own=None):
        """Value and gradients; ``trace`` and ``own`` receive what `state_gradients` returns."""
        windows, cut = plan
        if len(windows) > 1 and looks_ahead(self.net):
            raise ValueError("truncate or checkpoint with a Bidirectional, which looks ahead: leave both out")
        self.sums, self.values = sums_for(self.net, len(self.s0)), np.zeros((len(self.s0), self.steps))
        derivative = self.whole() if isinstance(self.loss, SequenceLoss) else None
        states = self.starts(windows)
        adjoint, first = (np.zeros(states[0].shape, self.net.dtype) for _ in range(2))
        for window in windows:
            tape = record(self.net, self.inputs(window.start, window.stop), states[window.start], window, self.lengths)
            g = self.losses(tape, window, derivative)
            if own is not None:
                own[:, window.start : window.stop] = g
            within = None if trace is None else trace[:, window.start : window.stop]
            adjoint = tape.pull(g, np.zeros_like(adjoint) if cut else adjoint, self.sums, trace=within)[0]
            if window.start == 0:  # truncated, several begin there
                first += adjoint
        pull_start(self.net, self.s0, first, self.sums)
        value = derivative[0] if derivative else self.mean(self.values)
        return value, self.sums.gradients(*self.readout.gradients())

    def value(self):
        """Loss without gradients."""
        if isinstance(self.loss, SequenceLoss):
            return self.whole()[0]
        values = self.loss.steps(self.outputs(), self.targets, self.net.output_activation)[0]
        return self.mean(values if self.weight is None else values * self.weight)

    def mean(self, values):
        """Mean over the batch of the losses (batch, time)."""
        return float(values.sum() / max(len(self.s0), 1))

    def outputs(self):
        """Sums of the read-out (batch, time, output) at all times, before their activation."""
        s0 = start(self.net, self.s0)
        states = forward(self.net, self.inputs(0, self.steps), s0, self.steps, self.lengths)
        return self.readout.sums(np.ascontiguousarray(self.seen(hidden_of(self.net, states), 0, self.steps)))

    def seen(self, hidden, start, stop):
        """What the read-out sees of hidden states (batch, time, unit), or their adjoint, at some times."""
        return hidden if self.shown is None else hidden * self.shown[:, start:stop]

    def whole(self):
        """Value and dL/dz of a loss that looks at all outputs at once."""
        value, g = self.loss.whole(self.outputs(), self.targets, self.net.output_activation, self.lengths)
        return value, g if self.weight is None else g * self.weight[:, :, None].astype(g.dtype)

    def step_losses(self, z, times):
        """Weighted losses (batch, time) of some times, and the derivative of their mean by ``z``."""
        values, g = self.loss.steps(z, self.targets[:, times], self.net.output_activation)
        share = np.array(1 / max(len(self.s0), 1))
        if self.weight is not None:
            weight = self.weight[:, times]
            values, share = values * weight, weight[..., None] / max(len(self.s0), 1)
        return values, g * share.astype(self.net.dtype)

    def losses(self, tape, window, derivative):
        """dL/dh (batch, time, unit) of a window; its values and the read-out's gradient are added up on the way."""
        hidden = self.seen(tape.hidden, window.start, window.stop)
        first = window.counted - window.start
        z = self.readout.sums(hidden)
        times = slice(window.counted, window.stop)
        if derivative is not None:
            g = derivative[1][:, times]
        else:
            self.values[:, times], g = self.step_losses(z[:, first:], times)
        whole = g.astype(self.net.dtype, copy=False)
        if first:
            whole = np.zeros(z.shape, self.net.dtype)
            whole[:, first:] = g
        return self.seen(self.readout.pull(whole, hidden), window.start, window.stop)


def rows_of(x, rows, steps):
    """Some of the sequences ``x`` (batch, time, input), cut in time, where they are."""
    if not is_on_gpu(x):
        return x[rows, :steps]
    from rnndyn.kernels.cuda.rows import taken

    return taken(x, rows, steps)


def backprop(net, x, g, s0):
    """Gradients of the weights from dL/dh: the adjoint pass alone, on plain arrays.

    Parameters
    ----------
    net : Network
        The network.
    x : ndarray, shape (batch, time, input), or None
        Inputs.
    g : ndarray, shape (batch, time, unit)
        dL/dh_t of what depends on h_t directly.
    s0 : ndarray, shape (batch, state)
        States before the first step.

    Returns
    -------
    hidden : ndarray, shape (batch, time, unit)
        Hidden states.
    gradients : Gradients
        dL/dfield; zeros for a read-out, which this loss does not see.
    """
    sums = sums_for(net, len(s0))
    tape = record(net, x, s0, Window(0, 0, g.shape[1]), None)
    hidden = tape.hidden
    tape.pull(g, np.zeros_like(s0), sums)
    return hidden, sums.gradients()


def state_gradients(net, inputs, targets, *, loss="mse", initial_state=None, lengths=None, mask=None):
    """Whole derivatives dL/ds_t of a loss with respect to the state at each time, and what of them is the loss's own.

    Of a `Stack`, a layer's part is the derivative at fixed states of the other layers at that time.

    Parameters
    ----------
    net, inputs, targets, loss, initial_state, lengths, mask
        As in :func:`value_and_grad`.

    Returns
    -------
    whole : ndarray, shape (B, T, S)
        Total derivatives, through all later times.
    own : ndarray, shape (B, T, H)
        Derivatives by the hidden states h_t at fixed states of all other times.
    """
    problem = Problem.checked(net, inputs, targets, loss, initial_state, lengths, mask)
    whole, own = (np.zeros((len(problem.s0), problem.steps, n), net.dtype) for n in (net.state_size, net.hidden_size))
    problem.solve(windows_of(problem.steps, None, None), whole, own)
    return whole, own
