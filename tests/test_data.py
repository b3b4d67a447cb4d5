"""What ships in data/ is what its README says: checksums, and the losses by rnndyn itself."""

import hashlib
import re

import numpy as np
import pytest

import rnndyn as rd


def test_checksums(networks_folder):
    stated = dict(
        re.findall(r"^    ([0-9a-f]{64})  (\S+)$", (networks_folder / "README.md").read_text(), flags=re.MULTILINE)
    )
    kept = [path for pattern in ("*.npz", "*.safetensors") for path in networks_folder.rglob(pattern)]
    files = {path.relative_to(networks_folder).as_posix() for path in kept}
    assert files == set(stated.values())
    for digest, file in stated.items():
        assert hashlib.sha256((networks_folder / file).read_bytes()).hexdigest() == digest, file


@pytest.mark.compiled
@pytest.mark.parametrize("cell", ["tanh", "gru", "lstm"])
def test_losses(networks_folder, cell):
    readme = (networks_folder / "README.md").read_text()
    stated = float(re.search(rf"flip_flop_{cell}\.safetensors` .*\| (\S+) \|", readme)[1])
    test = np.load(networks_folder / "flip_flop_inputs.npz")
    net = rd.load(networks_folder / f"flip_flop_{cell}.safetensors")
    outputs = rd.run(net, test["inputs"]).output.values
    assert np.mean((outputs - test["targets"]) ** 2) == pytest.approx(stated, rel=1e-3)
