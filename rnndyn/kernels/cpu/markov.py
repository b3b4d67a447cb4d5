"""Recursions over the states of a hidden Markov model, many sequences at once, one after the other in memory.

Beliefs are numbers that sum to 1, normalised at each step. Where one of them comes near the smallest float, a state
could be lost that later symbols would have made the likely one: that sequence is done again in logarithms ("wide").
The arrays of a wide sequence hold logarithms, the normalisers among them.

The backward pass takes no second likelihood, which can overflow: it carries the smoothed belief itself back by the
probabilities of where each state came from, ``filtered_i A_ij / predicted_j``.

``x`` holds the symbols of all sequences, ``starts`` where each begins, with the end of the last. ``model`` is (initial,
A, A', B'), ``logs`` the logarithms of the same, ``padded`` (initial, A, A') in whole tiles. ``order`` holds the
sequences by length: as many as a register has lanes make a unit, whose members are done side by side
(:mod:`rnndyn.kernels.cpu.markov_lanes`); what is left over is done one by one. Units are dealt to groups, whose number
is the caller's. The same bits come out of either.
"""

import math

from rnndyn.kernels.cpu.markov_lanes import add_log, backward_lanes, forward_lanes, viterbi_lanes
from rnndyn.kernels.jit import routine
from rnndyn.kernels.workers import handed_out, kernel


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
        if largest == -math.inf:
            after[j] = largest
            continue
        total = 0.0
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
def scaled_forward(x, n, starts, model, smallest, room, tally, scale, loglik, keep, group):
    """Whether all beliefs of one sequence could be held as numbers; they are then filled in."""
    initial, A, _, B = model
    predicted, filtered = room
    states, start, end = len(initial), starts[n], starts[n + 1]
    tally[0, 0], tally[0, 1] = 1.0, 0.0
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
            loglik[n] = -math.inf
            for s in range(start + t, end):
                scale[s] = 0.0 if s == start + t else math.nan
            return True
        inverse, least = 1 / total, 1.0
        for j in range(states):
            f[j] *= inverse
            least = min(least, f[j] if f[j] > 0 else 1.0)
        if least < smallest:
            return False
        add_log(tally, 0, total)
        if keep:
            scale[start + t] = total
    loglik[n] = tally[0, 1] + math.log(tally[0, 0])
    return True


@routine
def log_forward(x, n, starts, logs, room, scale, loglik, keep, group):
    """The same in logarithms, whose sum carries its rounding along."""
    initial, A, _, B = logs
    predicted, filtered = room
    states, start, end = len(initial), starts[n], starts[n + 1]
    loglik[n], lost = 0.0, 0.0
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
        if total == -math.inf:
            loglik[n] = total
            for s in range(start + t, end):
                scale[s] = total if s == start + t else math.nan
            return
        scale[start + t] = total
        for j in range(states):
            f[j] -= total
        new = loglik[n] + total - lost
        lost = (new - loglik[n]) - (total - lost)
        loglik[n] = new


@kernel
def forward(
    group, x, starts, order, groups, model, logs, padded, smallest, work, predicted, filtered, scale, loglik, wide, keep
):
    """Predicted and filtered beliefs, each step's normaliser, and the log-likelihood.

    ``wide`` says which sequences are to be done in logarithms from the outset, and comes back with those that were:
    those in which a belief that is not zero fell below ``smallest``.
    Without ``keep``, beliefs have two rows for each group, and only ``loglik`` is a result.
    """
    if handed_out(group, groups):
        return
    room, sums, ends, tally, zero = work
    lanes = room.shape[3]
    units = (len(order) + lanes - 1) // lanes
    for unit in range(units * group // groups, units * (group + 1) // groups):
        members = order[unit * lanes : min(len(order), (unit + 1) * lanes)]
        together = len(members) == lanes
        for n in members:
            together = together and not wide[n]
        if together:
            results = predicted, filtered, scale, loglik, wide
            forward_lanes(
                x, starts, members, padded, model[3], smallest, room[group], sums[group], ends[group], tally[group],
                zero, results, keep,
            )  # fmt: skip
        for n in members:
            beliefs = predicted, filtered
            if not together and not wide[n]:
                wide[n] = not scaled_forward(
                    x, n, starts, model, smallest, beliefs, tally[group], scale, loglik, keep, group
                )
            if wide[n]:
                log_forward(x, n, starts, logs, beliefs, scale, loglik, keep, group)


@routine
def back(A, before, predicted, after, ratio, smoothed, counts, counting):
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
        if counting:
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


@routine
def backward_alone(x, n, starts, model, logs, beliefs, wide, smoothed, keep, counting, ratio, counted, group):
    """Smoother of one sequence."""
    initial, counts, emitted = counted
    predicted, filtered = beliefs
    start, end = starts[n], starts[n + 1]
    for t in range(end - start - 1, -1, -1):
        f, g = filtered[start + t], smoothed[place(start, t, keep, group)]
        if t == end - start - 1:
            for j in range(len(g)):
                g[j] = math.exp(f[j]) if wide else f[j]
        else:
            after = smoothed[place(start, t + 1, keep, group)]
            if wide:
                log_back(logs[1], f, predicted[start + t + 1], after, g, counts[1])
            else:
                back(model[2], f, predicted[start + t + 1], after, ratio, g, counts[0], counting)
        symbol = x[start + t]
        for j in range(len(g)):
            emitted[symbol, j] += g[j]
            if t == 0:
                initial[j] += g[j]


@kernel
def backward(
    group,
    x,
    starts,
    order,
    groups,
    model,
    logs,
    padded,
    work,
    predicted,
    filtered,
    loglik,
    wide,
    smoothed,
    keep,
    ratio,
    initial,
    counts,
    together_counts,
    emitted,
    counting,
):
    """Smoothed beliefs, and expected counts by group: of first states, transitions and emissions.

    ``counts`` (group, 2, state, state) has the sequences done in numbers, without the factor A, and the wide ones;
    ``together_counts`` (group, state, state, lane) those done side by side, without the factor A. Impossible sequences
    have no smoothed belief and do not count.
    """
    if handed_out(group, groups):
        return
    room, zero = work
    lanes = room.shape[3]
    units = (len(order) + lanes - 1) // lanes
    for unit in range(units * group // groups, units * (group + 1) // groups):
        members = order[unit * lanes : min(len(order), (unit + 1) * lanes)]
        together = len(members) == lanes
        for n in members:
            together = together and not wide[n] and loglik[n] > -math.inf
        if together:
            counted = initial[group], together_counts[group], emitted[group]
            backward_lanes(
                x, starts, members, padded, predicted, filtered, room[group], zero, smoothed, keep, counting,
                counted,
            )  # fmt: skip
            continue
        for n in members:
            if loglik[n] > -math.inf:
                backward_alone(
                    x, n, starts, model, logs, (predicted, filtered), wide[n], smoothed, keep, counting,
                    ratio[group], (initial[group], counts[group], emitted[group]), group,
                )  # fmt: skip


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
def sample_back(group, starts, groups, model, logs, predicted, filtered, loglik, wide, uniform, weights, paths):
    """Paths of states drawn from the posterior, backwards from the filtered beliefs; -1 where data are impossible."""
    if handed_out(group, groups):
        return
    count = len(starts) - 1
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
def sample(group, groups, model, uniform, states, symbols):
    """Sequences drawn from the model: uniform numbers (sequence, time, 2), for the state and for the symbol."""
    if handed_out(group, groups):
        return
    initial, A, _, emission = model
    for n in range(len(states) * group // groups, len(states) * (group + 1) // groups):
        for t in range(states.shape[1]):
            z = drawn(initial if t == 0 else A[states[n, t - 1]], uniform[n, t, 0])
            states[n, t] = z
            symbols[n, t] = drawn(emission[z], uniform[n, t, 1])


@routine
def viterbi_alone(x, n, starts, logs, score, came, origin):
    """Best scores of one sequence; which of the two rows is the last."""
    initial, A, _, B = logs
    states, start, end = len(initial), starts[n], starts[n + 1]
    for t in range(end - start):
        now, before, b = score[t % 2], score[1 - t % 2], B[x[start + t]]
        for j in range(states):
            now[j] = initial[j] if t == 0 else before[0] + A[0, j]
            origin[j] = 0
        if t > 0:
            for i in range(1, states):
                reached = before[i]
                for j in range(states):
                    value = reached + A[i, j]
                    better = value > now[j]
                    now[j] = value if better else now[j]
                    origin[j] = i if better else origin[j]
        for j in range(states):
            now[j] += b[j]
            came[start + t, j] = origin[j]
    return (end - start - 1) % 2


@routine
def follow(n, starts, came, last, path):
    """Path that ends in the best of the last scores; -1 where all are impossible."""
    z = 0
    for j in range(len(last)):
        if last[j] > last[z]:
            z = j
    possible = last[z] > -math.inf
    for t in range(starts[n + 1] - 1, starts[n] - 1, -1):
        path[t] = z if possible else -1
        z = came[t, z]


@kernel
def viterbi(group, x, starts, order, groups, logs, room, score, origin, came, path):
    """Most probable path of each sequence; -1 where there is none. Of equals the lowest state."""
    if handed_out(group, groups):
        return
    lanes, states = room.shape[3], came.shape[1]
    units = (len(order) + lanes - 1) // lanes
    for unit in range(units * group // groups, units * (group + 1) // groups):
        members = order[unit * lanes : min(len(order), (unit + 1) * lanes)]
        together = len(members) == lanes
        row = viterbi_lanes(x, starts, members, logs, room[group], came) if together else 0
        for lane in range(len(members)):
            n = members[lane]
            if together:
                follow(n, starts, came, room[group, row, :states, lane], path)
            else:
                row = viterbi_alone(x, n, starts, logs, score[group], came, origin[group])
                follow(n, starts, came, score[group, row], path)


@kernel
def joint(group, x, path, starts, groups, logs, total):
    """Log probability of each path with its symbols, their rounding carried along; -inf for a path of -1."""
    if handed_out(group, groups):
        return
    initial, A, _, B = logs
    count = len(starts) - 1
    for n in range(count * group // groups, count * (group + 1) // groups):
        total[n], lost = 0.0, 0.0
        for t in range(starts[n], starts[n + 1]):
            z = path[t]
            if z < 0:
                total[n] = -math.inf
                break
            value = B[x[t], z] + (initial[z] if t == starts[n] else A[path[t - 1], z])
            if value == -math.inf:
                total[n] = value
                break
            new = total[n] + (value - lost)
            lost = (new - total[n]) - (value - lost)
            total[n] = new
