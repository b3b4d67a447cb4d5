"""Tasks: each answer worked out again from the inputs alone, in plain Python; sizes, chances, and bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnndyn as rd

TEXT = "the quick brown fox jumps over the lazy dog"
TASKS = {
    "flip_flop": rd.tasks.flip_flop,
    "delayed_match": rd.tasks.delayed_match,
    "adding": rd.tasks.adding,
    "copy_memory": rd.tasks.copy_memory,
    "sine_generator": lambda *args, **options: rd.tasks.sine_generator(*args, **({"steps": 20} | options)),
    "context_integration": rd.tasks.context_integration,
    "parentheses": rd.tasks.parentheses,
    "characters": lambda *args, **options: rd.tasks.characters(TEXT, *args, **({"steps": 20} | options)),
    "series": rd.tasks.series,
}
every_task = pytest.mark.parametrize("name", TASKS)
seeds = st.integers(0, 2**32 - 1)


def test_every_task_is_tested():
    assert set(TASKS) == set(rd.tasks.__all__) - {"Task"}


@every_task
def test_a_task_is_three_arrays_with_named_axes(name):
    task = TASKS[name](0, batch=5)
    assert task.inputs.dims == ("batch", "time", "input")
    assert task.targets.dims == (("batch", "time", "output") if task.targets.dtype.kind == "f" else ("batch", "time"))
    assert task.mask.dims == ("batch", "time")
    assert task.mask.dtype == bool
    assert task.inputs.shape[:2] == task.targets.shape[:2] == task.mask.shape
    assert task.inputs.sizes["batch"] == 5
    assert task.mask.any(axis=1).all()


@every_task
def test_a_task_comes_from_its_seed(name):
    one, same, other = (TASKS[name](seed, batch=50) for seed in (1, 1, 2))
    assert all(a.equals(b) for a, b in zip(one, same, strict=True))
    assert not one.inputs.equals(other.inputs)
    generator = np.random.default_rng(1)
    assert TASKS[name](generator, batch=50).inputs.equals(one.inputs)
    assert not TASKS[name](generator, batch=50).inputs.equals(one.inputs), "the generator goes on"


@pytest.mark.compiled
@every_task
def test_a_network_trains_on_it(name):
    inputs, targets, mask = TASKS[name](0, batch=16)
    labels = targets.ndim == 2
    outputs = int(targets.max()) + 1 if labels else targets.sizes["output"]
    net = rd.Elman.random(16, inputs.sizes["input"], outputs, rng=0)
    options = {"loss": "cross_entropy" if labels else "mse", "mask": mask, "clip_norm": 1.0}
    _, history = rd.train(net, inputs, targets, steps=60, optimizer=rd.Adam(0.01), **options)
    assert history.loss.values[-1] < 0.9 * history.loss.values[0]


@every_task
def test_bad_sizes_are_named(name):
    for argument, value in (("batch", 0), ("batch", 1.5), ("rng", "seed")):
        with pytest.raises((TypeError, ValueError), match=argument):
            TASKS[name](**{argument: value})


# ---- the answers -------------------------------------------------------------------------------------------------
@given(seeds, st.integers(1, 4), st.integers(1, 30), st.floats(0, 1))
def test_flip_flop(seed, bits, steps, rate):
    inputs, targets, mask = (a.values for a in rd.tasks.flip_flop(seed, batch=3, steps=steps, bits=bits, rate=rate))
    assert mask.all()
    state = np.zeros((3, bits))
    for t in range(steps):
        state = np.where(inputs[:, t] != 0, inputs[:, t], state)
        assert (targets[:, t] == state).all()
    assert (np.abs(targets) == 1).all()


@given(seeds, st.integers(0, 6), st.integers(2, 5))
def test_delayed_match(seed, delay, symbols):
    inputs, targets, mask = (a.values for a in rd.tasks.delayed_match(seed, batch=4, delay=delay, symbols=symbols))
    for xs, ys in zip(inputs, targets, strict=True):
        assert ys[-1, 0] == (1 if xs[0].argmax() == xs[-1].argmax() else -1)
        assert xs.sum(axis=1).tolist() == [1, *[0] * delay, 1]
    assert mask[:, -1].all()
    assert mask.sum() == 4


def test_half_of_the_pairs_match():
    targets = rd.tasks.delayed_match(0, batch=10_000).targets.values[:, -1]
    assert abs(targets.mean()) < 4 / np.sqrt(10_000)


@given(seeds, st.integers(2, 20))
def test_adding(seed, steps):
    inputs, targets, mask = (a.values for a in rd.tasks.adding(seed, batch=4, steps=steps))
    for xs, ys in zip(inputs, targets, strict=True):
        marked = [x for x, mark in xs if mark]
        assert len(marked) == 2
        assert ys[-1, 0] == sum(marked)
        assert xs[: steps // 2, 1].sum() == xs[steps // 2 :, 1].sum() == 1
    assert np.flatnonzero(mask[0]).tolist() == [steps - 1]


def test_who_always_says_one_has_the_error_that_is_documented():
    targets = rd.tasks.adding(0, batch=40_000, steps=5).targets.values[:, -1]
    assert abs(np.mean((targets - 1) ** 2) - 1 / 6) < 4 * np.sqrt(7 / 180 / 40_000)


@given(seeds, st.integers(1, 6), st.integers(1, 9), st.integers(1, 5))
def test_copy_memory(seed, length, delay, symbols):
    sizes = {"length": length, "delay": delay, "symbols": symbols}
    inputs, targets, mask = (a.values for a in rd.tasks.copy_memory(seed, batch=3, **sizes))
    for xs, ys, wanted in zip(inputs.argmax(axis=-1), targets, mask, strict=True):
        shown = xs[:length].tolist()
        assert all(1 <= s <= symbols for s in shown)
        assert xs[length:].tolist() == [*[0] * (delay - 1), symbols + 1, *[0] * length]
        assert ys[wanted].tolist() == shown
        assert not ys[~wanted].any()
        assert np.flatnonzero(wanted)[0] == length + delay
    assert (inputs.sum(axis=-1) == 1).all()


@given(seeds, st.floats(0.05, 1), st.floats(0, 1))
def test_sine_generator(seed, lowest, width):
    bounds = {"lowest": lowest, "highest": lowest + width}
    inputs, targets, _ = (a.values for a in rd.tasks.sine_generator(seed, batch=3, steps=9, **bounds))
    for xs, ys in zip(inputs[:, :, 0], targets[:, :, 0], strict=True):
        assert (xs == xs[0]).all()
        frequency = lowest + width * (xs[0] - 0.25)
        assert np.allclose(ys, [np.sin(frequency * t) for t in range(1, 10)], rtol=0, atol=1e-12)


@given(seeds, st.integers(1, 12), st.floats(0, 1), st.floats(0, 2))
def test_context_integration(seed, steps, strength, noise):
    options = {"steps": steps, "strength": strength, "noise": noise}
    inputs, targets, mask = (a.values for a in rd.tasks.context_integration(seed, batch=5, **options))
    for xs, ys in zip(inputs, targets, strict=True):
        stream = 0 if xs[0, 2] == 1 else 1
        assert (xs[:, 2:] == np.eye(2)[stream]).all()
        assert ys[-1, 0] == (-1 if sum(xs[:, stream]) < 0 else 1)
    assert np.flatnonzero(mask[0]).tolist() == [steps - 1]


@given(seeds, st.integers(1, 4), st.integers(1, 5))
def test_parentheses(seed, kinds, depth):
    task = rd.tasks.parentheses(seed, batch=3, steps=40, kinds=kinds, depth=depth)
    names, openers = task.inputs.input.values, "([{<"
    for xs, ys in zip(task.inputs.values, task.targets.values, strict=True):
        stack = []
        for x, y in zip(xs, ys, strict=True):
            sign = str(names[x.argmax()])
            if sign in openers:
                stack.append(sign)
            else:
                assert stack.pop() + sign in ("()", "[]", "{}", "<>")
            assert len(stack) <= depth
            assert y == (openers.index(stack[-1]) + 1 if stack else 0)


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=2, max_size=40), seeds)
def test_characters(text, seed):
    steps = len(text) // 2
    task = rd.tasks.characters(text, seed, batch=4, steps=steps)
    alphabet = task.inputs.input.values
    assert sorted(set(text)) == alphabet.tolist()
    for xs, ys in zip(task.inputs.values, task.targets.values, strict=True):
        shown, wanted = ("".join(alphabet[labels]) for labels in (xs.argmax(axis=-1), ys))
        assert shown[1:] == wanted[:-1]
        assert shown + wanted[-1] in text


def test_series_is_that_of_its_model():
    """One step ahead of an ARMA(2, 1); its variance and first covariances within four standard errors."""
    ar, ma, variance = (0.6, -0.3), (0.4,), 2.0
    inputs, targets, _ = (a.values for a in rd.tasks.series(0, batch=400, ar=ar, ma=ma, noise_cov=variance))
    assert (inputs[:, 1:] == targets[:, :-1]).all()
    model = rd.VARMA(np.reshape(ar, (2, 1, 1)), np.reshape(ma, (1, 1, 1)), [[variance]])
    wanted = model.autocovariance(1).ravel()
    for k, pair in enumerate(((inputs, inputs), (inputs, targets))):
        each = (pair[0] * pair[1]).mean(axis=(1, 2))
        assert abs(each.mean() - wanted[k]) < 4 * each.std() / np.sqrt(400)


def test_series_of_several_outputs():
    inputs, targets, _ = rd.tasks.series(0, batch=2, steps=5, ar=[0.5 * np.eye(3)], ma=None, noise_cov=np.eye(3))
    assert inputs.shape == targets.shape == (2, 5, 3)


@pytest.mark.parametrize(
    ("task", "options", "word"),
    [
        ("flip_flop", {"bits": 0}, "bits"),
        ("flip_flop", {"rate": 1.5}, "rate"),
        ("delayed_match", {"symbols": 1}, "symbols"),
        ("delayed_match", {"delay": -1}, "delay"),
        ("adding", {"steps": 1}, "steps"),
        ("copy_memory", {"delay": 0}, "delay"),
        ("sine_generator", {"lowest": 0.0}, "lowest"),
        ("sine_generator", {"lowest": 0.5, "highest": 0.4}, "highest"),
        ("sine_generator", {"highest": 4.0}, "highest"),
        ("context_integration", {"noise": -1.0}, "noise"),
        ("parentheses", {"kinds": 5}, "kinds"),
        ("parentheses", {"depth": 0}, "depth"),
        ("characters", {"steps": len(TEXT)}, "text has"),
        ("series", {"ar": (1.1,)}, "ar"),
    ],
)
def test_bad_arguments_are_named(task, options, word):
    with pytest.raises(ValueError, match=word):
        TASKS[task](0, **options)


def test_a_text_is_a_string():
    with pytest.raises(TypeError, match="text"):
        rd.tasks.characters(list(TEXT), 0)
