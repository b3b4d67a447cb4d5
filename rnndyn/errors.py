"""Errors of the package's own."""


class DeviceError(RuntimeError):
    """A device was asked for that this machine cannot serve; nothing falls back silently."""


def check_device(device):
    """Raise unless ``device`` can run the kernels.

    Parameters
    ----------
    device : str
        ``"cpu"``.

    Raises
    ------
    DeviceError
        For ``"cuda"``: this release has kernels for the processor only.
    ValueError
        For any other name.
    """
    if device == "cuda":
        raise DeviceError("device='cuda': this release of rnndyn has no CUDA kernels; use device='cpu'")
    if device != "cpu":
        raise ValueError(f"device is {device!r}: 'cpu' or 'cuda' is wanted")
