"""Arrays that an optimiser treats alike go as one."""

import pytest
from cases import bits

import rnndyn as rd
from rnndyn.training.joined import Joined


class Own(rd.SGD):
    """An optimiser that may look at each array by itself."""


def network(dtype="float64"):
    return rd.Stack([rd.LSTM.random(3, 2, rng=0, dtype=dtype), rd.GRU.random(4, 3, 2, rng=1, dtype=dtype)])


@pytest.mark.parametrize(
    ("optimizer", "count"),
    [
        (rd.SGD(0.1), 1),
        (rd.Adam(), 1),
        (rd.Adam(weight_decay=0.1), 2),  # biases have none
        (rd.SGD(0.1, weight_decay=0.1, recurrent_decay=0.1), 3),
        (Own(0.1), None),
    ],
    ids=str,
)
def test_arrays_are_joined_that_are_treated_alike(optimizer, count):
    arrays = network().arrays()
    joined = Joined(optimizer, arrays)
    together = joined.join(arrays)
    assert len(together) == (count or len(arrays))
    assert set(together) <= set(arrays)
    assert sum(array.size for array in together.values()) == sum(array.size for array in arrays.values())
    back = joined.split(together)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].shape == array.shape and bits(back[name]) == bits(array)


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.02}, {"weight_decay": 0.02, "recurrent_decay": 0.01}], ids=str
)
@pytest.mark.parametrize("kind", [rd.SGD, rd.Adam])
def test_joined_steps_have_the_bits_of_single_ones(kind, options, rng):
    class Single(kind):
        """The same steps, array by array."""

    x, y = rng.standard_normal((4, 6, 2)), rng.standard_normal((4, 6, 2))
    trained = [
        rd.train(network(), x, y, steps=5, optimizer=each(0.05, **options), clip_value=0.5)[0]
        for each in (kind, Single)
    ]
    assert trained[0] == trained[1]
    assert trained[0].content_hash() == trained[1].content_hash()
