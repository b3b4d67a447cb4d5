"""The least time that a card needs: operations and bytes, counted, by its limits."""

from studies.benchmark.problem import GATES, products
from studies.benchmark.spectra import operations

# Operations a second in float32 and float64 without tensor cores, and bytes a second, of NVIDIA's data sheets.
CARDS = {
    "H200": (67e12, 34e12, 4.8e12),
    "H100 PCIe": (51e12, 26e12, 2.0e12),
    "H100 80GB HBM3": (67e12, 34e12, 3.35e12),
    "A100-SXM4-80GB": (19.5e12, 9.7e12, 2.04e12),
}
SIZES = {"float32": 4, "float64": 8}


def pass_bytes(cell: str, H: int, B: int, T: int, mode: str, dtype: str = "float32") -> int:
    """Bytes that any program moves, with I = H: weights, inputs, states, and where asked for slopes and gradients."""
    weights, sequences = 2 * GATES[cell] * H * H, B * T * H
    return SIZES[dtype] * {"forward": weights + 2 * sequences, "both": 2 * weights + 3 * sequences}[mode]


def spectrum_bytes(N: int, k: int, networks: int) -> int:
    """Bytes that any program moves, in float64: weights once, frames in and out."""
    return 8 * networks * (N * N + 2 * N * k)


def limits(card: str, dtype: str) -> tuple[float, float] | None:
    """Operations and bytes a second of a card; None if it is not known."""
    for name, (single, double, memory) in CARDS.items():
        if name in card:
            return (single if dtype == "float32" else double), memory
    return None


def share(seconds: float, flops: int, moved: int, card: str, dtype: str) -> float | None:
    """Least time over the time taken; None for a card that is not known."""
    found = limits(card, dtype)
    return None if found is None else max(flops / found[0], moved / found[1]) / seconds


def pass_share(row: dict, T: int, card: str) -> float | None:
    """Share of one row of the passes."""
    setting = row["cell"], row["H"], row["B"], T, row["mode"]
    moved = pass_bytes(*setting, row["dtype"])
    return share(row["seconds"]["rnndyn"], products(*setting), moved, card, row["dtype"])


def spectrum_share(row: dict, card: str) -> float | None:
    """Share of one row of the spectra."""
    setting = row["N"], row["k"], row["networks"]
    flops = operations(*setting, row["steps"])
    return share(row["seconds"]["rnndyn"], flops, spectrum_bytes(*setting), card, "float64")
