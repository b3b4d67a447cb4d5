"""Steps of training whose rooms, places and calls stand ready: for small networks, most of a step is to prepare them.

The numbers are those of :meth:`rnndyn.gradients.Problem.solve` in every bit. What is rehearsed are networks of one cell
with few weights, once problems of one shape come twice in a row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.devices import on_gpu
from rnndyn.kernels.pack import FEW, ReadoutPanels, in_line, views
from rnndyn.losses import StepLoss
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.passes import Tape, pack_states, shared_steps
from rnndyn.readout import Readout
from rnndyn.records import record
from rnndyn.sums import WeightSums


class Rehearsals:
    """What a training has rehearsed: steps of one shape, if any.

    Parameters
    ----------
    joined : Joined
        How the arrays of its network are joined.
    """

    def __init__(self, joined):
        self.joined, self.shape, self.step = joined, None, None

    def solve(self, done, part, plan, arrays):
        """Loss and joined gradients; None where they have not been rehearsed.

        Parameters
        ----------
        done : Progress
            The training, whose network has these arrays.
        part : Problem
            The data; its network may be an older one.
        plan : tuple
            Windows, and whether they are cut.
        arrays : dict of ndarray
            Joined arrays.

        Returns
        -------
        tuple or None
            As :meth:`Rehearsed.solve`.
        """
        shape = len(part.s0), part.steps, plan
        if shape != self.shape:
            self.shape, self.step = shape, None
            return None
        if self.step is None:
            self.step = rehearse(done.net, part, plan, self.joined)
        return self.step.solve(part, arrays) if self.step else None


def rehearse(net, part, plan, joined):
    """Steps for problems like ``part``; False where a step does more than is rehearsed."""
    batch, (windows, cut) = len(part.s0), plan
    plain = record.dispatch(type(net)) is record.dispatch(CellNetwork) and isinstance(part.loss, StepLoss)
    whole = len(windows) == 1 and not cut and part.taken is None and part.shown is None
    if not (plain and whole and batch) or on_gpu() or sum(array.size for array in net.arrays().values()) > FEW:
        return False
    if net.layout.trained or shared_steps(net, batch, part.steps)[1]:
        return False
    made = Rehearsed(net, part, joined)
    return made if made.weights and made.gradients else False


class Rehearsed:
    """Steps of training of one network on problems of one shape.

    Parameters
    ----------
    net : CellNetwork
        The network.
    part : Problem
        A problem of that shape.
    joined : Joined
        How the arrays of the network are joined.
    """

    def __init__(self, net, part, joined):
        self.net, self.joined, self.given = net, joined, None
        batch, dtype, cells = len(part.s0), net.dtype, len(net.layout.weights)
        self.packed, where = in_line(_packed(net), dtype)
        weights = views(self.packed, where)
        self.sums, self.readout = WeightSums(net, batch), Readout(net)
        totals = [self.sums.total]
        if self.readout.W is not None:
            self.readout.packed = ReadoutPanels(*weights[cells:])
            totals.append(self.readout.total)
        self.found = [total.numbers[:-1] for total in totals]  # the last is a zero
        self.weights = selection(self._pack, list(joined.join(net.arrays()).values()))
        self.gradients = selection(self._unpack, self.found)
        self.x = np.empty((batch, part.steps, net.input_size), dtype)
        made = net.sizes._replace(weights=net.cell(*weights[:cells]))
        self.tape = Tape(net.with_layout(made), self.x, part.s0)
        self._call()

    def _call(self):
        """Make the calls, there and back, and the room between them."""
        tape, hidden = self.tape, self.tape.hidden
        adjoints, kept = tape.adjoints(), np.empty((0, *tape.s.shape[1:]), tape.s.dtype)
        self.cleared = [*self.found, *(room for room in adjoints if room is not None)]
        self.there, self.back, self.z, pulled = [tape.recording()], [], hidden, np.empty_like(hidden)
        self.g = pulled
        if self.readout.W is not None:
            self.z, self.g = (np.empty((*hidden.shape[:2], len(self.readout.W)), hidden.dtype) for _ in range(2))
            self.there.append(self.readout.summing(hidden, self.z))
            self.back += self.readout.pulling(self.g, hidden, pulled)
        self.back.append(tape.pulling(pulled, adjoints, self.sums.q, kept))
        self.back.append(self.sums.total.adding(*self.sums.of(tape)))

    def _pack(self, arrays):
        """Packed weights of the network with other joined arrays."""
        named = dict(zip(self.joined.groups, arrays, strict=True))
        return in_line(_packed(self.net.with_values(self.joined.split(named))), self.net.dtype)[0]

    def _unpack(self, numbers):
        """Joined gradients from other sums."""
        for own, other in zip(self.found, numbers, strict=True):
            own[:] = other
        gradients = self.sums.gradients(*self.readout.gradients()).arrays()
        return np.concatenate([array.ravel() for array in self.joined.join(gradients).values()])

    def solve(self, part, arrays):
        """Loss and gradients.

        Parameters
        ----------
        part : Problem
            The data.
        arrays : dict of ndarray
            Joined arrays of the network.

        Returns
        -------
        value : float
            The loss.
        gradients : dict of ndarray
            Joined.
        """
        if self.given is None or self.given[0] is not part.x or self.given[1] is not part.s0:
            self.x[...] = 0.0 if part.x is None else part.x
            pack_states(self.net, part.s0, self.tape.s[0])
            self.given = part.x, part.s0
        self.weights.take(arrays.values(), self.packed)
        for room in self.cleared:
            room.fill(0)
        for call in self.there:
            call.run()
        values, self.g[...] = part.step_losses(self.z, slice(None))
        for call in self.back:
            call.run()
        return part.mean(values), self.joined.cut(self.gradients.take(self.found))


def _packed(net):
    """Packed weights of a network and of its read-out."""
    return [*net.layout.weights, *(() if net.W_hy is None else Readout(net).packed)]


class Selection(NamedTuple):
    """Numbers that are some of others or constants, and where they stand among the constants and the others."""

    constants: np.ndarray
    places: np.ndarray
    signs: np.ndarray | None  # factors, if one of them is not 1

    def take(self, arrays, out=None):
        """Take them from the others."""
        numbers = np.concatenate([self.constants, *(array.ravel() for array in arrays)])
        taken = numbers.take(self.places, out=out, mode="clip")
        return taken if self.signs is None else np.multiply(taken, self.signs, out=taken)


def selection(function, like):
    """Selection that does what ``function`` does with arrays ``like`` these; None if there is no such thing."""
    dtype, stops = like[0].dtype, np.cumsum([array.size for array in like])

    def applied(numbers):
        parts = zip(np.split(numbers.astype(dtype), stops[:-1]), like, strict=True)
        return function([part.reshape(array.shape) for part, array in parts])

    fixed, found = applied(np.zeros(stops[-1])), applied(np.arange(1, 1 + stops[-1]))
    constants = np.unique(np.append(fixed, dtype.type(0)))
    chosen = (fixed == 0) & (found != 0)
    places = np.where(chosen, np.abs(found).astype(np.intp) - 1 + len(constants), np.searchsorted(constants, fixed))
    signs = None if (found >= 0).all() else np.where(chosen & (found < 0), -1, 1).astype(dtype)
    made, trial = Selection(constants, places, signs), np.random.default_rng(0).standard_normal(stops[-1]).astype(dtype)
    return made if np.array_equal(made.take([trial]), applied(trial)) else None
