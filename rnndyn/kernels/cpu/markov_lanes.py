"""The recursions of :mod:`rnndyn.kernels.cpu.markov` for as many sequences side by side as a register has lanes.

``members`` are their numbers. ``room`` (slot, state, lane) holds what the steps need; its states are padded to whole
tiles, and so are those of the model, with zeros. Every number is formed in the same order as for a sequence alone.
"""

import math

from rnndyn.cells.primitives import at_most, if_positive
from rnndyn.kernels.jit import routine
from rnndyn.kernels.lanes import load, store
from rnndyn.kernels.tile import block, tile

ROWS = 4  # states of a tile
PREDICTED, FILTERED, EMITTED, RATIO, SMOOTHED, SUMS = range(6)  # slots
SLOTS = 6


@routine
def add_log(tally, lane, value):
    """Add a logarithm to the sum ``tally[lane, 1]``; numbers are gathered in a product, of which few logs are taken."""
    if value < 1e-100:
        tally[lane, 1] += math.log(value)
    else:
        tally[lane, 0] *= value
        if tally[lane, 0] < 1e-150:
            tally[lane, 1] += math.log(tally[lane, 0])
            tally[lane, 0] = 1.0


@routine
def longest_of(starts, members):
    """Length of the longest of the sequences."""
    longest = 0
    for n in members:
        longest = max(longest, starts[n + 1] - starts[n])
    return longest


@routine
def multiply(matrix, room, source, target, zero):
    """``target = matrix source`` for all lanes."""
    for row in range(0, matrix.shape[0], ROWS):
        out, init = block(room, (target, row), 1, None, None), block(zero, (0,), None, None, None)
        tile(ROWS, 1, out, init, block(matrix, (row,), 0, None, 1), block(room, (source,), None, None, 1), len(matrix))


@routine
def normalise(room, sums):
    """Filtered from predicted beliefs; ``sums`` gets the normalisers and the smallest belief that is not zero."""
    total = load(room, (PREDICTED, 0, 0)) * 0.0
    least = total + 1.0
    for j in range(room.shape[1]):
        joint = load(room, (PREDICTED, j, 0)) * load(room, (EMITTED, j, 0))
        store(room, (FILTERED, j, 0), joint)
        total = total + joint
    inverse = 1.0 / total
    for j in range(room.shape[1]):
        belief = load(room, (FILTERED, j, 0)) * inverse
        store(room, (FILTERED, j, 0), belief)
        least = at_most(least, if_positive(belief, belief, 1.0 + 0.0 * inverse))
    store(sums, (0, 0), total)
    store(sums, (1, 0), least)


@routine
def forward_lanes(x, starts, members, padded, B, least, room, sums, ends, tally, zero, results, keep):
    """Filter of sequences side by side; see :func:`rnndyn.kernels.cpu.markov.scaled_forward`."""
    initial, _, back = padded
    predicted, filtered, scale, loglik, wide = results
    states, lanes = B.shape[1], len(members)
    for lane in range(lanes):
        ends[lane] = starts[members[lane] + 1]
        tally[lane, 0], tally[lane, 1] = 1.0, 0.0
        loglik[members[lane]] = 0.0
    for t in range(longest_of(starts, members)):
        for lane in range(lanes):
            now = starts[members[lane]] + t
            if now < ends[lane]:
                symbol = x[now]
                for j in range(states):
                    room[EMITTED, j, lane] = B[symbol, j]
        if t > 0:
            multiply(back, room, FILTERED, PREDICTED, zero)
        else:
            for j in range(room.shape[1]):
                for lane in range(lanes):
                    room[PREDICTED, j, lane] = initial[j]
        normalise(room, sums)
        for lane in range(lanes):
            n = members[lane]
            now = starts[n] + t
            if now >= ends[lane]:
                continue
            total = sums[0, lane]
            if total == 0:
                loglik[n] = -math.inf
                for s in range(now, ends[lane]):
                    scale[s] = 0.0 if s == now else math.nan
                ends[lane] = now
            elif sums[1, lane] < least:
                wide[n] = True
                ends[lane] = now
            else:
                add_log(tally, lane, total)
            if keep:
                if total > 0:
                    scale[now] = total
                for j in range(states):
                    predicted[now, j] = room[PREDICTED, j, lane]
                    filtered[now, j] = room[FILTERED, j, lane]
    for lane in range(lanes):
        loglik[members[lane]] += tally[lane, 1] + math.log(tally[lane, 0])


@routine
def back_lanes(matrix, room, counts, zero, counting):
    """One step back of all lanes; see :func:`rnndyn.kernels.cpu.markov.back`."""
    states = room.shape[1]
    for j in range(states):
        p = load(room, (PREDICTED, j, 0))
        store(room, (RATIO, j, 0), if_positive(p, load(room, (SMOOTHED, j, 0)) / p, 0.0 * p))
    multiply(matrix, room, RATIO, SMOOTHED, zero)
    for i in range(states):
        belief = load(room, (FILTERED, i, 0))
        store(room, (SMOOTHED, i, 0), load(room, (SMOOTHED, i, 0)) * belief)
        if counting:
            for j in range(states):
                store(counts, (i, j, 0), load(counts, (i, j, 0)) + belief * load(room, (RATIO, j, 0)))


@routine
def backward_lanes(x, starts, members, padded, predicted, filtered, room, zero, smoothed, keep, counting, counted):
    """Smoother of sequences side by side; see :func:`rnndyn.kernels.cpu.markov.backward`."""
    initial, counts, emitted = counted
    states, lanes = filtered.shape[1], len(members)
    for j in range(room.shape[1]):
        for lane in range(lanes):
            room[SMOOTHED, j, lane], room[FILTERED, j, lane], room[PREDICTED, j, lane] = 0.0, 0.0, 1.0
    for t in range(longest_of(starts, members) - 1, -1, -1):
        for lane in range(lanes):
            now, end = starts[members[lane]] + t, starts[members[lane] + 1]
            if now + 1 < end:
                for j in range(states):
                    room[PREDICTED, j, lane] = predicted[now + 1, j]
            if now < end:
                for j in range(states):
                    room[FILTERED, j, lane] = filtered[now, j]
        back_lanes(padded[1], room, counts, zero, counting)
        for lane in range(lanes):
            now, end = starts[members[lane]] + t, starts[members[lane] + 1]
            if now >= end:
                continue
            if now + 1 == end:
                for j in range(states):
                    room[SMOOTHED, j, lane] = room[FILTERED, j, lane]
            for j in range(states):
                belief = room[SMOOTHED, j, lane]
                if keep:
                    smoothed[now, j] = belief
                if counting:
                    emitted[x[now], j] += belief
                    if t == 0:
                        initial[j] += belief


@routine
def viterbi_lanes(x, starts, members, logs, room, came):
    """Best scores of sequences side by side; see :func:`rnndyn.kernels.cpu.markov.viterbi`.

    Of the slots, the first two hold the scores of this step and of the one before in turn, the third zeros; where the
    sequence of a lane has ended its last scores stay. A gain of NaN, between two impossible states, makes no odds.
    """
    initial, A, _, B = logs
    states, lanes = len(initial), len(members)
    for t in range(longest_of(starts, members)):
        now, before = t % 2, 1 - t % 2
        for i in range(states if t > 0 else 0):
            reached = load(room, (before, i, 0))
            number = load(room, (EMITTED, 0, 0)) + i
            for j in range(states):
                value = reached + A[i, j]
                best = load(room, (now, j, 0)) if i > 0 else value
                origin = load(room, (RATIO if i > 0 else EMITTED, j, 0))
                gain = value - best
                store(room, (now, j, 0), if_positive(gain, value, best))
                store(room, (RATIO, j, 0), if_positive(gain, number, origin))
        for lane in range(lanes):
            at = starts[members[lane]] + t
            if at < starts[members[lane] + 1]:
                symbol = x[at]
                for j in range(states):
                    if t == 0:
                        room[now, j, lane] = initial[j] + B[symbol, j]
                    else:
                        room[now, j, lane] += B[symbol, j]
                        came[at, j] = int(room[RATIO, j, lane])
            else:
                for j in range(states):
                    room[now, j, lane] = room[before, j, lane]
    return (longest_of(starts, members) - 1) % 2
