"""Errors of the package's own."""


class DeviceError(RuntimeError):
    """A device was asked for that this machine cannot serve; nothing falls back silently."""


def check_device(device):
    """Raise unless ``device`` can run an analysis that has kernels for the processor only.

    Parameters
    ----------
    device : str
        ``"cpu"``, or ``"auto"``, which is the same here.

    Raises
    ------
    DeviceError
        For ``"cuda"``.
    ValueError
        For any other name.
    """
    if device == "cuda":
        raise DeviceError(
            "device='cuda': only run, value_and_grad, train, lyapunov_spectrum, finite_time_exponents, fixed_points "
            "and jacobian_products have kernels for a GPU; use device='cpu' or 'auto' here"
        )
    if device not in ("cpu", "auto"):
        raise ValueError(f"device is {device!r}: 'cpu' or 'auto' is wanted")
