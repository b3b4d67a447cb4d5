"""Automata and counters: the network is the machine, bit by bit, for ever."""

import hypothesis.strategies as st
import naive
import numpy as np
import pytest
from cases import UNCOMPILED, examples
from hypothesis import given

import rnndyn as rd

BRACKETS = [[[0, 0], [1, 0]], [[1, 1], [1, 1]]]  # state 1: a bracket was closed that was never opened
BRACKET_COUNTS = [[[1, 1], [0, -1]], [[0, 0], [0, 0]]]
LONG = 3_000 if UNCOMPILED else 1_000_000


def read(machine, symbols, dtype="float64"):
    """What the network makes of the symbols: its whole run, states and counts."""
    run = rd.run(machine.to_rnn(dtype), machine.encode(symbols), initial_state=machine.initial_state())
    return run, *machine.decode(run.output)


@st.composite
def machines(draw):
    """Random tables and words, with and without a counter."""
    N, A = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (N, A, 2) if draw(st.booleans()) else (N, A)
    increment = rng.integers(-1, 2, shape) if len(shape) == 3 or draw(st.booleans()) else None
    options = {"initial": draw(st.integers(0, N - 1)), "limit": draw(st.sampled_from([1, 2, 3, 1000, 2**24]))}
    return rd.Automaton(rng.integers(0, N, shape), increment, **options), rng.integers(0, A, 50)


@given(machines())
@examples(60)
def test_the_network_is_the_machine(drawn):
    machine, symbols = drawn
    tables = machine.transition.tolist(), machine.increment.tolist()
    path = naive.read_symbols(symbols.tolist(), *tables, machine.initial, machine.limit)
    _, states, counts = read(machine, symbols)
    assert list(zip(states.tolist(), counts.tolist(), strict=True)) == path
    assert [part.tolist() for part in machine.run(symbols)] == [list(part) for part in zip(*path, strict=True)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_automaton_stays_exact(dtype, rng):
    """Whether the number of ones is a multiple of three, over a million symbols."""
    machine = rd.Automaton([[0, 1], [1, 2], [2, 0]])
    symbols = rng.integers(0, 2, LONG)
    run, states, _ = read(machine, symbols, dtype)
    assert np.array_equal(states, np.cumsum(symbols) % 3)
    assert set(np.unique(run.output)) == {0.0, 1.0} and run.output.dtype == dtype  # not close to them: equal


def test_a_counter_stays_exact(rng):
    """Balanced brackets, a million of them, as deep as a random walk goes; then one too many."""
    machine = rd.Automaton(BRACKETS, BRACKET_COUNTS)
    walk = rng.permutation(np.repeat([0, 1], LONG // 2))
    depth = np.cumsum(1 - 2 * walk)
    word = np.roll(walk, -(np.argmin(depth) + 1))  # turned so that it never falls below zero
    depth = np.cumsum(1 - 2 * word)
    run, states, counts = read(machine, word)
    assert depth.min() == 0 and depth.max() > 20
    assert np.array_equal(counts, depth) and not states.any() and counts[-1] == 0
    assert np.array_equal(run.output[:, -1], depth)
    assert read(machine, np.append(word, 1))[1][-1] == 1


def test_a_disturbance_is_taken_away():
    """The pairs of a unit shifted by less than 1/4 of the state: the next state is exact, but for rounding."""
    machine = rd.Automaton([[1, 0], [2, 1], [0, 2]])
    net, x = machine.to_rnn(), machine.encode([0])
    noise = np.random.default_rng(0).uniform(-1, 1, net.state_size)
    start = machine.initial_state() + 0.24 * noise / np.abs(noise).sum()
    clean, noisy = (rd.run(net, x, initial_state=s).state.values for s in (machine.initial_state(), start))
    decoded = [s[..., ::2] - s[..., 1::2] for s in (clean, noisy)]  # sat = relu(a) - relu(a - 1)
    assert np.abs(decoded[0] - decoded[1]).max() < 4e-16


def test_the_counter_saturates():
    machine = rd.Automaton([[0, 0]], [[1, -1]], limit=3)
    assert read(machine, [1, 0, 0, 0, 0, 0, 1, 1, 1, 1])[2].tolist() == [0, 1, 2, 3, 3, 3, 2, 1, 0, 0]


@pytest.mark.parametrize(
    "arguments, options, error, message",
    [
        (([[0, 2], [0, 1]],), {}, ValueError, r"transition\[0, 1\] is 2: at most 1"),
        (([[0.0, 1.0]],), {}, TypeError, "transition has the type float64"),
        (([[[0, 0]]],), {}, ValueError, "increment is missing"),
        (([[0]], [[2]]), {}, ValueError, r"increment\[0, 0\] is 2"),
        (([[0]], [[0, 1]]), {}, ValueError, "increment has the shape"),
        (([[0]],), {"initial": 1}, ValueError, "initial is 1"),
        (([[0]],), {"limit": 2**25}, ValueError, "limit is"),
        ((np.zeros((0, 1), int),), {}, ValueError, "not empty"),
        (([[[0, 0, 0]]],), {}, ValueError, "wanted \\(N, A\\) or"),
    ],
)
def test_wrong_tables_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        rd.Automaton(*arguments, **options)


def test_wrong_words_outputs_and_dtypes_are_refused():
    machine = rd.Automaton([[0, 1], [1, 0]], [[1, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"symbols\[1\] is 2"):
        machine.encode([0, 2])
    with pytest.raises(ValueError, match="not one-hot"):
        machine.decode([0.5, 0.5, 0.0])
    with pytest.raises(ValueError, match="wanted \\(..., 3\\)"):
        machine.decode([1.0, 0.0])
    with pytest.raises(ValueError, match="float32"):
        machine.to_rnn("float32")
    assert machine.run([])[0].shape == (0,)
    assert repr(machine) == "Automaton(n_states=2, n_symbols=2, initial=0, limit=1048576)"
