"""Train small 3-bit flip-flop networks with rnndyn itself, the task and the test inputs being those of train.py.

    python data/networks/train_here.py              # all three networks, into data/networks/here
    python data/networks/train_here.py tanh --out . # one of them

Every number is drawn from --seed, and the number of threads changes no bit, so a run can be repeated to the last bit on
the same processor type and versions.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

import rnndyn as rd

FOLDER = Path(__file__).parent
CELLS = {"tanh": rd.Elman, "gru": rd.GRU, "lstm": rd.LSTM}
UNITS, CHANNELS = 16, 3
SEQUENCES, LENGTH, BATCH, UPDATES, CLIP = 2048, 100, 64, 2000, 1.0
RATE = rd.schedules.Step((0.01, 0.003, 0.001), at=(1200, 1700))


def train(name, seed):
    """Train one network."""
    inputs, targets, _ = rd.tasks.flip_flop(seed, batch=SEQUENCES, steps=LENGTH, bits=CHANNELS)
    net = CELLS[name].random(UNITS, CHANNELS, CHANNELS, recurrent="orthogonal", rng=seed, dtype="float32")
    options = {"batch_size": BATCH, "clip_norm": CLIP, "rng": seed, "progress": True}
    return rd.train(net, inputs, targets, steps=UPDATES, optimizer=rd.Adam(RATE), **options)[0]


def test_loss(net):
    """Mean squared error on the fixed test sequences."""
    test = np.load(FOLDER / "flip_flop_inputs.npz")
    return float(np.mean((rd.run(net, test["inputs"]).output.values - test["targets"]) ** 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choices = f"any of {', '.join(CELLS)}; default: all"
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=choices)
    parser.add_argument("--out", type=Path, default=FOLDER / "here", metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if unknown := set(arguments.networks) - set(CELLS):
        parser.error(f"no network named {', '.join(sorted(unknown))}; there are {', '.join(CELLS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.networks or CELLS:
        net = train(name, arguments.seed)
        path = arguments.out / f"flip_flop_{name}_{UNITS}.safetensors"
        rd.save(net, path)
        print(f"{name:5s} test loss {test_loss(net):.3e}")
        print(hashlib.sha256(path.read_bytes()).hexdigest(), f"{path.stat().st_size:7d}", path.name)


if __name__ == "__main__":
    main()
