"""Recursions over the states of a hidden Markov model, many sequences at once, one after the other in memory.

Beliefs are numbers that sum to 1, normalised at each step. Where one of them comes near the smallest float, a state
could be lost that later symbols would have made the likely one: that sequence is done again in logarithms ("wide").
The arrays of a wide sequence hold logarithms.

The backward pass takes no second likelihood, which can overflow: it carries the smoothed belief itself back by the
probabilities of where each state came from, ``filtered_i A_ij / predicted_j``.

``x`` holds the symbols of all sequences, ``starts`` where each begins, with the end of the last. ``model`` is (initial,
A, A', B') and ``logs`` the logarithms of the same. Sequences are dealt to groups, whose number is the caller's.
"""

import math

import numpy as np
from numba import prange

from rnndyn.kernels.jit import kernel, routine

SMALLEST = 1e-250  # of a belief that is not zero; see rnndyn.equivalence.passes for the other half of the guard


@routine
def predict(A, before, after):
    """``after = A' before``."""
    states = len(after)
    for j in range(states):
        after[j] = 0.0
    for i in range(states):
        share = before[i]
        for j in range(states):
            after[j] += share * A[i, j]


@routine
def log_predict(A, before, after):
    """``after = log(A' exp(before))`` with A as logarithms; what is too small beside the largest term is passed by."""
    states = len(after)
    for j in range(states):
        largest = -math.inf
        for i in range(states):
            largest = max(largest, before[i] + A[i, j])
        total = 0.0
        if largest > -math.inf:
            for i in range(states):
                below = before[i] + A[i, j] - largest
                if below > -750.0:
                    total += math.exp(below)
        after[j] = largest + math.log(total)


@routine
def log_total(values):
    """Logarithm of the sum of exponentials."""
    largest, total = -math.inf, 0.0
    for value in values:
        largest = max(largest, value)
    if largest == -math.inf:
        return largest
    for value in values:
        total += math.exp(value - largest)
    return largest + math.log(total)


@routine
def place(start, t, keep, group):
    """Row of time ``t``: of its own, or one of the two that a group uses in turn."""
    return start + t if keep else 2 * group + t % 2


@routine
def scaled_forward(x, start, end, model, predicted, filtered, log_scale, keep, group):
    """Whether all beliefs of one sequence could be held as numbers; they are then filled in."""
    initial, A, _, B = model
    states = len(initial)
    for t in range(end - start):
        row = place(start, t, keep, group)
        p, f, b = predicted[row], filtered[row], B[x[start + t]]
        if t == 0:
            for j in range(states):
                p[j] = initial[j]
        else:
            predict(A, filtered[place(start, t - 1, keep, group)], p)
        total = 0.0
        for j in range(states):
            f[j] = p[j] * b[j]
            total += f[j]
        if total == 0:  # the data are impossible: nothing is known from here on
            log_scale[start + t] = -math.inf
            for s in range(start + t + 1, end):
                log_scale[s] = math.nan
            return True
        inverse, least = 1 / total, 1.0
        for j in range(states):
            f[j] *= inverse
            least = min(least, f[j] if f[j] > 0 else 1.0)
        if least < SMALLEST:
            return False
        log_scale[start + t] = math.log(total)
    return True


@routine
def log_forward(x, start, end, logs, predicted, filtered, log_scale, keep, group):
    """The same in logarithms."""
    initial, A, _, B = logs
    states = len(initial)
    for t in range(end - start):
        row = place(start, t, keep, group)
        p, f, b = predicted[row], filtered[row], B[x[start + t]]
        if t == 0:
            for j in range(states):
                p[j] = initial[j]
        else:
            log_predict(A, filtered[place(start, t - 1, keep, group)], p)
        for j in range(states):
            f[j] = p[j] + b[j]
        total = log_total(f)
        log_scale[start + t] = total
        if total == -math.inf:
            for s in range(start + t + 1, end):
                log_scale[s] = math.nan
            return
        for j in range(states):
            f[j] -= total


@routine
def sum_of(log_scale, start, end):
    """Sum with its rounding carried along; -inf where the data are impossible."""
    total, lost = 0.0, 0.0
    for t in range(start, end):
        value = log_scale[t]
        if value == -math.inf:
            return value
        new = total + value
        lost += (total - new) + value if abs(total) >= abs(value) else (value - new) + total
        total = new
    return total + lost


@kernel
def forward(x, starts, groups, model, logs, predicted, filtered, log_scale, loglik, wide, keep):
    """Predicted and filtered beliefs, the log of each step's normaliser, and their sum.

    ``wide`` says which sequences are to be done in logarithms from the outset, and comes back with those that were.
    """
    count = len(starts) - 1
    for group in prange(groups):
        for n in range(count * group // groups, count * (group + 1) // groups):
            start, end = starts[n], starts[n + 1]
            if not wide[n]:
                wide[n] = not scaled_forward(x, start, end, model, predicted, filtered, log_scale, keep, group)
            if wide[n]:
                log_forward(x, start, end, logs, predicted, filtered, log_scale, keep, group)
            loglik[n] = sum_of(log_scale, start, end)


@routine
def back(A, before, predicted, after, ratio, smoothed, counts):
    """Smoothed belief one step earlier, and the expected transitions of the step but for the factor A, added up."""
    states = len(ratio)
    for j in range(states):
        ratio[j] = after[j] / predicted[j] if predicted[j] > 0 else 0.0
        smoothed[j] = 0.0
    for j in range(states):
        share = ratio[j]
        for i in range(states):
            smoothed[i] += A[j, i] * share
    for i in range(states):
        share = before[i]
        smoothed[i] *= share
        for j in range(states):
            counts[i, j] += share * ratio[j]


@routine
def log_back(A, before, predicted, after, smoothed, counts):
    """The same from logarithms, the factor A included."""
    states = len(smoothed)
    for i in range(states):
        smoothed[i] = 0.0
        for j in range(states):
            if after[j] > 0:
                share = math.exp(before[i] + A[i, j] - predicted[j]) * after[j]
                smoothed[i] += share
                counts[i, j] += share


@kernel
def backward(
    x, starts, groups, model, logs, predicted, filtered, loglik, wide, smoothed, keep, ratio, initial, counts, emitted
):
    """Smoothed beliefs, and expected counts by group: of first states, transitions and emissions.

    ``counts`` (group, 2, state, state) has the sequences done in numbers, without the factor A, and the wide ones.
    Impossible sequences have no smoothed belief and do not count.
    """
    count = len(starts) - 1
    for group in prange(groups):
        for n in range(count * group // groups, count * (group + 1) // groups):
            start, end = starts[n], starts[n + 1]
            if loglik[n] == -math.inf:
                continue
            for t in range(end - start - 1, -1, -1):
                row, f = place(start, t, keep, group), filtered[start + t]
                g = smoothed[row]
                if t == end - start - 1:
                    for j in range(len(g)):
                        g[j] = math.exp(f[j]) if wide[n] else f[j]
                else:
                    after = smoothed[place(start, t + 1, keep, group)]
                    if wide[n]:
                        log_back(logs[1], f, predicted[start + t + 1], after, g, counts[group, 1])
                    else:
                        back(model[2], f, predicted[start + t + 1], after, ratio[group], g, counts[group, 0])
                symbol = x[start + t]
                for j in range(len(g)):
                    emitted[group, symbol, j] += g[j]
                    if t == 0:
                        initial[group, j] += g[j]


@routine
def drawn(weights, u):
    """Index drawn with these weights by a uniform number in [0, 1); never one of weight zero."""
    total = 0.0
    for weight in weights:
        total += weight
    left, last = u * total, 0
    for i in range(len(weights)):
        if weights[i] > 0:
            if left < weights[i]:
                return i
            left -= weights[i]
            last = i
    return last


@kernel
def sample_back(starts, groups, model, logs, predicted, filtered, loglik, wide, uniform, weights, paths):
    """Paths of states drawn from the posterior, backwards from the filtered beliefs; -1 where data are impossible."""
    count = len(starts) - 1
    for group in prange(groups):
        w = weights[group]
        for n in range(count * group // groups, count * (group + 1) // groups):
            for k in range(len(paths)):
                for t in range(starts[n + 1] - 1, starts[n] - 1, -1):
                    if loglik[n] == -math.inf:
                        paths[k, t] = -1
                        continue
                    last = t == starts[n + 1] - 1
                    then = 0 if last else paths[k, t + 1]
                    for i in range(len(w)):
                        if wide[n]:
                            step = 0.0 if last else logs[2][then, i] - predicted[t + 1, then]
                            w[i] = math.exp(filtered[t, i] + step)
                        else:
                            w[i] = filtered[t, i] * (1.0 if last else model[2][then, i])
                    paths[k, t] = drawn(w, uniform[k, t])


@kernel
def sample(groups, model, uniform, states, symbols):
    """Sequences drawn from the model: uniform numbers (sequence, time, 2), for the state and for the symbol."""
    initial, A, _, emission = model
    for group in prange(groups):
        for n in range(len(states) * group // groups, len(states) * (group + 1) // groups):
            for t in range(states.shape[1]):
                z = drawn(initial if t == 0 else A[states[n, t - 1]], uniform[n, t, 0])
                states[n, t] = z
                symbols[n, t] = drawn(emission[z], uniform[n, t, 1])


@kernel
def viterbi(x, starts, groups, logs, score, came, best, path):
    """Most probable path of each sequence; -1 where there is none. Of equals the lowest state."""
    initial, A, _, B = logs
    states = len(initial)
    count = len(starts) - 1
    for group in prange(groups):
        for n in range(count * group // groups, count * (group + 1) // groups):
            start, end = starts[n], starts[n + 1]
            for t in range(start, end):
                now, b, origin = score[group, (t - start) % 2], B[x[t]], best[group]
                if t == start:
                    for j in range(states):
                        now[j] = initial[j] + b[j]
                    continue
                before = score[group, (t - start + 1) % 2]
                for j in range(states):
                    now[j] = -math.inf
                    origin[j] = 0
                for i in range(states):
                    reached = before[i]
                    for j in range(states):
                        value = reached + A[i, j]
                        better = value > now[j]
                        now[j] = value if better else now[j]
                        origin[j] = i if better else origin[j]
                for j in range(states):
                    now[j] += b[j]
                    came[t, j] = origin[j]
            if end == start:
                continue
            last = score[group, (end - start - 1) % 2]
            z = np.argmax(last)
            possible = last[z] > -math.inf
            for t in range(end - 1, start - 1, -1):
                path[t] = z if possible else -1
                z = came[t, z]
