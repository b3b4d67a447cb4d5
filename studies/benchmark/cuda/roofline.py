"""The least time that a card needs: operations and bytes, counted, by its limits."""

from studies.benchmark.problem import GATES, products
from studies.benchmark.searches import STARTS
from studies.benchmark.spectra import operations

# Units of a multiprocessor for float32 and float64, by compute capability: NVIDIA's programming guide, throughput of
# native arithmetic instructions.
UNITS = {
    (7, 0): (64, 32),
    (7, 5): (64, 2),
    (8, 0): (64, 32),
    (8, 6): (128, 2),
    (8, 9): (128, 2),
    (9, 0): (128, 64),
    (10, 0): (128, 64),
    (12, 0): (128, 2),
}
SIZES = {"float32": 4, "float64": 8}


def limits(device) -> dict[str, float] | None:
    """What a device can do by what it says of itself; None if its units are not known, or it does not say.

    By dtype the operations a second, a multiplication and an addition each unit and clock, without tensor cores; under
    "memory" the bytes a second, at two transfers a clock.
    """
    clock, memory_clock = 1e3 * device.CLOCK_RATE, 1e3 * device.MEMORY_CLOCK_RATE
    units = UNITS.get(tuple(device.compute_capability))
    if not (units and clock and memory_clock):
        return None
    single, double = (2.0 * count * device.MULTIPROCESSOR_COUNT * clock for count in units)
    return {"float32": single, "float64": double, "memory": 2 * memory_clock * device.GLOBAL_MEMORY_BUS_WIDTH / 8}


def pass_bytes(cell: str, H: int, B: int, T: int, mode: str, dtype: str = "float32") -> int:
    """Bytes that any program moves, with I = H: weights, inputs, states, and where asked for slopes and gradients."""
    weights, sequences = 2 * GATES[cell] * H * H, B * T * H
    return SIZES[dtype] * {"forward": weights + 2 * sequences, "both": 2 * weights + 3 * sequences}[mode]


def ensemble_bytes(cell: str, H: int, networks: int, B: int, T: int) -> int:
    """Bytes that any program moves, in float32 and with I = H: weights and states of each network, inputs once."""
    return SIZES["float32"] * (networks * (2 * GATES[cell] * H * H + B * T * H) + B * T * H)


def spectrum_bytes(N: int, k: int, networks: int) -> int:
    """Bytes that any program moves, in float64: weights once, frames in and out."""
    return 8 * networks * (N * N + 2 * N * k)


def share(seconds: float, flops: int, moved: int, card: dict[str, float] | None, dtype: str) -> float | None:
    """Least time over the time taken; None for a card whose limits are not known."""
    return None if card is None else max(flops / card[dtype], moved / card["memory"]) / seconds


def pass_share(row: dict, T: int, card: dict[str, float] | None) -> float | None:
    """Share of one row of the passes."""
    setting = row["cell"], row["H"], row["B"], T, row["mode"]
    moved = pass_bytes(*setting, row["dtype"])
    return share(row["seconds"]["rnndyn"], products(*setting), moved, card, row["dtype"])


def ensemble_share(row: dict, card: dict[str, float] | None) -> float | None:
    """Share of one row of the ensembles."""
    cell, H, networks, B, T = (row[name] for name in ("cell", "H", "networks", "B", "steps"))
    flops, moved = networks * products(cell, H, B, T, "forward"), ensemble_bytes(cell, H, networks, B, T)
    return share(row["seconds"]["rnndyn"], flops, moved, card, "float32")


def search_share(row: dict, card: dict[str, float] | None) -> float | None:
    """Share of one row of the searches, by the products with weights that Newton's steps need, whatever solves them."""
    kind, units = row["network"].split("_")
    weights = GATES[{"tanh": "RNN", "gru": "GRU"}[kind]] * int(units) ** 2
    moved = SIZES["float64"] * (weights + 2 * STARTS * int(units))
    return share(row["seconds"]["rnndyn"], 2 * weights * row["products"], moved, card, "float64")


def spectrum_share(row: dict, card: dict[str, float] | None) -> float | None:
    """Share of one row of the spectra."""
    setting = row["N"], row["k"], row["networks"]
    flops = operations(*setting, row["steps"])
    return share(row["seconds"]["rnndyn"], flops, spectrum_bytes(*setting), card, "float64")
