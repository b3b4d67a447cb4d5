"""All fixed points of a small network of tanh or sigmoid units, by interval branch and bound: with a proof.

In the drives ``u = W x + b`` the fixed points are the roots of ``u = W tanh(u) + b``, linear but for one function of
one variable a unit. A box of drives loses what provably holds no root, and is split where that does not help, until
each box that is left holds one root and no second ([neumaier1990]_, chapter 5). Rounding errors are bounded as in
[higham2002]_, section 3.1, and added to every bound.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.networks.elman import Elman
from rnndyn.networks.leaky import Leaky

EPS = np.finfo(np.float64).eps
ULPS = 8  # bound on the errors of tanh and of a few sums, in units of EPS; of a sum of H products, (H + ULPS) EPS
BATCH, BATCH_ELEMENTS = 4096, 500_000  # boxes, and elements of their matrices, at once: 4 MB, to stay in the cache
ROUNDS = 2  # of contraction before a box is split: fewer need more boxes, more are slower
NARROW = 1e-7  # half width of the box in which a root is proved to be alone; far above rounding, far below 1
GROWTH = 0.05  # of a box on each side, so that a root on its wall is inside
UNDECIDED = 1000  # boxes of which nothing can be proved: then the search gives up, the roots are no isolated points


class Complete(NamedTuple):
    """All fixed points, with a proof.

    ``states`` (n, H) and, for each, ``radius`` (n,), a proved bound of its error in the 2-norm; ``undecided`` (m, H),
    midpoints of tiny boxes with nearly degenerate roots or none; ``complete``: whether it is proved that there are no
    others; ``boxes``: how many boxes it took.
    """

    states: np.ndarray
    radius: np.ndarray
    undecided: np.ndarray
    complete: bool
    boxes: int


class Drive(NamedTuple):
    """The equation ``u = W tanh(u) + b``; states are u, or ``scale tanh(u) + shift`` if there is a scale."""

    W: np.ndarray
    b: np.ndarray
    scale: float = 1.0
    shift: float = 0.0

    def states(self, u: np.ndarray) -> np.ndarray:
        """States for drives."""
        return self.scale * np.tanh(u) + self.shift if self.scale else u


class Boxes(NamedTuple):
    """Boxes ``low <= u <= high``, each bound (n, H)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def mid(self) -> np.ndarray:
        """Midpoints."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> np.ndarray:
        """Half widths, from the rounded midpoints and rounded up."""
        return (self.high - self.low) / 2 + EPS * (np.abs(self.low) + np.abs(self.high))

    def take(self, rows) -> Boxes:
        """Some of the boxes."""
        return Boxes(self.low[rows], self.high[rows])

    def join(self, other: Boxes) -> Boxes:
        """These boxes and others in one batch."""
        return Boxes(np.concatenate([self.low, other.low]), np.concatenate([self.high, other.high]))

    def grown(self, by) -> Boxes:
        """Boxes with more room on every side."""
        return Boxes(self.low - by, self.high + by)

    def meet(self, other: Boxes) -> Boxes:
        """Intersections; low > high on a side where they are empty."""
        return Boxes(np.maximum(self.low, other.low), np.minimum(self.high, other.high))

    def nonempty(self) -> np.ndarray:
        """Which boxes are."""
        return np.all(self.low <= self.high, axis=1)

    def within(self, other: Boxes) -> np.ndarray:
        """Which boxes are inside of the others'."""
        return np.all((other.low < self.low) & (self.high < other.high), axis=1)


def drive(net, x: np.ndarray | None) -> Drive | None:
    """The equation of the drives of a network's fixed points.

    Parameters
    ----------
    net
        A network.
    x : (I,) or None
        Its constant input.

    Returns
    -------
    Drive or None
        For Elman and Leaky networks with tanh or sigmoid units, where sigmoid(a) = (1 + tanh(a / 2)) / 2, and alpha
        moves no fixed point; None for the others.
    """
    if not isinstance(net, Elman | Leaky) or net.activation not in ("tanh", "sigmoid"):
        return None
    W_xh, W, b = (weights.astype(np.float64) for weights in net.cell_weights()[:3])
    b = b if x is None else b + W_xh @ x
    voltage = isinstance(net, Leaky) and net.form == "voltage"
    if net.activation == "sigmoid":
        return None if voltage else Drive(W / 4, b / 2 + W.sum(axis=1) / 4, 0.5, 0.5)
    return Drive(W, b, 0.0 if voltage else 1.0)


def branch_and_bound(equation: Drive, budget: int = 100_000) -> Complete:
    """All roots of ``u = W tanh(u) + b``.

    Parameters
    ----------
    equation
        W (H, H) and b (H,).
    budget
        Largest number of boxes.

    Returns
    -------
    Complete
        The weights are taken to be exact. States are sorted.

    Notes
    -----
    Of a network without bias, half the box is searched and mirrored. For ``W = atanh(V) V^-1`` with V uniform in (-1,
    1) the number of boxes grows about threefold with each unit: some 500 at H = 6, 5000 at H = 8, half a million at H =
    12, each some 10 to 20 us. What counts is how strongly units are driven, not how many there are: a trained
    three-bit flip-flop of 64 units takes some 3000 boxes. Cost O(H^3) a box.

    Examples
    --------
    >>> found = branch_and_bound(Drive(np.array([[2.0]]), np.zeros(1)))
    >>> found.states.ravel().round(6).tolist(), found.complete
    ([-0.957504, 0.0, 0.957504], True)
    """
    W, b = equation.W, equation.b
    reach = np.abs(W).sum(axis=1) * (1 + len(b) * EPS)
    first = Boxes((b - reach)[None] - EPS * np.abs(b), (b + reach)[None] + EPS * np.abs(b))
    odd = not b.any()
    if odd:
        first.low[0, 0] = 0.0
    stack, boxes, rows = [first], 0, min(BATCH, max(1, BATCH_ELEMENTS // len(b) ** 2))
    roots, undecided = [np.empty((0, len(b)))], [np.empty((0, len(b)))]
    while stack and boxes < budget and sum(len(mids) for mids in undecided) <= UNDECIDED:
        batch = stack.pop()
        while stack and len(batch.low) < rows:
            batch = batch.join(stack.pop())
        if len(batch.low) > rows:
            stack.append(batch.take(slice(rows, None)))
            batch = batch.take(slice(rows))
        boxes += len(batch.low)
        batch, weight = contract(equation, batch)
        found, settled = single(equation, batch)
        roots.append(found)
        batch, weight = batch.take(~settled), weight[~settled]
        tiny = (batch.high - batch.low).max(axis=1, initial=0) < NARROW / 10
        undecided.append(batch.mid[tiny])
        if not tiny.all():
            stack.append(halves(batch.take(~tiny), weight[~tiny].argmax(axis=1)))
    u, left = np.concatenate(roots), np.concatenate(undecided)
    u = _without_copies(np.concatenate([u, -u]) if odd else u)
    left = np.concatenate([left, -left]) if odd else left
    states, radius = _states(equation, u)
    return Complete(states, radius, equation.states(left), not stack and not len(left), boxes)


def contract(equation: Drive, boxes: Boxes) -> tuple[Boxes, np.ndarray]:
    """What is left of boxes without parts that hold no root; and (n, H), how much each side blurs the rest."""
    for _ in range(ROUNDS):
        boxes = boxes.meet(image(equation, boxes))
        boxes = boxes.take(boxes.nonempty())
        enclosure, _, weight = newton(equation, boxes)
        boxes = boxes.meet(enclosure)
        kept = boxes.nonempty()
        boxes, weight = boxes.take(kept), weight[kept]
    return boxes, weight


def image(equation: Drive, boxes: Boxes) -> Boxes:
    """Enclosure of ``W tanh(u) + b`` over boxes."""
    W, b = equation.W, equation.b
    x = Boxes(np.tanh(boxes.low), np.tanh(boxes.high)).grown(ULPS * EPS)
    rounding = (len(b) + ULPS) * EPS * (np.abs(W).sum(axis=1) + np.abs(b))  # |x| <= 1
    centre, radius = x.mid @ W.T + b, x.half @ np.abs(W).T + rounding
    return Boxes(centre - radius, centre + radius)


def newton(equation: Drive, boxes: Boxes) -> tuple[Boxes, np.ndarray, np.ndarray]:
    """Enclosure of the map ``u -> u + Z (W tanh(u) + b - u)`` over boxes, with ``Z ~ (I - W a)^-1``.

    On a side, tanh lies in a narrow band about a line, ``tanh(u) = a u + c + e``, so the map is
    ``Z (W (c + e) + b) + (I - Z (I - W a)) u``. Roots in a box are in its enclosure, too; where that is within the box,
    there is one (Brouwer).

    Parameters
    ----------
    equation
        Whose roots.
    boxes
        n of them.

    Returns
    -------
    Boxes, (n,) bool array, (n, H) array
        The enclosures; where Z is proved to be regular, so that a fixed point of the map is a root; and how much the
        curvature on each side widens the enclosure.
    """
    W, b = equation.W, equation.b
    H = len(b)
    a, c, e = band(boxes)
    A = np.eye(H) - W * a[:, None, :]
    Z = _inverse(A)
    size, ZW = np.abs(Z), np.abs(Z @ W)
    rest = np.abs(np.eye(H) - Z @ A) + (H + ULPS) * EPS * (size @ (np.abs(A) + np.eye(H)))
    spread = ZW + (H + ULPS) * EPS * (size @ np.abs(W))
    rounding = (2 * H + ULPS) * EPS * _times(size, np.abs(c) @ np.abs(W).T + np.abs(b))
    far = np.maximum(np.abs(boxes.low), np.abs(boxes.high))
    radius = (_times(spread, e) + _times(rest, far) + rounding) * (1 + (H + ULPS) * EPS)
    centre = _times(Z, c @ W.T + b)
    enclosure = Boxes(centre - radius, centre + radius).grown(EPS * (np.abs(centre) + radius))
    return enclosure, rest.sum(axis=2).max(axis=1) < 0.5, e * ZW.sum(axis=1)


def band(boxes: Boxes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slope a, offset c and half width e of bands, ``|tanh(u) - a u - c| <= e`` on each side of boxes."""
    low, high = boxes
    t_low, t_high = np.tanh(low), np.tanh(high)
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(high - low > NARROW, (t_high - t_low) / (high - low), 1 - np.tanh(boxes.mid) ** 2)
        a = np.clip(a, 0, 1)
        peak = np.arccosh(1 / np.sqrt(a))  # there, and at -peak, the slope of tanh is a
        top = np.where(a > 0, np.tanh(peak) - a * peak, 1.0)
    ends = np.stack([t_low - a * low, t_high - a * high])
    least, most = ends.min(axis=0), ends.max(axis=0)
    most = np.where((low < peak) & (peak < high), np.maximum(most, top), most)
    least = np.where((low < -peak) & (-peak < high), np.minimum(least, -top), least)
    rounding = ULPS * EPS * (1 + a * np.maximum(np.abs(low), np.abs(high)))
    return a, (least + most) / 2, (most - least) / 2 + rounding


def alone(equation: Drive, boxes: Boxes) -> np.ndarray:
    """Which boxes are proved to hold one root at most.

    Two roots differ by ``v = W d v`` with slopes d of tanh in the box. With d in m +- r and ``Z ~ (I - W m)^-1`` that
    cannot be if ``M = |I - Z (I - W m)| + |Z W| r`` has ``M y < y`` for a positive vector y.

    Parameters
    ----------
    equation
        Whose roots.
    boxes
        n of them.

    Returns
    -------
    (n,) bool array
        False where it could not be proved.
    """
    W, H = equation.W, len(equation.b)
    slopes = 1 - np.tanh(np.stack(boxes)) ** 2
    least = slopes.min(axis=0) - ULPS * EPS
    most = np.where((boxes.low < 0) & (boxes.high > 0), 1.0, slopes.max(axis=0)) + ULPS * EPS
    m, r = (least + most) / 2, (most - least) / 2 + EPS
    A = np.eye(H) - W * m[:, None, :]
    Z = _inverse(A)
    rounding = (H + ULPS) * EPS * (np.abs(Z) @ (np.abs(A) + np.abs(W) + np.eye(H)))
    M = np.abs(np.eye(H) - Z @ A) + np.abs(Z @ W) * r[:, None, :] + rounding
    y = np.ones((len(M), H))
    for _ in range(4):  # towards the leading vector of M, and never to 0
        y = _times(M, y) + 1e-3 * y
        y /= y.max(axis=1, keepdims=True)
    return np.all(_times(M, y) < (1 - 1e-9) * y, axis=1)


def single(equation: Drive, boxes: Boxes) -> tuple[np.ndarray, np.ndarray]:
    """Roots in boxes that hold just one, (k, H); and which of the boxes these are."""
    wide = boxes.grown(GROWTH * (boxes.high - boxes.low) + NARROW)
    settled = alone(equation, wide)
    u = _polished(equation, boxes.mid[settled])
    near = Boxes(u, u).grown(NARROW)
    enclosure, regular, _ = newton(equation, near)
    proved = regular & enclosure.within(Boxes(u, u).grown(NARROW / 8)) & alone(equation, near)
    proved &= enclosure.within(wide.take(settled))
    settled[settled] = proved
    return u[proved], settled


def _polished(equation: Drive, u: np.ndarray) -> np.ndarray:
    """Some steps of Newton's iteration."""
    W, b = equation.W, equation.b
    for _ in range(6):
        x = np.tanh(u)
        u = u + _times(_inverse(np.eye(len(b)) - W * (1 - x**2)[:, None, :]), x @ W.T + b - u)
        u = np.where(np.isfinite(u), u, 0.0)
    return u


def halves(boxes: Boxes, side: np.ndarray) -> Boxes:
    """Both halves of each box, cut across the given side of each, (n,) int."""
    rows, cut = np.arange(len(side)), boxes.mid
    lower, upper = boxes.high.copy(), boxes.low.copy()
    lower[rows, side] = upper[rows, side] = cut[rows, side]
    return Boxes(boxes.low, lower).join(Boxes(upper, boxes.high))


def _without_copies(u: np.ndarray) -> np.ndarray:
    """Each root once, sorted: two copies lie within a quarter of NARROW, two roots do not."""
    from scipy.spatial import cKDTree

    copies = cKDTree(u).query_pairs(NARROW / 2, p=np.inf, output_type="ndarray") if len(u) else np.empty((0, 2), int)
    u = np.delete(u, copies[:, 1], axis=0)
    return u[np.lexsort(np.round(u.T[::-1], 9) + 0.0)]


def _states(equation: Drive, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States for the roots, and bounds on their errors."""
    enclosure, _, _ = newton(equation, Boxes(u, u).grown(NARROW))
    states, ends = equation.states(u), np.stack([equation.states(end) for end in enclosure])
    slack = 2 * ULPS * EPS if equation.scale else 0.0
    return states, np.linalg.norm(np.abs(ends - states).max(axis=0) + slack, axis=1)


def _inverse(A: np.ndarray) -> np.ndarray:
    """Inverses (n, H, H), approximately; of a singular matrix, the identity."""
    try:
        return np.linalg.inv(A)
    except np.linalg.LinAlgError:
        with np.errstate(all="ignore"):
            singular = np.linalg.slogdet(A)[0] == 0
        return np.linalg.inv(np.where(singular[:, None, None], np.eye(A.shape[1]), A))


def _times(M: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (M @ v[..., None])[..., 0]
