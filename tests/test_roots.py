"""Compiled Newton iteration without matrices, against the one with matrices."""

import numpy as np
import pytest
from cases import CASES, UNCOMPILED

import rnndyn as rd
from rnndyn import dynamics, roots
from rnndyn.analysis.newton import Equation, _groups, _solve_dense, solve

# A cell of each kind of step; each is compiled, so all of them are run only where nothing is.
COMPILED = ("elman-tanh", "leaky-voltage-tanh", "lstm", "gru-before-keep")
# (The random LSTM with peepholes has no fixed point that these starts reach: its gates saturate and c creeps.)
ALL = [case for case in CASES if case.name != "lstm-peephole"]
SOME = ALL if UNCOMPILED else [case for case in ALL if case.name in COMPILED]
SLOW = () if UNCOMPILED else ("leaky-voltage-tanh", "gru-before-keep")  # to compile
MARKED = [pytest.param(case, marks=pytest.mark.slow) if case.name in SLOW else case for case in SOME]
UNITS, STARTS = (3, 5) if UNCOMPILED else (19, 60)


@pytest.mark.parametrize("case", MARKED, ids=lambda case: case.name)
def test_states_are_fixed(case, rng):
    """Where the length of G is small, so is that of F(x) - x by the forward pass; most starts get there."""
    net = case.network(rng, UNITS, 2)
    x = rng.standard_normal(2)
    starts = rng.uniform(-1, 1, (STARTS, net.state_size))
    states, lengths = roots.newton_from(net, x, starts, 1e-13)
    after = dynamics.step(net, states, np.repeat(x[None], STARTS, axis=0))
    np.testing.assert_allclose(lengths, np.linalg.norm(after - states, axis=1), atol=1e-13, rtol=1e-6)
    assert (lengths < 1e-12).mean() > 0.5
    ours = states[lengths < 1e-12]
    theirs, converged = _solve_dense(Equation(net, x, 1, 1.0), ours, None)
    assert converged.all()
    np.testing.assert_allclose(theirs, ours, atol=1e-9)  # 1e-12 times the norm of the inverse of I - J


def test_all_the_tested_cells_exist():
    assert UNCOMPILED or len(SOME) == len(COMPILED)


@pytest.mark.compiled
def test_no_start_minds_the_others(rng, monkeypatch):
    """Alone, in company, and over two threads, a start ends in the same bits."""
    net = rd.Elman.random(24, gain=2.0, rng=0)
    starts = rng.uniform(-1, 1, (37, 24))
    together = roots.newton_from(net, None, starts, 1e-13)[0]
    alone = np.concatenate([roots.newton_from(net, None, start[None], 1e-13)[0] for start in starts])
    monkeypatch.setattr(roots, "threads_for", lambda operations, items: min(2, items))
    over_threads = roots.newton_from(net, None, starts, 1e-13)[0]
    assert together.tobytes() == alone.tobytes() == over_threads.tobytes()


def test_starts_out_of_range_end_without_a_root():
    states, lengths = roots.newton_from(rd.Elman(None, [[0.5]]), None, np.array([[np.nan], [1e308], [3.0]]), 1e-13)
    assert not lengths[0] < 1e-12
    assert abs(states[2, 0]) < 1e-12


def test_who_is_served():
    many = np.zeros((roots.WORTH_COMPILING, 1))
    assert roots.applies(rd.Elman(None, [[0.5]]), many) is not UNCOMPILED
    assert not roots.applies(rd.Elman(None, [[0.5]]), many[:-1])
    stack = rd.Stack([rd.Elman(None, [[0.5]]), rd.Elman([[0.5]], [[0.5]])])
    assert not roots.applies(stack, np.repeat(many, 2, axis=1))


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
