"""How far a computed fixed point is from a true one, proved where it can be, and which computed points are the same."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnndyn.analysis import front
from rnndyn.analysis.interval import Interval, above, enclosable, enclose
from rnndyn.analysis.newton import Equation

EPS = np.finfo(np.float64).eps
SAME_DIGITS = 12  # states that agree to so many digits of the scale are looked at once
BATCH_ELEMENTS = 500_000  # of the Jacobians that are held at once
WIDENINGS = 6  # trials for the widest box in which a root is alone
WIDEST = 1e6  # of such a box, times the scale


class Certificate(NamedTuple):
    """Of n states: how well each is known as a root.

    Attributes
    ----------
    residual : (n,)
        Largest component of F^p(x) - x, in modulus.
    radius : (n,)
        The true root is within this distance, in the 2-norm: proved for certified states, else an estimate.
    unique : (n,)
        No other root is within this of the state in every component: proved; 0 for states that are not certified.
    certified : (n,) bool
        Whether exactly one root near the state is proved to exist.
    singular : (n,) bool
        Whether I - J is singular for all that can be said.
    J : (n, S, S)
        Jacobian of F^p.
    J_error : (n,)
        2-norm of what J may differ by from the Jacobian at the true root; proved or estimated as the radius is.
    """

    residual: np.ndarray
    radius: np.ndarray
    unique: np.ndarray
    certified: np.ndarray
    singular: np.ndarray
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

    With A(X) an enclosure of the derivatives of G(x) = F^p(x) - x over the box X = x +- r, Y close to A(x)^-1, eta =
    max |Y G(x)| and kappa = ||I - Y A(X)|| in the max norm, the map x - Y G(x) contracts X by kappa, and into itself if
    eta <= (1 - kappa) r: there is then one root in X, and it is within eta / (1 - kappa) of x ([krawczyk1969]_,
    [rump2010]_, section 13). Enclosures take in every rounding error, so this is a proof; the equation is that of the
    float64 weights as they are. The largest r with kappa < 1 is the uniqueness radius.

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
        In the order of the states. Cost O(n (p + 1) S^3).
    """
    size = states.shape[1]
    rows = max(1, BATCH_ELEMENTS // size**2)
    if not len(states):
        kinds = (float, float, float, bool, bool, float, float)
        return Certificate(*(np.zeros((0, size, size) if k == 5 else 0, kind) for k, kind in enumerate(kinds)))
    with np.errstate(all="ignore"):  # what overflows is not certified
        parts = [_certify_batch(equation, states[k : k + rows]) for k in range(0, len(states), rows)]
    return Certificate(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _certify_batch(equation: Equation, x: np.ndarray) -> Certificate:
    if not enclosable(equation.net):
        return _estimate(equation, x)
    proved = _prove(equation, x)
    open_ = ~proved.certified
    if open_.any():
        estimated = _estimate(equation, x[open_])
        for values, others in zip(proved, estimated, strict=True):
            values[open_] = others
    return proved


# ---- proof -----------------------------------------------------------------------------------------------------------


def _prove(equation: Equation, x: np.ndarray) -> Certificate:
    """Krawczyk's test at each state."""
    F, J = _iterate(equation, x, 0.0)
    G, A, scale = F - x, J.mid - np.eye(x.shape[1]), equation.scale
    Y = _inverse(A)
    newton = (Interval(Y) @ G[..., None])[..., 0].magnitude
    weights, terms = np.abs(Y), 2 * x.shape[1]
    defect = np.abs(np.eye(x.shape[1]) - Y @ A).sum(axis=2)
    rounding = _times(weights, (J.rad + terms * EPS * np.abs(A)).sum(axis=2))

    def contraction(r: np.ndarray) -> tuple[np.ndarray, Interval]:
        """Row sums of |I - Y A(X)|, (n, S), over the boxes x +- r; and J(X)."""
        wide = _iterate(equation, x, r[:, None])[1]
        spread = (np.abs(wide.mid - J.mid) + wide.rad).sum(axis=2)
        return above(defect + rounding + _times(weights, spread), 2 * terms), wide

    eta = newton.max(axis=1)
    rows, wide = contraction(2 * eta)
    kappa = rows.max(axis=1)
    certified = eta <= (1 - kappa) * 2 * eta * (1 - 4 * EPS)
    distance = above(eta / (1 - kappa))
    radius = above(np.linalg.norm(newton + rows * distance[:, None], axis=1), terms)
    off = above(np.abs(wide.mid - J.mid) + wide.rad)
    J_error = above(np.sqrt(off.sum(axis=1).max(axis=1) * off.sum(axis=2).max(axis=1)), 2 * terms)
    unique = np.where(certified, _widest(contraction, 2 * eta, kappa, certified, scale), 0.0)
    residual = np.abs(G.mid).max(axis=1)
    return Certificate(residual, radius, unique, certified, np.zeros(len(x), bool), J.mid, J_error)


def _iterate(equation: Equation, x: np.ndarray, r: np.ndarray | float) -> tuple[Interval, Interval]:
    """F^p and its Jacobian over the boxes x +- r."""
    s, J = Interval(x, r), Interval(np.eye(x.shape[1]))
    inputs = Interval(np.zeros((len(x), 0)) if equation.x is None else front.row(equation.x, len(x)))
    for k in range(equation.period):
        s, step = enclose(equation.net, s, inputs)
        step = step[:, :, : x.shape[1]]
        J = step @ J if k else step
    return s, J


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
    return best


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


def _estimate(equation: Equation, x: np.ndarray) -> Certificate:
    """Error estimates where nothing is proved.

    With b = ||A^-1|| and r the residual and its rounding error, a root is expected within 2 b r, if A changes by less
    than 1/(2 b) within that distance, measured along the direction in which A is weakest. Where it changes more, A is
    singular for all that can be said: the radius is then how far one can go in that direction before the residual shows
    it.
    """
    G, A, rounding = equation.at(x)
    _, sizes, directions = np.linalg.svd(A)
    weakest, direction = sizes[:, -1], directions[:, -1]
    error = np.linalg.norm(G, axis=1) + np.linalg.norm(rounding, axis=1)
    radius = 2 * error / weakest
    far = ~(radius < 1e-2 * equation.scale)
    change = _change(equation, x, A, np.where(far, 0, radius)[:, None] * direction)
    singular = far | ~(change <= weakest / 2)
    if singular.any():
        radius[singular] = _flat(equation, x[singular], direction[singular], error[singular])
        change[singular] = _change(equation, x[singular], A[singular], radius[singular, None] * direction[singular])
    nothing = np.zeros(len(x))
    residual, J = np.abs(G).max(axis=1), A + np.eye(x.shape[1])
    return Certificate(residual, radius, nothing, nothing > 0, singular, J, change)


def _change(equation: Equation, x: np.ndarray, A: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Largest 2-norm of the change of A at a distance to both sides."""
    changes = [np.linalg.norm(equation.at(x + sign * off).A - A, ord=2, axis=(1, 2)) for sign in (1, -1)]
    return np.maximum(*changes)


def _flat(equation: Equation, x: np.ndarray, direction: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Twice the largest distance along the direction, to a side, up to which |G| stays within 4 times its error."""
    reach = np.full(len(x), EPS * equation.scale)
    for sign in (1, -1):
        open_, distance = np.ones(len(x), bool), EPS * equation.scale
        while open_.any() and distance < equation.scale:
            off = np.linalg.norm(equation.values(x + sign * distance * direction), axis=1)
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
    quantum = 10.0**-SAME_DIGITS * equation.scale
    first, counts = _best(_alike(states, quantum), np.abs(equation.values(states)).max(axis=1))
    states = states[first]
    certificate = certify(equation, states)
    label = _components(len(states), _same(states, certificate, quantum))
    best, hits = _best(label, certificate.residual, counts)
    rough = np.round(states[best] / (1e-9 * equation.scale))
    order = np.lexsort((*states[best].T[::-1], *rough.T[::-1]))
    best, hits = best[order], hits[order]
    return states[best], certificate.take(best), hits


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
