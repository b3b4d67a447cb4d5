"""How far a computed fixed point is from a true one, proved where it can be, and which computed points are the same.

Points of cycles are judged together with all points of their cycle, as a fixed point of the map of p states
``(x_1, .., x_p) -> (F(x_p), F(x_1), .., F(x_{p-1}))``, so that no error is carried around the cycle.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rnndyn import dynamics
from rnndyn.analysis import cycles, front
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.interval import Interval, above, enclosable, enclose
from rnndyn.kernels.threads import in_parts

EPS = np.finfo(np.float64).eps
SAME_DIGITS = 12  # states that agree to so many digits of the scale are looked at once
BATCH_ELEMENTS = 500_000  # of the Jacobians that are held at once
WIDENINGS = 6  # trials for the widest box in which a root is alone
WIDEST = 1e6  # of such a box, times the scale
WIDER = 1.02  # that much wider a box is worth a further trial


class Certificate(NamedTuple):
    """Of n states: how well each is known as a root.

    Attributes
    ----------
    orbit : (n, p, S)
        The state and those that follow on its cycle.
    residual : (n,)
        Largest component of F^p(x) - x, in modulus.
    radius : (n,)
        The true orbit is within this distance, in the 2-norm: proved for certified states, else an estimate.
    unique : (n,)
        No other orbit is within this of the orbit in every component: proved; 0 for states that are not certified.
    certified : (n,) bool
        Whether exactly one root near the state is proved to exist.
    singular : (n,) bool
        Whether I - J is singular for all that can be said.
    sign : (n,)
        Sign of det(I - J): 1 or -1.
    J : (n, S, S)
        Jacobian of F^p.
    J_error : (n,)
        2-norm of what J may differ by from the Jacobian at the true root; proved or estimated as the radius is.
    """

    orbit: np.ndarray
    residual: np.ndarray
    radius: np.ndarray
    unique: np.ndarray
    certified: np.ndarray
    singular: np.ndarray
    sign: np.ndarray
    J: np.ndarray
    J_error: np.ndarray

    def take(self, rows: np.ndarray) -> Certificate:
        """Those of some of the states."""
        return Certificate(*(values[rows] for values in self))

    @property
    def status(self) -> np.ndarray:
        """In words: "certified", "converged" (a root to rounding, without a proof) or "degenerate" (singular)."""
        return np.where(self.certified, "certified", np.where(self.singular, "degenerate", "converged"))


def certify(equation: Equation, states: np.ndarray) -> Certificate:
    """Prove that there is exactly one root near each state, and bound the distance to it.

    With A(X) an enclosure of the derivatives of G(x) = F(x) - x over the box X = x +- r, Y close to A(x)^-1, eta =
    max |Y G(x)| and kappa = ||I - Y A(X)|| in the max norm, the map x - Y G(x) contracts X by kappa, and into itself if
    eta <= (1 - kappa) r: there is then one root in X, and it is within eta / (1 - kappa) of x ([krawczyk1969]_,
    [rump2010]_, section 13). Enclosures take in every rounding error, so this is a proof; the equation is that of the
    float64 weights as they are. The largest r with kappa < 1 is the uniqueness radius. For p > 1, x stands for all
    points of the cycle, and F for the map of the module's heading.

    Where that fails (or no enclosure is known, as for a `Map`), the error is estimated in the manner of Newton and
    Kantorovich ([ortega1970]_, section 12.6), see `_estimate`.

    Parameters
    ----------
    equation
        What the states solve.
    states : (n, S)
        Computed roots.

    Returns
    -------
    Certificate
        In the order of the states, which come back polished for p > 1. Cost O(n (p S)^3).
    """
    rows = max(1, BATCH_ELEMENTS // (equation.period * states.shape[1]) ** 2)
    with np.errstate(all="ignore"):  # what overflows is not certified
        orbits = _orbits(equation, states)
        size = equation.period * states.shape[1]
        parts = in_parts(lambda part: _certify_batch(equation, orbits[part]), len(states), size, rows)
    return Certificate(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _orbits(equation: Equation, states: np.ndarray) -> np.ndarray:
    """The states and those that follow on their cycles, (n, p, S)."""
    if equation.period == 1:
        return states[:, None]
    followed, x = [states], front.row(equation.x, len(states))
    for _ in range(equation.period - 1):
        followed.append(dynamics.step(equation.net, followed[-1], x))
    return cycles.shoot(equation.net, equation.x, np.stack(followed, axis=1))[0]


def _certify_batch(equation: Equation, orbits: np.ndarray) -> Certificate:
    if not enclosable(equation.net):
        return _estimate(equation, orbits)
    proved = _prove(equation, orbits)
    open_ = ~proved.certified
    if open_.any():
        estimated = _estimate(equation, orbits[open_])
        for values, others in zip(proved, estimated, strict=True):
            values[open_] = others
    return proved


# ---- once around a cycle ---------------------------------------------------------------------------------------------


def _next(values: np.ndarray) -> np.ndarray:
    """What belongs to each point (n, p, S) of a cycle, moved to the next point; points in one row (n, p S)."""
    return _flattened(np.roll(values, 1, axis=1))


def _flattened(orbits: np.ndarray) -> np.ndarray:
    n, p, size = orbits.shape
    return orbits.reshape(n, p * size)


def _cyclic(J: np.ndarray) -> np.ndarray:
    """Jacobian (n, p S, p S) of the map of all points, from those (n, p, S, S) of its steps."""
    n, p, size = J.shape[:3]
    whole = np.zeros((n, p, size, p, size))
    for i in range(p):
        whole[:, (i + 1) % p, :, i] = J[:, i]
    return whole.reshape(n, p * size, p * size)


def _around(J: Any) -> Any:
    """The product ``J_p .. J_1`` of arrays or balls (n, p, S, S)."""
    total = J[:, 0]
    for i in range(1, (J.mid if isinstance(J, Interval) else J).shape[1]):
        total = J[:, i] @ total
    return total


# ---- proof -----------------------------------------------------------------------------------------------------------


def _prove(equation: Equation, orbits: np.ndarray) -> Certificate:
    """Krawczyk's test at each orbit."""
    x = _flattened(orbits)
    F, J = _enclosed(equation, orbits, 0.0)
    eye, scale = np.eye(x.shape[1]), equation.scale
    G, A = F - x, _cyclic(J.mid) - eye
    Y = _inverse(A)
    newton = (Interval(Y) @ G[..., None])[..., 0].magnitude
    weights, terms = np.abs(Y), 2 * x.shape[1]
    defect = np.abs(eye - Y @ A).sum(axis=2)
    rounding = _times(weights, _next(J.rad.sum(axis=3)) + terms * EPS * np.abs(A).sum(axis=2))

    def contraction(r: np.ndarray) -> tuple[np.ndarray, Interval]:
        """Row sums of |I - Y A(X)|, (n, p S), over the boxes x +- r; and the Jacobians of the steps there."""
        wide = _enclosed(equation, orbits, r[:, None, None])[1]
        spread = _next((np.abs(wide.mid - J.mid) + wide.rad).sum(axis=3))
        return above(defect + rounding + _times(weights, spread), 2 * terms), wide

    eta = newton.max(axis=1, initial=0)
    rows, wide = contraction(2 * eta)
    kappa = rows.max(axis=1, initial=0)
    certified = eta <= (1 - kappa) * 2 * eta * (1 - 4 * EPS)
    distance = above(eta / (1 - kappa))
    radius = above(_length(newton + rows * distance[:, None]), terms)
    whole, product = _around(wide), _around(J.mid)
    off = above(np.abs(whole.mid - product) + whole.rad)
    J_error = above(np.sqrt(off.sum(axis=1).max(axis=1, initial=0) * off.sum(axis=2).max(axis=1, initial=0)), 2 * terms)
    unique = np.where(certified, _widest(contraction, 2 * eta, kappa, certified, scale), 0.0)
    sign, singular = np.linalg.slogdet(-A)[0], np.zeros(len(x), bool)
    return Certificate(orbits, _residual(equation, orbits), radius, unique, certified, singular, sign, product, J_error)


def _enclosed(equation: Equation, orbits: np.ndarray, r: np.ndarray | float) -> tuple[Interval, Interval]:
    """The map of all points over the boxes x +- r, (n, p S), and the Jacobians (n, p, S, S) of its steps."""
    n, p, size = orbits.shape
    boxes = Interval(orbits, r)
    points = Interval(*(values.reshape(n * p, size) for values in (boxes.mid, boxes.rad)))
    inputs = Interval(np.zeros((n * p, 0)) if equation.x is None else front.row(equation.x, n * p))
    after, J = enclose(equation.net, points, inputs)
    mid, rad = (_next(values.reshape(n, p, size)) for values in (after.mid, after.rad))
    J = J[:, :, :size]
    return Interval(mid, rad), Interval(*(values.reshape(n, p, size, size) for values in (J.mid, J.rad)))


def _residual(equation: Equation, orbits: np.ndarray) -> np.ndarray:
    return np.abs(equation.values(orbits[:, 0])).max(axis=1, initial=0)


def _widest(contraction, r: np.ndarray, kappa: np.ndarray, certified: np.ndarray, scale: float) -> np.ndarray:
    """The largest radius found at which the contraction is below 1, by a guarded secant iteration."""
    best, least, worst = r, kappa, np.full(len(r), WIDEST * scale)
    trial = np.maximum(2 * r, 0.1 * scale)
    for _ in range(WIDENINGS):
        trial = np.where(certified, np.clip(trial, best, worst), best)
        found = contraction(trial)[0].max(axis=1)
        alone = found < 1
        growth = (found - least) / (trial - r)  # kappa is close to linear in the radius
        best, worst = np.where(alone, np.maximum(best, trial), best), np.where(alone, worst, np.minimum(worst, trial))
        guess = r + 0.98 * (1 - least) / growth
        trial = np.where(np.isfinite(guess), guess, np.where(alone, worst, np.sqrt(best * worst)))
        if not (certified & (np.minimum(trial, worst) > WIDER * best)).any():
            break
    return best


def _length(vectors: np.ndarray) -> np.ndarray:
    """Of vectors (n, m), whose squares may underflow."""
    largest = np.abs(vectors).max(axis=1, initial=0)
    return largest * np.linalg.norm(vectors / np.where(largest > 0, largest, 1)[:, None], axis=1)


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[..., None])[..., 0]


def _inverse(A: np.ndarray) -> np.ndarray:
    """Inverses, NaN where there is none."""
    good = np.isfinite(A).all(axis=(1, 2))
    good[good] = np.linalg.slogdet(A[good])[0] != 0
    Y = np.full(A.shape, np.nan)
    Y[good] = np.linalg.inv(A[good])
    return Y


# ---- estimate --------------------------------------------------------------------------------------------------------


def _estimate(equation: Equation, orbits: np.ndarray) -> Certificate:
    """Error estimates where nothing is proved.

    With b = ||A^-1|| and r the residual and its rounding error, a root is expected within 2 b r, if A changes by less
    than 1/(2 b) within that distance, measured along the direction in which A is weakest. Where it changes more, A is
    singular for all that can be said: the radius is then how far one can go in that direction before the residual shows
    it.
    """
    G, J, rounding = _at(equation, orbits)
    A = _cyclic(J) - np.eye(G.shape[1])
    _, sizes, directions = np.linalg.svd(A)
    weakest, direction = sizes[:, -1], directions[:, -1].reshape(orbits.shape)
    error = np.linalg.norm(G, axis=1) + np.linalg.norm(rounding, axis=1)
    radius = 2 * error / weakest
    far = ~(radius < 1e-2 * equation.scale)
    change, J_error = _changes(equation, orbits, J, np.where(far, 0, radius)[:, None, None] * direction)
    singular = far | ~(change <= weakest / 2)
    if singular.any():
        some, along = orbits[singular], direction[singular]
        radius[singular] = _flat(equation, some, along, error[singular])
        J_error[singular] = _changes(equation, some, J[singular], radius[singular, None, None] * along)[1]
    nothing, sign = np.zeros(len(orbits)), np.linalg.slogdet(-A)[0]
    residual = _residual(equation, orbits)
    return Certificate(orbits, residual, radius, nothing, nothing > 0, singular, sign, _around(J), J_error)


def _at(equation: Equation, orbits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By how much each point misses the next (n, p S), the Jacobians (n, p, S, S) of the steps, the rounding error."""
    n, p, size = orbits.shape
    after, J, rounding = equation.step(np.ascontiguousarray(orbits.reshape(n * p, size)))
    G = _next(after.reshape(orbits.shape)) - _flattened(orbits)
    return G, J.reshape(n, p, size, size), _next(rounding.reshape(orbits.shape))


def _changes(equation: Equation, orbits: np.ndarray, J: np.ndarray, off: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest 2-norms of the changes of A, and of the Jacobian of F^p, at a distance to both sides."""
    others = [_at(equation, orbits + sign * off)[1] for sign in (1, -1)]
    of_steps = [np.linalg.norm(other - J, ord=2, axis=(2, 3)).max(axis=1) for other in others]  # the blocks of A
    of_product = [np.linalg.norm(_around(other) - _around(J), ord=2, axis=(1, 2)) for other in others]
    return np.maximum(*of_steps), np.maximum(*of_product)


def _flat(equation: Equation, orbits: np.ndarray, direction: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Twice the largest distance along the direction, to a side, up to which |G| stays within 4 times its error."""
    reach = np.full(len(orbits), EPS * equation.scale)
    for sign in (1, -1):
        open_, distance = np.ones(len(orbits), bool), EPS * equation.scale
        while open_.any() and distance < equation.scale:
            off = np.linalg.norm(_at(equation, orbits + sign * distance * direction)[0], axis=1)
            open_ &= off <= 4 * error
            reach[open_] = np.maximum(reach[open_], distance)
            distance *= 2
    return 2 * reach


# ---- merging ---------------------------------------------------------------------------------------------------------


def distinct(equation: Equation, states: np.ndarray) -> tuple[np.ndarray, Certificate, np.ndarray]:
    """Merge the states that are the same root.

    Two certified states are one root if the error ball of one lies within the uniqueness box of the other: then this is
    proved. Others are one where their error balls touch. States that agree to 12 digits of the scale are looked at
    once.

    Parameters
    ----------
    equation
        What they solve.
    states : (n, S)
        Converged states.

    Returns
    -------
    (m, S) array, Certificate, (m,) int array
        One state for each point, that of the smallest residual; its certificate; how many states fell on it. In the
        order of the first components that differ in the ninth digit.
    """
    if not len(states):
        return states, certify(equation, states), np.zeros(0, int)
    size = states.shape[1]
    quantum = 10.0**-SAME_DIGITS * equation.scale
    first, counts = _best(_alike(states, quantum), np.abs(equation.values(states)).max(axis=1))
    certificate = certify(equation, states[first])
    states = _flattened(certificate.orbit)
    label = _components(len(states), _same(states, certificate, quantum))
    best, hits = _best(label, certificate.residual, counts)
    rough = np.round(states[best] / (1e-9 * equation.scale))
    order = np.lexsort((*states[best].T[::-1], *rough.T[::-1]))
    best, hits = best[order], hits[order]
    return states[best, :size], certificate.take(best), hits


def _alike(states: np.ndarray, quantum: float) -> np.ndarray:
    """Labels of groups of states that follow one another within the quantum, along each of three fixed directions."""
    label = np.zeros(len(states), int)
    directions = np.random.default_rng(0).standard_normal((3, states.shape[1])) / np.sqrt(states.shape[1])
    for along in directions @ states.T:
        order = np.lexsort((along, label))
        apart = (np.diff(label[order]) != 0) | ~(np.diff(along[order]) <= quantum)
        label[order] = np.concatenate([[0], np.cumsum(apart)])
    return label


def _same(states: np.ndarray, certificate: Certificate, quantum: float) -> np.ndarray:
    """Pairs (k, 2) of states that are one root."""
    from scipy.spatial import cKDTree

    reach = certificate.radius + np.where(certificate.certified, 0, certificate.radius + quantum)
    pairs = cKDTree(states).query_pairs(2 * reach.max(), output_type="ndarray")
    a, b = pairs.T
    off = states[a] - states[b]
    touch = np.linalg.norm(off, axis=1) <= reach[a] + reach[b]
    room = np.maximum(certificate.unique[a] - reach[b], certificate.unique[b] - reach[a])
    proved = np.abs(off).max(axis=1) <= room
    return pairs[touch & (proved | ~(certificate.certified[a] & certificate.certified[b]))]


def _components(n: int, pairs: np.ndarray) -> np.ndarray:
    """Labels (n,) of what the pairs connect."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def _best(label: np.ndarray, residual: np.ndarray, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """For each label: the place of its smallest residual, and the sum of its counts."""
    hits = np.bincount(label, counts).astype(int)
    ranked = np.lexsort((residual, label))
    return ranked[np.searchsorted(label[ranked], np.arange(len(hits)))], hits
