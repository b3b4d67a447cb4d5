"""What is watched while a network is trained is what the analyses say of the network of that step."""

import numpy as np
import pytest

import rnndyn as rd
from rnndyn import plot

H = 4


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((6, 8, 1)), rng.standard_normal((6, 8, 1))


def gain(net):
    """A probe of a user's own, with a number, an array and a matrix."""
    return {"gain": np.linalg.norm(net.W_hh, 2), "rows": net.W_hh.sum(axis=1), "weights": net.W_hh}


def call(steps=12, watch=None, **options):
    x, y = data()
    return rd.train(rd.Elman.random(H, 1, 1, rng=1), x, y, steps=steps, optimizer=rd.Adam(0.05), watch=watch, **options)


def test_a_look_sees_the_network_after_so_many_steps():
    _, history = call(watch=rd.Watch(gain, every=5, at=(0, 7)))
    assert history.watched_step.values.tolist() == [0, 5, 7, 10]
    for step, seen in zip(history.watched_step.values, history.weights, strict=True):
        assert (seen.values == call(steps=int(step))[0].W_hh).all()
    assert np.allclose(history.gain, np.linalg.norm(history.weights, 2, axis=(1, 2)), rtol=1e-15)
    assert history.rows.dims == ("watched_step", "rows_1") and history.weights.sizes["weights_2"] == H


def test_watching_changes_nothing_else():
    (net, history), (same, watched) = call(), call(watch=rd.Watch(gain, every=1))
    assert net == same and (history.loss == watched.loss).all()


@pytest.mark.compiled
def test_the_probes_say_what_the_analyses_say(tmp_path):
    x, y = data()
    probes = [
        rd.probes.Spectrum(x, k=2, steps=7, warmup=1),
        rd.probes.FixedPoints(starts=64),
        rd.probes.GradientFlow(x, y),
    ]
    _, history = call(watch=rd.Watch(probes, at=(0, 12)))
    assert {"exponent", "n_fixed_points", "missing_fixed_points", "gradient_flow"} <= set(history.data_vars)
    assert not any(np.isnan(history[name]).any() for name in history.data_vars)
    net = call()[0]
    spectrum = rd.lyapunov_spectrum(net, x, k=2, steps=7, warmup=1, rng=0)
    assert np.allclose(history.exponent[-1], spectrum.exponent.mean("batch"), rtol=1e-14)
    points = rd.fixed_points(net, starts=64, rng=0)
    assert history.n_fixed_points[-1].values.tolist() == np.bincount(points.n_unstable, minlength=H + 1).tolist()
    flow = rd.gradient_flow(net, x, y)
    assert np.allclose(np.exp(history.gradient_flow[-1]), np.sqrt((flow.gradient_norm**2).sum("batch")), rtol=1e-12)
    rd.save_results(history, tmp_path / "history.nc")
    assert rd.open_results(tmp_path / "history.nc").identical(history)
    assert "Lyapunov exponent (nat/step)" in [ax.get_ylabel() for ax in plot.training(history).figure.axes]


def test_from_its_file_it_goes_on_to_the_same_history(tmp_path):
    path, watch = tmp_path / "run.safetensors", rd.Watch(gain, every=4, at=(6,))
    for stop in (4, 5, 8):
        call(steps=stop, watch=watch, save_to=path, save_every=1)
    net, history = call(steps=17, watch=watch, save_to=path)
    wanted, whole = call(steps=17, watch=watch)
    assert net == wanted and history.drop_attrs().identical(whole.drop_attrs())
    with pytest.raises(ValueError, match="other watch"):
        call(steps=20, watch=rd.Watch(gain, every=3), save_to=path)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: rd.Watch("gain", every=1), TypeError, "probes"),
        (lambda: rd.Watch([], every=1), TypeError, "probes"),
        (lambda: rd.Watch(gain), ValueError, "neither every nor at"),
        (lambda: rd.Watch(gain, every=0), ValueError, "every"),
        (lambda: rd.Watch(gain, at=(-1,)), ValueError, "at"),
        (lambda: rd.Watch(gain, at=5), TypeError, "at is 5: a list of steps is wanted"),
        (lambda: gain, TypeError, "watch is a function"),
        (lambda: rd.Watch(lambda net: 1.0, every=1), TypeError, "a dict of numbers"),
        (lambda: rd.Watch(lambda net: {"loss": 1.0}, every=1), ValueError, "'loss', a name that is taken"),
        (lambda: rd.Watch(lambda net: {"step": 1.0}, every=1), ValueError, "'step', a name that is taken"),
        (lambda: rd.Watch(lambda net: {"exponent": 1.0}, every=1), ValueError, "'exponent' is of shape"),
        (lambda: rd.Watch([gain, gain], every=1), ValueError, "'gain', a name that is taken"),
        (lambda: rd.Watch(lambda net: {"word": "x"}, every=1), TypeError, "real numbers"),
        (lambda: rd.Watch(rd.probes.FixedPoints(np.zeros((2, 1))), every=1), ValueError, r"input has shape \(2, 1\)"),
    ],
)
def test_what_cannot_be_watched_is_named(make, error, words):
    with pytest.raises(error, match=words):
        call(watch=make())


def test_a_probe_that_changes_its_shape_is_named():
    sizes = iter((2, 2, 3))
    with pytest.raises(ValueError, match=r"\(3,\).*at step 2, .*\(2,\)} before"):
        call(watch=rd.Watch(lambda net: {"x": np.zeros(next(sizes))}, every=1))
