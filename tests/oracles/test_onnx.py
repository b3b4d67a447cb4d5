"""ONNX as the oracle for what PyTorch lacks: peepholes, and the GRU that resets before the product.

The ONNX runtime computes in float32; the reference evaluator of the onnx package also in float64.
"""

import numpy as np
import pytest
from cases import BY_NAME

import rnndyn as rd

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.compiled

ROWS = {"lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n")}
ONNX_ROWS = {"lstm": ("i", "o", "f", "g"), "gru": ("z", "r", "n")}
NAMES = ["lstm", "lstm-peephole", "gru-after-keep", "gru-before-keep", "gru-after-write", "gru-before-write"]


def reorder(array, kind, H):
    """Gate blocks from our order to that of ONNX, with a leading axis of one direction."""
    blocks = dict(zip(ROWS[kind], np.split(array, len(ROWS[kind])), strict=True))
    return np.concatenate([blocks[gate] for gate in ONNX_ROWS[kind]])[None]


def keep(net):
    """Weights of the GRU as "keep" writes it: the update gate's rows change sign, for 1 - sigmoid(a) = sigmoid(-a)."""
    H, sign = net.hidden_size, -1 if net.update == "write" else 1
    signs = np.repeat([1, sign, 1], H).astype(net.dtype)
    return net.W_xh * signs[:, None], net.W_hh * signs[:, None], net.b_h * signs


def model(net, kind, T, B):
    """An ONNX model of one node: X, s0 -> Y (T, 1, B, H)."""
    H, floats = net.hidden_size, onnx.helper.np_dtype_to_tensor_dtype(net.dtype)
    W, R, b = keep(net) if kind == "gru" else (net.W_xh, net.W_hh, net.b_h)
    second = np.zeros_like(b)
    if kind == "gru":
        second[2 * H :] = net.b_hn
    weights = {"W": reorder(W, kind, H), "R": reorder(R, kind, H)}
    weights["B"] = np.concatenate([reorder(b, kind, H), reorder(second, kind, H)], axis=1)
    states = {"h0": (1, B, H)} | ({"c0": (1, B, H)} if kind == "lstm" else {})
    node_inputs = ["X", "W", "R", "B", "", *states]
    if kind == "lstm" and net.peephole is not None:
        weights["P"] = net.peephole[[0, 2, 1]].reshape(1, -1)  # i, o, f
        node_inputs.append("P")
    options = {"linear_before_reset": int(net.reset == "after")} if kind == "gru" else {}
    node = onnx.helper.make_node(kind.upper(), node_inputs, ["Y"], hidden_size=H, **options)
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "one_layer",
        [info("X", floats, (T, B, net.input_size)), *(info(key, floats, shape) for key, shape in states.items())],
        [info("Y", floats, (T, 1, B, H))],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(array), key) for key, array in weights.items()],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    return made


def draw(name, rng, H, dtype, T=15, B=5):
    net = BY_NAME[name].network(rng, H, 3, dtype=dtype)
    inputs = rng.standard_normal((B, T, 3)).astype(dtype)
    s0 = (0.5 * rng.standard_normal((B, net.state_size))).astype(dtype)
    kind = name.split("-")[0]
    feeds = {"X": np.ascontiguousarray(inputs.transpose(1, 0, 2)), "h0": s0[None, :, :H].copy()}
    if kind == "lstm":
        feeds["c0"] = s0[None, :, H:].copy()
    return net, inputs, s0, model(net, kind, T, B), feeds


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("H", [1, 3, 16, 33])
def test_forward_equals_onnxruntime(name, H, rng):
    runtime = pytest.importorskip("onnxruntime")
    net, inputs, s0, made, feeds = draw(name, rng, H, "float32")
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(None, feeds)[0][:, 0].transpose(1, 0, 2)
    got = rd.run(net, inputs, initial_state=s0).hidden.values
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_forward_equals_the_reference_evaluator(name, rng):
    from onnx.reference import ReferenceEvaluator

    net, inputs, s0, made, feeds = draw(name, rng, 7, "float64")
    wanted = np.asarray(ReferenceEvaluator(made).run(None, feeds)[0])
    wanted = wanted.reshape(inputs.shape[1], inputs.shape[0], 7).transpose(1, 0, 2)
    np.testing.assert_allclose(rd.run(net, inputs, initial_state=s0).hidden.values, wanted, rtol=0, atol=1e-12)
