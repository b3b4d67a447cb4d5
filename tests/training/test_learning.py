"""Training as a whole: small networks of three cells learn three bits, from ten seeds of ten."""

import numba
import numpy as np
import pytest

import rnndyn as rd

STEPS = 600


@pytest.fixture(autouse=True)
def one_thread():
    """At these sizes a second thread costs more than it brings."""
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("kind", ["Elman", "GRU", "LSTM"])
def test_sixteen_units_learn_three_bits_from_every_seed(kind):
    """Mean squared error below 1e-3 on sequences twice as long as those learnt from."""
    optimizer = rd.Adam(rd.schedules.Step((0.01, 0.003, 0.001), at=(360, 510)))
    test = rd.tasks.flip_flop(1234, batch=256, steps=100)
    errors = []
    for seed in range(10):
        inputs, targets, _ = rd.tasks.flip_flop(seed, batch=512, steps=50)
        net = getattr(rd, kind).random(16, 3, 3, recurrent="orthogonal", rng=seed)
        options = {"batch_size": 64, "clip_norm": 1.0, "rng": seed}
        net, _ = rd.train(net, inputs, targets, steps=STEPS, optimizer=optimizer, **options)
        errors.append(np.mean((rd.run(net, test.inputs).output.values - test.targets.values) ** 2))
    assert max(errors) < 1e-3, errors
