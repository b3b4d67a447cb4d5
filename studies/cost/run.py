"""The measurements of the study."""

import numba
import numpy as np

import rnndyn as rd
from studies.tools import interleaved, machine, median

CELLS = {"Elman": rd.Elman, "GRU": rd.GRU, "LSTM": rd.LSTM}
BATCH = 16
SERIES = {  # the size that varies -> its values, and the others
    "T": ((100, 200, 400, 800, 1600), {"H": 64, "I": 64}),
    "H": ((128, 192, 256, 384, 512, 768), {"T": 20, "I": 1}),
    "I": ((512, 768, 1024, 1536, 2048), {"T": 20, "H": 64}),
}
QUICK = {
    "T": ((20, 40), {"H": 16, "I": 16}),
    "H": ((16, 32), {"T": 5, "I": 1}),
    "I": ((32, 64), {"T": 5, "H": 16}),
}


def run(quick: bool) -> dict:
    """Time `run` and `value_and_grad` along each series."""
    series = [
        measure(cell, size, values, fixed, 0.2 if quick else 8.0)
        for cell in CELLS
        for size, (values, fixed) in (QUICK if quick else SERIES).items()
    ]
    return {"machine": machine(["rnndyn", "numba", "numpy"], numba.get_num_threads()), "batch": BATCH, "series": series}


def measure(cell: str, size: str, values, fixed: dict, budget: float) -> dict:
    """Times of one cell along one series, in seconds, and T (H^2 + H I) at each point."""
    calls, expected = {}, []
    for value in values:
        sizes = fixed | {size: value}
        T, H, I = sizes["T"], sizes["H"], sizes["I"]
        rng = np.random.default_rng(0)
        net = CELLS[cell].random(H, I, rng=rng, dtype="float32")
        inputs = rng.standard_normal((BATCH, T, I), dtype=np.float32)
        targets = rng.standard_normal((BATCH, T, H), dtype=np.float32)
        calls[f"forward {value}"] = lambda net=net, inputs=inputs: rd.run(net, inputs)
        calls[f"gradient {value}"] = lambda net=net, inputs=inputs, targets=targets: rd.value_and_grad(
            net, inputs, targets
        )
        expected.append(T * (H * H + H * I))
    seconds = median(interleaved(calls, budget))
    return {
        "cell": cell,
        "size": size,
        "values": list(values),
        "fixed": fixed,
        "expected": expected,
        "forward": [seconds[f"forward {value}"] for value in values],
        "gradient": [seconds[f"gradient {value}"] for value in values],
    }
