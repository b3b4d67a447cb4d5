"""One network after the other: runs by hand, what it is as an object, and what is refused."""

import numpy as np
import pytest
from cases import BY_NAME, bits, relative_error

import rnndyn as rd
from rnndyn.analyze import analyze

H, I, O = 5, 3, 2  # noqa: E741


@pytest.fixture
def net(rng):
    return rd.EncoderDecoder(BY_NAME["lstm"].network(rng, H, I), BY_NAME["lstm"].network(rng, H, 1, O))


def test_the_decoder_starts_where_the_encoder_ends(net, rng):
    source, x = rng.standard_normal((4, 6, I)), rng.standard_normal((4, 7, 1))
    ds = rd.run(net, (source, x))
    last = rd.run(net.encoder, source).state.values[:, -1]
    wanted = rd.run(net.decoder, x, initial_state=last)
    assert all(bits(ds[name].values) == bits(wanted[name].values) for name in ("state", "hidden", "output"))
    one = rd.run(net, (source[0], x[0]))
    assert bits(one.output.values) == bits(ds.output.values[0])
    assert rd.run(net, (source, x[0])).sizes["batch"] == 4 and rd.run(net, (source[:1], x[0])).sizes["batch"] == 1


def test_batches_and_validation_take_sources_along(net, rng):
    """A pass with a frozen network: the losses of single sequences are those of each alone."""
    source, x, y = (rng.standard_normal((3, 4, n)) for n in (I, 1, O))
    alone = [rd.value_and_grad(net, (s, a), b)[0] for s, a, b in zip(source, x, y, strict=True)]
    options = {"steps": 3, "batch_size": 1, "optimizer": rd.SGD(0.0), "rng": 0, "validation": ((source, x), y)}
    history = rd.train(net, (source, x), y, **options)[1]
    assert sorted(history.loss.values) == sorted(alone)
    assert np.allclose(history.validation_loss, np.mean(alone), rtol=1e-14)


ENDS = [6, 2, 6, 1, 3]


def ragged(rng, kind="lstm"):
    """A network, sources that end and hold something else after that, inputs and targets."""
    encoder = rd.Stack([BY_NAME["lstm"].network(rng, H, I), BY_NAME[kind].network(rng, H, H)])
    inside = rd.Stack([BY_NAME["lstm"].network(rng, H, 1), BY_NAME[kind].network(rng, H, H, O)])
    return rd.EncoderDecoder(encoder, inside), *(rng.standard_normal((5, t, n)) for t, n in ((6, I), (7, 1), (7, O)))


def test_each_source_is_read_to_its_own_end(rng):
    """Runs in a batch are those alone to the last bit; losses and gradients are their means."""
    net, source, x, y = ragged(rng)
    own = [3, 7, 7, 2, 5]
    ds = rd.run(net, (source, x), lengths=(ENDS, own))
    pairs = [((s[:n], a[:m]), b[:m]) for s, n, a, b, m in zip(source, ENDS, x, y, own, strict=True)]
    for k, (inputs, _) in enumerate(pairs):
        assert bits(ds.state.values[k, : own[k]]) == bits(rd.run(net, inputs).state.values)
        assert np.isnan(ds.state.values[k, own[k] :]).all()
    value, gradients = rd.value_and_grad(net, (source, x), y, lengths=(ENDS, own))
    alone = [rd.value_and_grad(net, *pair) for pair in pairs]
    assert value == pytest.approx(np.mean([v for v, _ in alone]), rel=1e-14)
    for name, array in gradients.arrays().items():
        assert relative_error(array, np.mean([g.arrays()[name] for _, g in alone], axis=0)) < 1e-13, name
    whole = rd.run(net, (source, x), lengths=(ENDS, None))
    assert bits(whole.state.values[1]) == bits(rd.run(net, (source[1, :2], x[1])).state.values)
    assert bits(rd.run(net, (source, x), lengths=([6] * 5, None)).state.values) == bits(
        rd.run(net, (source, x)).state.values
    )


def test_plain_lengths_are_the_decoders(net, rng):
    """Of a batch of two as well, where two numbers could be taken for a pair."""
    source, x = rng.standard_normal((2, 6, I)), rng.standard_normal((2, 7, 1))
    plain, pair = (rd.run(net, (source, x), lengths=n).output.values for n in ([4, 7], (None, [4, 7])))
    assert bits(plain) == bits(pair) and np.isnan(plain[0, 4:]).all() and not np.isnan(plain[1]).any()


def test_ragged_sources_are_those_of_packed_sequences(rng):
    """Loss and gradients of PyTorch, whose encoder reads a packed sequence; 1e-12 as for every other gradient."""
    torch = pytest.importorskip("torch")
    net, source, x, y = ragged(rng)
    encoder, decoder = rd.to_torch(net.encoder), rd.to_torch(net.decoder)
    options = {"batch_first": True, "enforce_sorted": False}
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(source), torch.tensor(ENDS), **options)
    loss = 0.5 * (decoder(torch.tensor(x), encoder(packed)[1]) - torch.tensor(y)).square().sum() / len(y)
    loss.backward()
    for checkpoint in (None, 3):
        value, gradients = rd.value_and_grad(net, (source, x), y, lengths=(ENDS, None), checkpoint=checkpoint)
        assert value == pytest.approx(loss.item(), rel=1e-13)
        for part, rnn in (("encoder", encoder), ("decoder", decoder.rnn)):
            for layer in range(2):
                for ours, theirs in (("W_xh", "weight_ih"), ("W_hh", "weight_hh"), ("b_h", "bias_ih")):
                    wanted = getattr(rnn, f"{theirs}_l{layer}").grad.numpy()
                    assert relative_error(gradients.arrays()[f"{part}.{layer}.{ours}"], wanted) < 1e-12


@pytest.mark.parametrize("lengths", [None, ([], [])])
def test_no_sequences_cost_nothing(net, lengths):
    value, gradients = rd.value_and_grad(
        net, (np.zeros((0, 3, I)), np.zeros((0, 4, 1))), np.zeros((0, 4, O)), lengths=lengths
    )
    assert value == 0.0 and all((array == 0).all() for array in gradients.arrays().values())


def test_training_takes_ragged_sources_along(rng):
    net, source, x, y = ragged(rng)
    alone = [rd.value_and_grad(net, (s[:n], a), b)[0] for s, n, a, b in zip(source, ENDS, x, y, strict=True)]
    data = {"inputs": (source, x), "targets": y, "lengths": (ENDS, None)}
    options = {"steps": 5, "batch_size": 1, "optimizer": rd.SGD(0.0), "rng": 0, "validation": data}
    history = rd.train(net, **data, **options)[1]
    assert sorted(history.loss.values) == sorted(alone)
    assert np.allclose(history.validation_loss, np.mean(alone), rtol=1e-14)


def test_as_an_object(net, tmp_path):
    rd.save(net, tmp_path / "net.safetensors")
    assert rd.load(tmp_path / "net.safetensors") == net != net.replace(encoder=net.encoder.replace(b_h=None))
    assert net.astype("float32").encoder.dtype == np.float32
    assert rd.EncoderDecoder(net.encoder.astype("float32"), net.decoder).encoder.dtype == np.float64
    assert {name.partition(".")[0] for name in net.arrays()} == {"encoder", "decoder"}


PLAIN = rd.LSTM.random(H, I, rng=0)


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ((np.eye(2), PLAIN), TypeError, "encoder is a ndarray"),
        ((PLAIN, rd.Bidirectional.random(H, I, rng=0)), TypeError, "decoder is a Bidirectional"),
        ((PLAIN, rd.Stack([rd.Bidirectional.random(2, I, rng=0)])), TypeError, "decoder has a Bidirectional"),
        ((rd.LSTM.random(H, rng=0), PLAIN), ValueError, "encoder has no inputs"),
        ((rd.LSTM.random(H, I, O, rng=0), PLAIN), ValueError, "encoder has a read-out"),
        ((rd.Elman.random(H, I, rng=0), PLAIN), ValueError, "encoder has 5 state variables, decoder 10"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, error, message):
    with pytest.raises(error, match=message):
        rd.EncoderDecoder(*parts)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (np.zeros((2, 3, 1)), TypeError, "a pair"),
        ((np.zeros((2, 3, 1)), np.zeros((2, 3, 1))), ValueError, r"inputs\[0\] has shape"),
        ((np.zeros((2, 0, I)), np.zeros((2, 3, 1))), ValueError, r"inputs\[0\] has no times"),
        ((np.zeros((2, 3, I)), np.zeros((4, 3, 1))), ValueError, r"inputs\[0\] has 2 sequences, inputs\[1\] 4"),
    ],
)
def test_inputs_that_are_no_pair_are_named(net, inputs, error, message):
    with pytest.raises(error, match=message):
        rd.run(net, inputs)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (([0, 3], None), r"lengths\[0\]\[0\] is 0: at least 1 is wanted"),
        (([1, 4], None), r"lengths\[0\]\[1\] is 4: at most 3"),
        (([1, 2, 3], None), r"lengths\[0\] has shape \(batch=3\), wanted \(batch=2\)"),
        (([1, 2], [5, 6]), r"lengths\[1\]\[1\] is 6: at most 5"),
        ([5, 6], r"lengths\[1\] is 6: at most 5"),
    ],
)
def test_wrong_lengths_are_named(net, lengths, message):
    with pytest.raises(ValueError, match=message):
        rd.run(net, (np.zeros((2, 3, I)), np.zeros((2, 5, 1))), lengths=lengths)


def test_an_encoder_that_looks_ahead_reads_sources_of_one_length():
    encoder = rd.Stack([rd.Bidirectional.random(2, I, rng=0), rd.Elman.random(6, 4, rng=1)])
    net = rd.EncoderDecoder(encoder, rd.Elman.random(10, 1, rng=2))
    inputs = np.zeros((2, 3, I)), np.zeros((2, 5, 1))
    assert rd.run(net, inputs).hidden.shape == (2, 5, 10)
    with pytest.raises(ValueError, match=r"lengths\[0\] with an encoder that looks ahead"):
        rd.run(net, inputs, lengths=([1, 2], None))


def test_it_is_no_single_system(net):
    with pytest.raises(TypeError, match=r"analyse its \.decoder"):
        rd.lyapunov_spectrum(net)
    with pytest.raises(TypeError, match=r"analyse its .encoder or .decoder"):
        analyze(net)
    with pytest.raises(ValueError, match="initial_state with an EncoderDecoder"):
        rd.run(net, (np.zeros((3, I)), np.zeros((3, 1))), initial_state=np.zeros(2 * H))
