"""Time constants against their defining equations, and the edges."""

import numpy as np
import pytest

import rnndyn as rd

SHARE = {
    "exact": lambda tau, dt: np.exp(-dt / tau),
    "euler": lambda tau, dt: 1 - dt / tau,
    "trapezoid": lambda tau, dt: (1 - dt / (2 * tau)) / (1 + dt / (2 * tau)),
    "backward_euler": lambda tau, dt: 1 / (1 + dt / tau),
}
every_convention = pytest.mark.parametrize("convention", SHARE)


@every_convention
def test_the_time_constant_gives_the_share_back(convention):
    tau = np.geomspace(0.03, 30, 50)
    share = SHARE[convention](tau, 0.02)
    # The share is rounded once, and 1 - share has lost the digits that share and 1 have in common.
    assert np.abs(rd.time_constant(share, 0.02, convention) / tau - 1).max() < 4e-16 / (1 - share.max())


def test_the_forget_gate_of_the_documents():
    """Dt = 0.02 s, f = 0.95: in 40 digits -0.02 / ln 0.95 = 0.3899145149244734..., and its decay."""
    tau = rd.time_constant(0.95, 0.02)
    assert tau == pytest.approx(0.38991451492447343, rel=1e-15)
    values = [rd.time_constant(0.95, 0.02, name) for name in ("euler", "trapezoid", "backward_euler")]
    assert values == pytest.approx([0.4, 0.39, 0.38], rel=1e-14)
    assert 0.95 ** (tau * np.log(2) / 0.02) == pytest.approx(0.5, rel=1e-14)


@every_convention
def test_what_is_kept_for_ever_and_what_is_lost_at_once(convention):
    at_once = {"exact": 0.0, "euler": 2.0, "trapezoid": 1.0, "backward_euler": 0.0}
    assert rd.time_constant(1.0, 2.0, convention) == np.inf
    at_zero = rd.time_constant([0, 1], 2.0, convention)
    assert at_zero.tolist() == [at_once[convention], np.inf] and not np.signbit(at_zero).any()
    assert isinstance(rd.time_constant(0.0, 2.0, convention), float)


@every_convention
def test_all_agree_for_short_steps(convention):
    assert rd.time_constant(1 - 1e-6, 1e-6, convention) == pytest.approx(1.0, rel=2e-6)


def test_arrays_keep_their_shape_and_dtype():
    f = np.full((2, 3), 0.5, np.float32)
    tau = rd.time_constant(f, 1.0)
    assert tau.shape == (2, 3) and tau.dtype == np.float32
    assert tau == pytest.approx(1 / np.log(2), rel=2e-7)
    assert rd.time_constant(np.empty(0), 1.0).shape == (0,)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((-0.1, 1.0), "f is -0.1: a share from 0 to 1"),
        (([0.5, 1.5], 1.0), r"f\[1\] is 1.5"),
        ((np.nan, 1.0), "f holds nan"),
        ((0.5, 0.0), "dt is 0.0"),
        ((0.5, 1.0, "implicit"), "convention is 'implicit'"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        rd.time_constant(*arguments)
