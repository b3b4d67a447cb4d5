"""Train the 3-bit flip-flop networks that ship with rnndyn, and draw the fixed test inputs.

The task: each of three channels carries sparse pulses of +1 or -1; the matching output holds the sign of the last pulse
on its channel. At the first step every channel has a pulse, so the target is defined from the start. A network that
solves the task has a memory of three bits: eight stable fixed points and the saddles between them.

    python data/networks/train.py              # all three networks and the inputs, into this folder
    python data/networks/train.py tanh --out . # one of them
    python data/networks/train.py tanh_16 tanh_64 tanh_128 tanh_256 gru_16 gru_64 gru_128 --out data/networks/sizes

Needs PyTorch, NumPy and safetensors. Every number is drawn from --seed and the work runs on one thread, so a run can be
repeated to the last bit on the same processor type and PyTorch version.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

CHANNELS = 3
PULSE_PROBABILITY = 0.05  # per channel and step
TRAIN_STEPS, TRAIN_BATCH = 100, 128  # length and number of the training sequences, drawn afresh at every update
TEST_STEPS, TEST_BATCH, TEST_SEED = 100, 64, 20_240_229
CELLS = {  # name of the network: PyTorch class, hidden size, updates
    "tanh": (torch.nn.RNN, 64, 4000),
    "gru": (torch.nn.GRU, 32, 4000),
    "lstm": (torch.nn.LSTM, 32, 4000),
}
SIZES = {  # of the benchmark of fixed points
    **{f"tanh_{size}": (torch.nn.RNN, size, 1500) for size in (16, 64, 128, 256)},
    **{f"gru_{size}": (torch.nn.GRU, size, 1500) for size in (16, 64, 128)},
}


class FlipFlop(torch.nn.Module):
    """A recurrent layer and a linear read-out; the state_dict has the keys rnn.* and readout.*."""

    def __init__(self, layer, hidden_size):
        super().__init__()
        self.rnn = layer(CHANNELS, hidden_size, batch_first=True)
        self.readout = torch.nn.Linear(hidden_size, CHANNELS)

    def forward(self, inputs):
        """Outputs (batch, time, channel) for inputs (batch, time, channel); the initial state is zero."""
        return self.readout(self.rnn(inputs)[0])


def flip_flop(rng, batch, steps, probability=PULSE_PROBABILITY):
    """Draw inputs (pulses) and targets (sign of the last pulse), both (batch, steps, CHANNELS) float32."""
    shape = (batch, steps, CHANNELS)
    happens = rng.random(shape) < probability
    happens[:, 0] = True
    inputs = np.where(happens, rng.choice([-1.0, 1.0], shape), 0.0).astype(np.float32)
    last = np.maximum.accumulate(np.where(happens, np.arange(steps)[:, None], 0), axis=1)
    return inputs, np.take_along_axis(inputs, last, axis=1)


def test_set():
    """The fixed test sequences, the same whatever --seed is."""
    return flip_flop(np.random.default_rng(TEST_SEED), TEST_BATCH, TEST_STEPS)


def train(name, seed, updates=None, learning_rate=3e-3):
    """Train one network with Adam, gradients clipped to norm 1 and a cosine schedule; return (module, updates done)."""
    layer, hidden_size, default_updates = (CELLS | SIZES)[name]
    updates = updates or default_updates
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = FlipFlop(layer, hidden_size)
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    started = time.perf_counter()
    for update in range(updates):
        inputs, targets = map(torch.from_numpy, flip_flop(rng, TRAIN_BATCH, TRAIN_STEPS))
        loss = torch.nn.functional.mse_loss(net(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if update % 500 == 0 or update == updates - 1:
            seconds = time.perf_counter() - started
            print(f"{name:5s} update {update:5d}  loss {loss.item():.3e}  {seconds:6.1f} s", flush=True)
    return net, updates


def test_loss(net):
    """Mean squared error on the fixed test sequences."""
    inputs, targets = map(torch.from_numpy, test_set())
    with torch.no_grad():
        return torch.nn.functional.mse_loss(net(inputs), targets).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choices = f"any of {', '.join(CELLS | SIZES)}; default: the first {len(CELLS)}, and the inputs"
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=choices)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--updates", type=int, help="number of updates, for a quick try")
    arguments = parser.parse_args()
    if unknown := set(arguments.networks) - set(CELLS | SIZES):
        parser.error(f"no network named {', '.join(sorted(unknown))}; there are {', '.join(CELLS | SIZES)}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    arguments.out.mkdir(parents=True, exist_ok=True)

    written = []
    if not arguments.networks:
        inputs, targets = test_set()
        written.append(arguments.out / "flip_flop_inputs.npz")
        np.savez_compressed(written[-1], inputs=inputs, targets=targets)
    for name in arguments.networks or CELLS:
        net, updates = train(name, arguments.seed, arguments.updates)
        loss = test_loss(net)
        notes = {"task": "3-bit flip-flop", "seed": arguments.seed, "updates": updates, "test_mse": f"{loss:.3e}"}
        notes["torch"] = torch.__version__
        written.append(arguments.out / f"flip_flop_{name}.safetensors")
        save_file(net.state_dict(), written[-1], {"origin": json.dumps(notes)})
        print(f"{name:5s} test loss {loss:.3e}")
    for path in written:
        print(hashlib.sha256(path.read_bytes()).hexdigest(), f"{path.stat().st_size:7d}", path.name)


if __name__ == "__main__":
    main()
