"""Compiled Newton iteration without matrices, against the one with matrices."""

import numpy as np
import pytest
from cases import CASES, UNCOMPILED

import rnndyn as rd
from rnndyn import dynamics, roots
from rnndyn.analysis.equation import Equation
from rnndyn.analysis.levenberg import solve_dense
from rnndyn.analysis.newton import _groups, solve, solve_together

# A cell of each kind of step; each is compiled, so all of them are run only where nothing is.
COMPILED = ("elman-tanh", "leaky-voltage-tanh", "lstm", "gru-before-keep")
# (The random LSTM with peepholes has no fixed point that these starts reach: its gates saturate and c creeps.)
ALL = [case for case in CASES if case.name != "lstm-peephole"]
SOME = ALL if UNCOMPILED else [case for case in ALL if case.name in COMPILED]
SLOW = () if UNCOMPILED else ("leaky-voltage-tanh", "gru-before-keep")  # to compile
MARKED = [pytest.param(case, marks=pytest.mark.slow) if case.name in SLOW else case for case in SOME]
UNITS, STARTS = (3, 5) if UNCOMPILED else (19, 60)


def newton_from(net, x, starts, enough):
    """Those of one network under one input."""
    inputs = np.zeros((len(starts), net.input_size))
    inputs[:] = 0 if x is None else x
    return roots.newton_from([net], np.zeros(len(starts), int), inputs, starts, enough)


@pytest.mark.parametrize("case", MARKED, ids=lambda case: case.name)
def test_states_are_fixed(case, rng):
    """Where the length of G is small, so is that of F(x) - x by the forward pass; most starts get there."""
    net = case.network(rng, UNITS, 2)
    x = rng.standard_normal(2)
    starts = rng.uniform(-1, 1, (STARTS, net.state_size))
    states, lengths = newton_from(net, x, starts, 1e-13)
    after = dynamics.step(net, states, np.repeat(x[None], STARTS, axis=0))
    np.testing.assert_allclose(lengths, np.linalg.norm(after - states, axis=1), atol=1e-13, rtol=1e-6)
    assert (lengths < 1e-12).mean() > 0.5
    ours = states[lengths < 1e-12]
    theirs, converged = solve_dense(Equation(net, x, 1, 1.0), ours, None)
    assert converged.all()
    np.testing.assert_allclose(theirs, ours, atol=1e-9)  # 1e-12 times the norm of the inverse of I - J


def test_all_the_tested_cells_exist():
    assert UNCOMPILED or len(SOME) == len(COMPILED)


@pytest.mark.compiled
def test_no_start_minds_the_others(rng, monkeypatch):
    """Alone, in company, and over two threads, a start ends in the same bits."""
    net = rd.Elman.random(24, gain=2.0, rng=0)
    starts = rng.uniform(-1, 1, (37, 24))
    together = newton_from(net, None, starts, 1e-13)[0]
    alone = np.concatenate([newton_from(net, None, start[None], 1e-13)[0] for start in starts])
    monkeypatch.setattr(roots, "threads_for", lambda operations, items: min(2, items))
    over_threads = newton_from(net, None, starts, 1e-13)[0]
    assert together.tobytes() == alone.tobytes() == over_threads.tobytes()


def ensemble(rng, units=UNITS):
    """Equations of three networks under two inputs, with starts of each, of one none at all."""
    nets = [rd.Elman.random(units, 2, gain=gain, rng=rng) for gain in (0.5, 2.0, 3.0)]
    equations = [Equation(net, x, 1, 1.0) for net in nets for x in rng.standard_normal((2, 2))]
    return equations, [rng.uniform(-1, 1, (count, units)) for count in (3, STARTS, 1, 0, 17, 40)]


def test_networks_and_inputs_go_side_by_side(rng, monkeypatch):
    """Starts of several networks under several inputs end in the bits that each has alone, in the right rows."""
    equations, starts = ensemble(rng)
    nets = [equation.net for equation in equations]
    of, inputs = (np.repeat(some, [len(s) for s in starts], axis=0) for some in (range(6), [e.x for e in equations]))
    alone = [newton_from(e.net, e.x, s, 1e-13)[0] for e, s in zip(equations, starts, strict=True)]
    for workers in 1, 2:
        monkeypatch.setattr(
            roots, "threads_for", lambda operations, items, workers=workers: max(1, min(workers, items))
        )
        states, lengths = roots.newton_from(nets, of, inputs, np.concatenate(starts), 1e-13)
        assert states.tobytes() == np.concatenate(alone).tobytes()
    after = [dynamics.step(nets[n], s[None], x[None])[0] for n, s, x in zip(of, states, inputs, strict=True)]
    np.testing.assert_allclose(lengths, np.linalg.norm(after - states, axis=1), atol=1e-13, rtol=1e-6)


@pytest.mark.compiled
def test_each_equation_gets_its_own_roots(rng, monkeypatch):
    """What several equations have together is what each has alone, in both precisions and all their stages."""
    monkeypatch.setattr(roots, "WORTH_COMPILING", 0)
    equations, starts = ensemble(rng)
    for e, s, (states, converged) in zip(equations, starts, solve_together(equations, starts, None), strict=True):
        own, theirs = solve(e, s, None)
        assert states.tobytes() == own.tobytes() and converged.tolist() == theirs.tolist()
        assert e.solved_by(states[converged], None).all()


def test_starts_out_of_range_end_without_a_root():
    states, lengths = newton_from(rd.Elman(None, [[0.5]]), None, np.array([[np.nan], [1e308], [3.0]]), 1e-13)
    assert not lengths[0] < 1e-12
    assert abs(states[2, 0]) < 1e-12


def test_who_is_served():
    many = roots.WORTH_COMPILING
    assert roots.applies(rd.Elman(None, [[0.5]]), many) is not UNCOMPILED
    assert not roots.applies(rd.Elman(None, [[0.5]]), many - 1)
    assert not roots.applies(rd.Stack([rd.Elman(None, [[0.5]]), rd.Elman([[0.5]], [[0.5]])]), many)


def test_groups_are_no_wider_than_asked(rng):
    states = np.round(rng.uniform(0, 1, (200, 2)), 1) + 1e-6 * rng.standard_normal((200, 2))
    label, chosen = _groups(states, 1e-4)
    assert (np.abs(states - states[chosen[label]]) <= 1e-4).all()
    assert len(chosen) == len(np.unique(np.round(states, 1), axis=0))
    assert [part.size for part in _groups(states[:0], 1.0)] == [0, 0]


@pytest.mark.compiled
def test_neighbours_are_told_apart():
    """Roots much nearer to each other than what is tried as one: 0 and +-a of one unit just past its pitchfork."""
    gain = np.full(24, 0.5)
    gain[0] = 1 + 3e-5
    net = rd.Elman(None, np.diag(gain))
    starts = np.random.default_rng(0).uniform(-0.05, 0.05, (roots.WORTH_COMPILING // 24 + 1, 24))
    equation = Equation(net, None, 1, 1.0)
    states, converged = solve(equation, starts, None)
    a = solve(equation, np.eye(1, 24) * 0.01, None)[0][0, 0]
    assert 0.009 < a < 0.01  # sqrt(3 * 3e-5)
    off = np.abs(states[converged][:, :1] - [-a, 0, a])
    nearest = off.argmin(axis=1)
    assert (np.bincount(nearest) > 50).all()
    # The residual is known to some 1e-18 there, and dG/dx is 3e-5 at 0, -6e-5 at a.
    assert off.min(axis=1).max() < 1e-9
    assert np.abs(states[converged][:, 1:]).max() < 1e-12
