"""The variational equation of a cell network over a stretch of time, ``(s, V) -> (F(s), J V)``, and its adjoint.

Each unit has the local variables ``z = (a, s, q)``: pre-activations, states, parameters. With D and E the first and
second derivatives of what it computes, ``y(z)``, one step from ``(s, V)`` and back from an adjoint ``(u, U)`` is

    z' = (W V_h, V, 0)           (J V) = D z'
    Zbar = D^T [u, U] + [E : U z'^T, 0]        [s, V]bar = Zbar_s + W^T Zbar_a        Wbar = Zbar_a [h, V_h]^T

where ``[u, U]`` holds the adjoint of the state as a column beside those of the vectors. The bracket with E, where the
curvature of the step meets the vectors, is all that it has beyond ordinary backpropagation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnndyn.analysis.duals import Dual, on_duals, parts
from rnndyn.networks.base import Gradients
from rnndyn.networks.recurrent import CellNetwork
from rnndyn.passes import Tape, gate_matrices


class Stretch:
    """States of a network over a stretch of time, with its derivatives.

    Parameters
    ----------
    net
        The network.
    x : (B, T, I)
        Inputs.
    s0 : (B, S)
        States before the first step.
    curved
        Whether second derivatives are wanted, as by `pull`.
    """

    def __init__(self, net: CellNetwork, x: np.ndarray, s0: np.ndarray, *, curved: bool = False) -> None:
        tape = Tape(net, x, s0)
        self.net, self.x = net, x
        self.s = _trimmed(tape.s, net.hidden_size)
        self.m = None if tape.m is None else _trimmed(tape.m, net.hidden_size)
        self.a = pre_activations(net, x, self.s[:-1], self.m)
        self.last = tape.last
        self.D, self.E = unit_derivatives(net, self.a, self.s[:-1], curved=curved)
        self.weights = {source: gate_matrices(net, source)[0] for source in "xhm"}
        self.slots = driven(net)
        self.local = slice(net.layout.gates, net.layout.gates + net.layout.states)  # the place of s in z

    def directions(self, t: int, V: np.ndarray) -> np.ndarray:
        """How the local variables move with the vectors.

        Parameters
        ----------
        t
            The step, from 0.
        V : (B, S, k)
            Tangent vectors.

        Returns
        -------
        (B, G + C, H, k) array
            The z' of pre-activations and states.
        """
        units = self.net.hidden_size
        z = np.zeros((len(V), self.local.stop, units, V.shape[2]))
        z[:, self.local] = V.reshape(len(V), -1, *z.shape[2:])
        self._drive(z, "h", V[:, :units])
        if self.m is not None:
            self._drive(z, "m", self._rate(t, z))
        return z

    def push(self, t: int, z: np.ndarray) -> np.ndarray:
        """Tangent vectors after a step.

        Parameters
        ----------
        t
            The step, from 0.
        z
            From `directions`.

        Returns
        -------
        (B, S, k) array
            J V.
        """
        D = self.D[t, :, : self.net.layout.states, : self.local.stop]
        return np.einsum("bcnu,bnuk->bcuk", D, z).reshape(len(z), -1, z.shape[3])

    def pull(self, t: int, z: np.ndarray, adjoint: np.ndarray, sums: Sums) -> np.ndarray:
        """Adjoint of a step, back through states and vectors.

        Parameters
        ----------
        t
            The step, from 0.
        z
            From `directions`.
        adjoint : (B, S, 1 + k)
            dL/d new state, and dL/d(J V).
        sums
            Collects the gradients of the weights.

        Returns
        -------
        (B, S, 1 + k) array
            dL/ds and dL/dV.
        """
        C, D, E = self.net.layout.states, self.D[t], self.E[t]
        U = adjoint.reshape(len(z), C, -1, adjoint.shape[2])
        Z = np.einsum("bcnu,bcuk->bnuk", D[:, :C], U)
        Z[..., 0] += np.einsum("bcnmu,bcmu->bnu", E[:, :C], np.einsum("bcuk,bmuk->bcmu", U[..., 1:], z))
        if self.m is not None:
            M = self._back(Z, "m")
            Z += D[:, -1, :, :, None] * M[:, None]
            Z[..., 0] += np.einsum("bnmu,bmu->bnu", E[:, -1], np.einsum("buk,bmuk->bmu", M[..., 1:], z))
            sums.add_products("m", Z[:, self.slots["m"]], _beside(self.m[t], self._rate(t, z)))
        h = _beside(self.s[t, :, 0], z[:, self.local.start])
        sums.add_products("h", Z[:, self.slots["h"]], h)
        sums.add_products("x", Z[:, self.slots["x"], :, :1], self.x[:, t, :, None])
        sums.add_local(Z[:, : self.local.start, :, 0], Z[:, self.local.stop :, :, 0])
        before = Z[:, self.local]
        before[:, 0] += self._back(Z, "h")
        return before.reshape(adjoint.shape)

    def _drive(self, z: np.ndarray, source: str, vectors: np.ndarray) -> None:
        """Add to the pre-activations what ``W vectors`` brings."""
        W = self.weights[source]
        moved = W.reshape(-1, W.shape[2]) @ vectors
        z[:, self.slots[source]] += moved.reshape(len(z), len(W), *z.shape[2:])

    def _back(self, Z: np.ndarray, source: str) -> np.ndarray:
        """``W^T Z`` of the pre-activations that ``source`` drives."""
        W, adjoint = self.weights[source], Z[:, self.slots[source]]
        return W.reshape(-1, W.shape[2]).T @ adjoint.reshape(len(Z), -1, Z.shape[3])

    def _rate(self, t: int, z: np.ndarray) -> np.ndarray:
        return np.einsum("bnu,bnuk->buk", self.D[t, :, -1, : self.local.stop], z)


class Sums:
    """Gradients of a network's weights, added up over steps.

    Parameters
    ----------
    net
        The network.
    """

    def __init__(self, net: CellNetwork) -> None:
        self.net, made = net, net.layout
        self.products: dict[str, Any] = {source: np.zeros(gate_matrices(net, source)[0].shape) for source in "xhm"}
        self.b, self.q = np.zeros((made.gates, made.units)), np.zeros((made.cell.parameters, made.units))

    def add_products(self, source: str, Z: np.ndarray, V: np.ndarray) -> None:
        """Add the products ``Z V^T`` of all columns.

        Parameters
        ----------
        source
            What drives these pre-activations: "x", "h" or "m".
        Z : (B, G, H, k)
            Their adjoints.
        V : (B, n, k)
            What the weights act on.
        """
        if self.products[source].size:
            self.products[source] += np.tensordot(Z, V, axes=([0, 3], [0, 2]))

    def add_local(self, b: np.ndarray, q: np.ndarray) -> None:
        """Add what reaches biases and parameters of the units.

        Parameters
        ----------
        b : (B, G, H)
            By pre-activation.
        q : (B, P, H)
            By parameter.
        """
        self.b += b.sum(axis=0)
        self.q += q.sum(axis=0)

    def gradients(self) -> Gradients:
        """Return the gradients of the network's fields.

        Returns
        -------
        Gradients
            Zeros for a read-out.
        """
        made, cell = self.net.layout, self.net.layout.cell
        G, b_hn = len(self.net.W_hh) // made.units, None
        W_xh, W_hh = np.zeros((G, made.units, made.inputs)), np.zeros((G, made.units, made.units))
        b_h = np.zeros((G, made.units))
        for k, (gate, drive) in enumerate(zip(cell.gates, cell.drives, strict=True)):
            for source in drive:
                W = W_xh if source == "x" else W_hh
                W[gate] = self.products[source][k - driven(self.net)[source].start]
            if "x" in drive:
                b_h[gate] = self.b[k]
            else:
                b_hn = self.b[k]
        rows = G * made.units
        flat = W_xh.reshape(rows, made.inputs), W_hh.reshape(rows, made.units), b_h.reshape(rows)
        return self.net.fold_gradients(*flat, b_hn, self.q if cell.trainable else None)


def driven(net: CellNetwork) -> dict[str, slice]:
    """Which pre-activations input, state and rate drive, by "x", "h" and "m"."""
    made = net.layout
    return {source: slice(at, at + n) for source, (at, n) in (("x", made.x), ("h", made.h), ("m", made.m))}


def _trimmed(kept: np.ndarray, units: int) -> np.ndarray:
    """From the layout of the kernels (..., block, lane) to (..., unit)."""
    return kept.reshape(*kept.shape[:-2], -1)[..., :units]


def _beside(value: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """A value (B, H) as a column before vectors (B, H, k)."""
    return np.concatenate([value[..., None], vectors], axis=-1)


def pre_activations(net: CellNetwork, x: np.ndarray, s: np.ndarray, m: np.ndarray | None) -> np.ndarray:
    """Pre-activations along a run.

    Parameters
    ----------
    net
        The network.
    x : (B, T, I)
        Inputs.
    s : (T, B, C, H)
        States before each step.
    m : (T, B, H)
        Rates, where the cell has one.

    Returns
    -------
    (T, B, G, H) array
        Those of a tape may have been activated.
    """
    a = np.tile(_trimmed(net.layout.weights.b, net.hidden_size), (*s.shape[:2], 1, 1))
    for source, z in ("x", x.transpose(1, 0, 2)), ("h", s[:, :, 0]), ("m", m):
        W, first = gate_matrices(net, source)
        if z is not None and W.size:
            a[:, :, first : first + len(W)] += np.tensordot(z, W, (2, 2))
    return a


def unit_derivatives(
    net: CellNetwork, a: np.ndarray, s: np.ndarray, *, curved: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivatives of what each unit computes.

    Parameters
    ----------
    net
        The network.
    a : (T, B, G, H)
        Pre-activations.
    s : (T, B, C, H)
        States.
    curved
        Whether second derivatives are wanted.

    Returns
    -------
    D : (T, B, C, n, H) array
        Derivatives of the new states by the n = G + C + P local variables. A cell with a rate has it as one more
        output, the last.
    E : (T, B, C, n, G + C, H) array
        Second derivatives, those by parameters once; empty unless wanted.
    """
    cell, q = net.layout.cell, net.cell_weights()[4]
    z: list[Any] = [*np.moveaxis(a, 2, 0), *np.moveaxis(s, 2, 0)]
    if curved:
        z = [Dual(value, e[:, None, None, None]) for value, e in zip(z, np.eye(len(z)), strict=True)]
    gates, old, own = z[: a.shape[2]], z[a.shape[2] :], q if len(q) else np.zeros((cell.parameters, a.shape[3]))
    formulas = on_duals(cell)
    rows = [[*Da, *Ds, *Dq] for Da, Ds, Dq in zip(*formulas.partials(gates, old, own), strict=True)]
    if cell.rate is not None:
        Ra, Rs = formulas.rate_partials(gates, old)
        rows.append([*Ra, *Rs, *([0.0] * cell.parameters)])
    steps, batch, _, units = a.shape
    D = np.empty((steps, batch, len(rows), len(rows[0]), units))
    E = np.empty((*D.shape[:-1], len(z), units) if curved else (steps, 0))
    for c, row in enumerate(rows):
        for n, (value, slope) in enumerate(map(parts, row)):
            D[:, :, c, n] = value
            if curved:
                E[:, :, c, n] = np.moveaxis(np.broadcast_to(slope, (len(z), steps, batch, units)), 0, 2)
    return D, E
