"""Sequences to one, one to sequences, sequences to sequences: each is learnt on a task that cannot do without it."""

import numba
import numpy as np
import pytest

import rnndyn as rd

pytestmark = pytest.mark.compiled


@pytest.fixture(autouse=True)
def one_thread():
    """At these sizes a second thread costs more than it brings."""
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(threads)


def test_many_to_one():
    """Whether the last symbol is the first again: a mask on the last step asks for one answer."""
    net = rd.Elman.random(16, 3, 1, rng=0)
    x, y, mask = rd.tasks.delayed_match(0, batch=64, delay=4, symbols=3)
    net, _ = rd.train(net, x, y, mask=mask, steps=200, optimizer=rd.Adam(0.01), clip_norm=1.0)
    x, y, _ = rd.tasks.delayed_match(1, batch=200, delay=4, symbols=3)
    answer = rd.run(net, x).output.values[:, -1]
    assert np.mean((answer > 0) == (y.values[:, -1] > 0)) > 0.99
    assert np.mean(np.abs(answer)) > 0.9


def test_one_to_many():
    """From each of three initial states another wave; the network hears nothing but itself."""
    T, t = 25, np.arange(1, 26)
    waves = np.stack([[np.sin(w * t), np.cos(w * t)] for w in (0.2, 0.4, 0.6)]).transpose(0, 2, 1)
    loop = rd.ClosedLoop(rd.Elman.random(24, 2, 2, rng=0))
    starts = np.random.default_rng(1).standard_normal((3, 24))
    options = {"initial_state": starts, "optimizer": rd.Adam(0.01), "clip_norm": 1.0}
    loop, history = rd.train(loop, T, waves, steps=400, **options)
    assert history.loss[0] > 10
    error = rd.run(loop, initial_state=starts, steps=T).output.values - waves
    assert np.sqrt(np.mean(error**2)) < 0.1


def test_sequences_to_sequences():
    """Four symbols backwards: the first answer is the last that was read, so nothing can be answered before the end."""
    rng, K, T = np.random.default_rng(0), 3, 4
    read = np.array(np.meshgrid(*[np.arange(K)] * T)).reshape(T, -1).T
    read = rng.permutation(read)
    written, source = read[:, ::-1], np.eye(K)[read]
    shown = np.eye(K + 1)[np.concatenate([np.full((len(read), 1), K), written[:, :-1]], axis=1)]  # K: the sign to begin
    net = rd.EncoderDecoder(rd.LSTM.random(24, K, rng=1), rd.LSTM.random(24, K + 1, K + 1, rng=2))
    options = {"loss": "cross_entropy", "optimizer": rd.Adam(0.02), "clip_norm": 1.0}
    net, _ = rd.train(net, (source[:60], shown[:60]), written[:60], steps=250, **options)
    last = rd.run(net.encoder, source[60:]).state.values[:, -1]
    begin = np.full((len(last), 1), K)
    answer = rd.generate(net.decoder, begin, T, temperature=0.0, initial_state=last)
    assert np.mean(answer == written[60:]) > 0.9, "of 21 sequences never seen"
    blind = rd.generate(net.decoder, begin, T, temperature=0.0)
    assert np.mean(blind == written[60:]) < 0.6, "without what was read"
