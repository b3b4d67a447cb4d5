"""Passes of wide networks in Numba's simulator, step by step with products; test_simulator.py runs this file.

Every network counts as wide here. Products are those of our own kernel, or of NumPy in the place of CuPy. Both add up
in another order than the processor's passes, so results are equal to rounding.
"""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from cases import BY_NAME, CASES
from kernels.cuda.in_simulator import draw, there_and_back

import rnndyn as rd
from rnndyn.kernels.cuda import device
from rnndyn.networks.masked import masked

if not device.SIMULATED:
    pytest.skip("test_simulator.py runs it", allow_module_level=True)

from rnndyn import passes, passes_cuda, sums, tangents_cuda, wide_cuda  # noqa: E402
from rnndyn.kernels.cuda import library  # noqa: E402
from rnndyn.tangents import course  # noqa: E402

# A GRU that writes has the cell of one that keeps, with other weights; nothing goes from unit to unit in the last two.
RECURRENT = [c for c in CASES if not c.name.endswith("write") and not c.name.startswith(("qrnn", "sru"))]
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
SOME = ["gru-before-keep", "lstm-peephole"]  # with rates and without, with parameters that are trained


@pytest.fixture(autouse=True)
def passes_by_products(monkeypatch):
    """How many passes went by products, onward and backward."""
    count = {"forward": 0, "backward": 0}
    monkeypatch.setattr(wide_cuda, "CACHE_BYTES", 0)
    monkeypatch.setattr(wide_cuda, "WORTH_BYTES", 0)
    calls = {name: getattr(wide_cuda, name) for name in count}
    for name in count:

        def counted(*given, name=name):
            count[name] += 1
            return calls[name](*given)

        monkeypatch.setattr(wide_cuda, name, counted)
    return count


def both(net, *data):
    there = there_and_back(passes_cuda.Tape, passes_cuda.DeviceSums, net, *data)
    return [found | gradients for found, gradients in (there, there_and_back(passes.Tape, sums.WeightSums, net, *data))]


def compare(net, *data):
    there, here = both(net, *data)
    for name, array in here.items():
        atol = TOLERANCE[array.dtype.name] * np.abs(array).max(initial=1.0)
        np.testing.assert_allclose(there[name], array, rtol=0, atol=atol, err_msg=name)
        assert there[name].dtype == array.dtype
    return there


@pytest.mark.parametrize("case", RECURRENT, ids=lambda case: case.name)
def test_every_cell_there_and_back(case, rng, poisoned, passes_by_products):
    compare(*draw(case, rng))
    assert passes_by_products == {"forward": 1, "backward": 1}


@pytest.mark.parametrize("name", ["gru-after-keep", "lstm-peephole"])
def test_masked_states_there_and_back(name, rng, poisoned, passes_by_products):
    net, x, s0, g, adjoint = draw(BY_NAME[name], rng)
    factors = 1.5 * rng.integers(0, 2, (2, net.hidden_size))
    wide = [np.concatenate([part, more], axis=1) for part, more in ((s0, factors), (adjoint, 0 * factors))]
    compare(masked(net, factors), x, wide[0], g, wide[1])
    assert passes_by_products == {"forward": 1, "backward": 1}


def test_single_precision(rng, passes_by_products):
    compare(*draw(BY_NAME["gru-before-keep"], rng, "float32"))
    assert passes_by_products == {"forward": 1, "backward": 1}


@pytest.mark.parametrize("sizes", [{"H": 1}, {"I": 0}, {"H": 3, "I": 5}], ids=str)
def test_small_sizes(sizes, rng, poisoned):
    compare(*draw(BY_NAME["gru-after-keep"], rng, **sizes))


def test_nothing_to_do(rng):
    net = BY_NAME["lstm"].network(rng, 5, 1)
    for batch, steps in ((0, 3), (2, 0)):
        x, s0, g = np.zeros((batch, steps, 1)), np.ones((batch, 10)), np.zeros((batch, steps, 5))
        compare(net, x, s0, g, s0)


# ---- pieces of time, panels of sequences, tiles of memory ------------------------------------------------------------
def sequences(net, rng, batch, steps):
    H, S = net.hidden_size, net.state_size
    return [
        rng.standard_normal(shape)
        for shape in ((batch, steps, net.input_size), (batch, S), (batch, steps, H), (batch, S))
    ]


@pytest.mark.parametrize("name", SOME)
def test_inputs_are_formed_piece_by_piece_and_panel_by_panel(name, rng, poisoned, monkeypatch):
    """A panel of two sequences, pieces of two steps and one; then one of one sequence, whose steps are one piece."""
    net = BY_NAME[name].network(rng, 3, 2)
    monkeypatch.setattr(wide_cuda, "ROWS", 2)
    monkeypatch.setattr(wide_cuda, "PIECE_BYTES", 2 * 2 * (net.W_xh.shape[0] + 2) * 8)
    lengths, launch = [], wide_cuda.through

    def through(W, values, out, **options):
        if W.shape[3] == 2:  # of the inputs
            lengths.append(values.shape[0])
        return launch(W, values, out, **options)

    monkeypatch.setattr(wide_cuda, "through", through)
    compare(net, *sequences(net, rng, 3, 3))
    assert sorted(lengths[:2]) + lengths[2:] == [1, 2, 3]


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("panel", [2, 1024])
def test_no_bit_depends_on_the_tile(name, panel, rng, poisoned, monkeypatch):
    """Even by a library whose bits depend on the number of rows."""
    net = BY_NAME[name].network(rng, 3, 2)
    data = sequences(net, rng, 5, 2)

    def matmul(left, right, out):
        out[:] = (left @ right) * (1 + 1e-3 * len(left))

    stand_in(monkeypatch, matmul)
    monkeypatch.setattr(wide_cuda, "ROWS", panel)
    monkeypatch.setattr(passes_cuda, "BLOCKS", 12)  # the sums of gradients are cut into chunks
    whole = there_and_back(passes_cuda.Tape, passes_cuda.DeviceSums, net, *data)
    monkeypatch.setattr(passes_cuda, "rows_within", lambda *given: 0)  # no record is kept
    for rows in (1, 2, 3):
        monkeypatch.setattr("rnndyn.kernels.cuda.memory.rows_within", lambda *given, rows=rows: rows)
        parts = there_and_back(passes_cuda.Tape, passes_cuda.DeviceSums, net, *data)
        for found, expected in zip(parts, whole, strict=True):
            for key, array in expected.items():
                np.testing.assert_array_equal(found[key], array, err_msg=f"{key}, {rows} at a time")


def test_panels_cover_every_sequence_once():
    for first, count, batch in ((0, 5, 5), (3, 4, 9), (0, 2500, 2500), (1000, 100, 2500), (1024, 1024, 3000)):
        found = [
            (first + r, panel.at + k, panel.height)
            for panel in wide_cuda.panels(wide_cuda.Place(first, batch), count)
            for k, r in enumerate(range(panel.rows.start, panel.rows.stop))
        ]
        assert [r for r, _, _ in found] == list(range(first, first + count))
        for r, row, height in found:
            assert row == r % wide_cuda.ROWS and height == min(wide_cuda.ROWS, batch - (r - row))


def test_which_networks_go_by_products(monkeypatch):
    """By their sizes, which layouts of the processor have as well."""
    monkeypatch.undo()
    made = {H: rd.LSTM.random(H, 1, rng=0, dtype="float32").layout for H in (64, 256, 512)}
    assert wide_cuda.place(made[64], 10**6) is None  # its weights are near, whatever the batch
    assert wide_cuda.place(made[256], 64) is None  # 1 MB
    assert wide_cuda.place(made[256], 512, 7) == (7, 512)
    assert wide_cuda.place(made[512], 1) == (0, 1)  # 4 MB
    sru = rd.SRU.random(512, 1, rng=0).layout
    assert wide_cuda.place(sru, 10**6) is None


# ---- the product -----------------------------------------------------------------------------------------------------
def stand_in(monkeypatch, matmul):
    """NumPy in the place of CuPy: the simulator's arrays are NumPy's."""
    streams = SimpleNamespace(null=nullcontext(), ptds=None)
    own = {"asarray": lambda array: array._ary, "matmul": matmul, "cuda": SimpleNamespace(Stream=streams)}
    same = {"linalg": np.linalg, "abs": np.abs, "diagonal": np.diagonal, "asnumpy": np.array}
    monkeypatch.setattr(library, "cupy", lambda: SimpleNamespace(**own, **same))


@pytest.mark.parametrize("name", SOME)
def test_by_a_library(name, rng, poisoned, monkeypatch):
    """It is asked for every product, with views of the arrays themselves, and writes where it is told to."""
    calls = []

    def matmul(left, right, out):
        calls.append(out.shape)
        assert out.flags.c_contiguous
        assert all(matrix.flags.c_contiguous or matrix.flags.f_contiguous for matrix in (left, right))
        np.matmul(left, right, out=out)

    stand_in(monkeypatch, matmul)
    net = BY_NAME[name].network(rng, 3, 2)
    compare(net, *sequences(net, rng, 2, 2))
    rated = 2 if net.cuda_layout.m[1] else 1
    assert len(calls) == 1 + 2 * rated + 2 * rated


@pytest.fixture
def frames_by_a_library(monkeypatch):
    """Shapes of the matrices that were factorised."""
    calls, decompose = [], library.orthonormalise

    def counted(Q):
        calls.append(Q.shape)
        return decompose(Q)

    stand_in(monkeypatch, lambda left, right, out: np.matmul(left, right, out=out))
    monkeypatch.setattr(tangents_cuda, "WORTH_LIBRARY", 0)
    monkeypatch.setattr(library, "orthonormalise", counted)
    return calls


# Each number of states, with rates and without; units of a rectifier that rest leave nothing of some directions.
KINDS = ["elman-tanh", "leaky-voltage-tanh", "highway-tanh", "qrnn-fo", "lstm-peephole", "gru-after-keep", *SOME[:1]]


@pytest.mark.parametrize("name", KINDS)
def test_frames(name, rng, poisoned, frames_by_a_library):
    """Two runs of a window of two steps and one of one."""
    net, x = BY_NAME[name].network(rng, 3, 2, 0), rng.standard_normal((2, 3, 2))
    Q = np.linalg.qr(rng.standard_normal((2, net.state_size, 2)))[0]
    found = []
    for device_name in ("cuda", "cpu"):
        way = course([net], x, np.zeros((1, 2, net.state_size)), device_name)
        frames, done = way.frames(Q), np.zeros(2, int)
        growth, _, lost = frames.grow(way.stretch(3)[0], 2, done)
        assert done.tolist() == [2, 2] and not lost.any()
        found.append((growth, np.abs([frames.get(r) for r in range(2)])))
    assert frames_by_a_library == [(net.state_size, 2)] * 4
    for there, here in zip(*found, strict=True):  # condition of J below 1e3, three steps
        np.testing.assert_allclose(there, here, rtol=1e-11, atol=1e-12)


def test_spectra_by_a_library(rng, frames_by_a_library, monkeypatch):
    """Frames that are held by the processor too, and an ensemble, whose networks are a block each."""
    nets, x = [rd.GRU.random(3, 2, rng=n) for n in range(2)], rng.standard_normal((2, 4, 2))
    options = {"steps": 3, "warmup": 1, "rng": 1}
    for free in (tangents_cuda.free_bytes, lambda: 0):
        monkeypatch.setattr(tangents_cuda, "free_bytes", free)
        there, here = (rd.lyapunov_spectrum(nets[0], x, device=name, **options) for name in ("cuda", "cpu"))
        np.testing.assert_allclose(there.exponent, here.exponent, rtol=0, atol=1e-12)
    count = len(frames_by_a_library)
    rd.lyapunov_spectrum(nets, x, device="cuda", **options)
    assert len(frames_by_a_library) == count > 0


def test_a_frame_that_a_library_cannot_resolve_stays_where_it_was(frames_by_a_library):
    """The second column keeps 1e-16 of its length, which may be rounding; a window before it is resolved."""
    W = np.array([[1.0, 1.0], [1.0, 1.0 + np.finfo(float).eps]])
    net = rd.Elman(np.zeros((2, 0)), W, np.ones(2), activation="relu")
    way = course([net], None, np.ones((1, 1, 2)), "cuda")
    frames, done = way.frames(np.eye(2)[None]), np.zeros(1, int)
    growth, _, lost = frames.grow(way.stretch(2)[0], 1, done)
    assert lost.tolist() == [True] and done.tolist() == [0] and (growth == 1).all()
    np.testing.assert_array_equal(frames.get(0), np.eye(2))
    found = rd.lyapunov_spectrum(
        rd.Elman(None, [[0.5, 0.0], [0.3, 0.0]], [1.0, 1.0], activation="relu"),
        steps=3,
        warmup=1,
        rng=0,
        qr_interval=1,
        device="cuda",
    )
    np.testing.assert_allclose(found.exponent, [np.log(0.5), -np.inf], rtol=0, atol=1e-15)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 7, 3), (4, 4, 4), (9, 2, 5)], ids=str)
def test_our_own(sizes, transposed, rng):
    M, K, N = sizes
    left, right = rng.integers(-9, 9, (M, K)).astype(float), rng.integers(-9, 9, (K, N)).astype(float)
    out = device.cuda.to_device(np.full((M, N), np.nan))
    given = right.T.copy() if transposed else right
    library.product(device.cuda.to_device(left), device.cuda.to_device(given), out, transposed=transposed)()
    np.testing.assert_array_equal(out.copy_to_host(), left @ right)


def test_the_simulator_has_no_library():
    assert library.cupy() is None


# ---- the public calls ------------------------------------------------------------------------------------------------
def test_public_calls(rng, passes_by_products):
    net = rd.Stack([rd.GRU.random(2, 2, rng=0), rd.Elman.random(3, 2, 2, rng=1)])
    x, y = rng.standard_normal((2, 2, 3, 2))
    there, here = (rd.run(net, x, lengths=[3, 1], device=name) for name in ("cuda", "cpu"))
    np.testing.assert_allclose(there.state, here.state, rtol=0, atol=1e-12)
    (value, gradients), (expected, by_hand) = (rd.value_and_grad(net, x, y, device=name) for name in ("cuda", "cpu"))
    assert value == pytest.approx(expected, rel=1e-12)
    for key, array in by_hand.arrays().items():
        np.testing.assert_allclose(gradients.arrays()[key], array, rtol=0, atol=1e-12 * np.abs(array).max(initial=1.0))
    assert passes_by_products == {"forward": 4, "backward": 2}


def test_spectra_and_derivatives(rng, passes_by_products):
    """A single network goes by products, an ensemble does not: its networks are tiles of memory."""
    nets, x = [rd.GRU.random(3, 2, rng=n) for n in range(2)], rng.standard_normal((2, 4, 2))
    options = {"steps": 3, "warmup": 1, "qr_interval": 1, "rng": 1}
    for given in (nets[:1], nets):
        there, here = (rd.lyapunov_spectrum(given, x, device=name, **options) for name in ("cuda", "cpu"))
        np.testing.assert_allclose(there.exponent, here.exponent, rtol=0, atol=1e-12)
        assert passes_by_products["forward"] == 2  # warm-up, steps
    there, here = (rd.jacobian_products(nets[0], x, device=name) for name in ("cuda", "cpu"))
    np.testing.assert_allclose(there.log_singular_value, here.log_singular_value, rtol=0, atol=1e-12)
    assert passes_by_products["forward"] > 2
