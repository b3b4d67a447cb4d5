"""Where the passes of the networks run: on the processor, or within ``with running_on("cuda"):`` on a GPU."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar

from rnndyn.errors import DeviceError

DEVICES = ("cpu", "cuda", "auto")
_device: ContextVar[str] = ContextVar("device", default="cpu")


def resolve(device):
    """Name of the device that ``device`` means here, ``"cpu"`` or ``"cuda"``.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU where one can be used.

    Raises
    ------
    DeviceError
        For ``"cuda"`` where no GPU can be used, with the reason and the remedy.
    ValueError
        For any other name.
    """
    if device not in DEVICES:
        raise ValueError(f"device is {device!r}: 'cpu', 'cuda' or 'auto' is wanted")
    if device == "cpu":
        return device
    from rnndyn.kernels.cuda.device import problem  # imports CUDA

    reason = problem()
    if reason is not None and device == "cuda":
        raise DeviceError(f"device='cuda': {reason}")
    return "cpu" if reason else "cuda"


def resolve_for(device, able, what):
    """Name of the device that ``device`` means for something that a GPU may not be able to do.

    Parameters
    ----------
    device : str
        As in :func:`resolve`; ``"auto"`` means the processor where a GPU is not able.
    able : bool
        Whether there are kernels for it.
    what : str
        What it is, for the message.

    Raises
    ------
    DeviceError
        For ``"cuda"``, where no GPU can be used or it is not able.
    ValueError
        For any other name.
    """
    if device == "cuda" and not able:
        raise DeviceError(f"device='cuda': {what} runs on the processor only; use device='cpu' or 'auto'")
    return resolve(device if able or device not in DEVICES else "cpu")


@contextmanager
def running_on(device):
    """Run the passes within on a device; gives its name, as :func:`resolve` does."""
    name = resolve(device)
    before = _device.set(name)
    try:
        yield name
    finally:
        _device.reset(before)


def on_gpu():
    """Whether the passes run on a GPU."""
    return _device.get() == "cuda"


def processor_only(what):
    """Raise DeviceError where a GPU was asked for something that has kernels for the processor only."""
    if on_gpu():
        raise DeviceError(f"device='cuda': {what} runs on the processor only; use device='cpu'")
