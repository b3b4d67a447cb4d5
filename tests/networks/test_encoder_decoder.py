"""One network after the other: runs by hand, what it is as an object, and what is refused."""

import numpy as np
import pytest
from cases import BY_NAME, bits

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


def test_it_is_no_single_system(net):
    with pytest.raises(TypeError, match=r"analyse its \.decoder"):
        rd.lyapunov_spectrum(net)
    with pytest.raises(TypeError, match=r"analyse its .encoder or .decoder"):
        analyze(net)
    with pytest.raises(ValueError, match="initial_state with an EncoderDecoder"):
        rd.run(net, (np.zeros((3, I)), np.zeros((3, 1))), initial_state=np.zeros(2 * H))
