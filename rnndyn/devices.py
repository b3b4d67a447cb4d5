"""Where the passes of the networks run: on the processor, or within ``with running_on("cuda"):`` on a GPU."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar

from rnndyn.errors import DeviceError
from rnndyn.networks.recurrent import CellNetwork

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


def device_for(device, net):
    """Name of the device that ``device`` means for the passes of a network.

    Parameters
    ----------
    device : str
        As in :func:`resolve_for`.
    net : Network
        A GPU is able if every part of it is a network of one cell.
    """
    lacking = [leaf for leaf in leaves(net) if not isinstance(leaf, CellNetwork)]
    return resolve_for(device, not lacking, f"a {type(lacking[0] if lacking else net).__name__}")


def leaves(net):
    """Networks that a network is made of in the end; itself, if it has no parts."""
    parts = net.parts().values()
    return [leaf for part in parts for leaf in leaves(part)] if parts else [net]


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
