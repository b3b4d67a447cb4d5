"""The command line: what it writes, what it says, and how it takes mistakes."""

import re
import subprocess
import sys

import numpy as np
import pytest
import synthetic

import rnndyn as rd
from rnndyn.cli import main


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    rd.save(rd.GRU.random(4, 2, 1, rng=0), path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def refused(capsys, *argv):
    """The one line on standard error of a command that is a mistake."""
    try:
        status = main([str(a) for a in argv])
    except SystemExit as end:
        status = end.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert captured.err.startswith("rnndyn: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_analyze_writes_report_and_results(model, folder, capsys):
    assert main(["analyze", str(model), "--quick"]) == 0
    out = folder / "model-report"
    assert sorted(p.name for p in out.iterdir()) == ["report.html", "results.nc"]
    assert "run" in rd.open_results(out / "results.nc").children
    captured = capsys.readouterr()
    assert "Leading Lyapunov exponent" in captured.out
    assert "model-report" in captured.out
    assert captured.err == "", "no progress bar where nobody watches"


@pytest.mark.compiled
def test_analyze_takes_inputs_and_a_folder(model, folder, tmp_path):
    x = tmp_path / "x.npz"
    np.savez(x, inputs=np.ones((2, 12, 2), np.float32), targets=np.zeros(3))
    assert main(["analyze", str(model), "--inputs", str(x), "--out", "a/b", "--quick"]) == 0
    run = rd.open_results(folder / "a" / "b" / "results.nc")["run"]
    assert run.sizes["time"] == 12
    assert run.sizes["batch"] == 2


def test_info_tells_of_a_network(model, capsys):
    assert main(["info", str(model)]) == 0
    said = capsys.readouterr().out
    assert "GRU(hidden_size=4, input_size=2" in said
    assert "W_hh" in said
    assert re.search(r"\b[0-9a-f]{64}\b", said)


def test_info_tells_of_results(tmp_path, capsys):
    path = rd.save_results(synthetic.results(), tmp_path / "r.nc")
    assert main(["info", str(path)]) == 0
    assert "lyapunov_spectrum" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert not end.value.code
    assert capsys.readouterr().out == f"rnndyn {rd.__version__}\n"


@pytest.mark.parametrize(
    "argv", [[], ["nonsense"], ["analyze"], ["info"], ["analyze", "m", "--nonsense"], ["info", "a", "b"]]
)
def test_a_wrong_command_line(capsys, argv):
    refused(capsys, *argv)


@pytest.mark.parametrize("command", ["analyze", "info"])
def test_a_missing_file(capsys, folder, command):
    assert "absent.safetensors" in refused(capsys, command, "absent.safetensors")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("command", ["analyze", "info"])
@pytest.mark.parametrize(
    "contents", [b"", b"nonsense", b"\x80\x04pickle", b"\xff" * 64, b"\x89HDF\r\n\x1a\n" + b"\0" * 200]
)
def test_a_file_that_is_neither(capsys, folder, command, contents):
    path = folder / "broken.safetensors"
    path.write_bytes(contents)
    refused(capsys, command, path)


def test_a_folder_is_no_file(capsys, folder):
    assert "not a file" in refused(capsys, "info", folder)


def test_a_damaged_result(capsys, tmp_path):
    path = rd.save_results(synthetic.training(), tmp_path / "r.nc")
    path.write_bytes(path.read_bytes()[:-500])
    assert "r.nc" in refused(capsys, "info", path)


def test_inputs_that_are_not_there_or_no_npz(capsys, model, tmp_path, folder):
    assert "absent.npz" in refused(capsys, "analyze", model, "--inputs", tmp_path / "absent.npz")
    for contents in (b"", b"nonsense", b"PK\x03\x04nonsense"):
        (tmp_path / "x.npz").write_bytes(contents)
        assert "x.npz" in refused(capsys, "analyze", model, "--inputs", tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", a=np.zeros((3, 2)), b=np.zeros((3, 2)))
    assert 'called "inputs"' in refused(capsys, "analyze", model, "--inputs", tmp_path / "x.npz")
    assert not list(folder.iterdir()), "a mistake leaves nothing behind"


@pytest.mark.parametrize("inputs", [np.zeros((5, 3)), np.full((5, 2), np.nan), np.array(["a"]), np.zeros((0, 2))])
def test_inputs_that_do_not_fit(capsys, model, tmp_path, folder, inputs):
    np.savez(tmp_path / "x.npz", inputs)
    assert "inputs" in refused(capsys, "analyze", model, "--inputs", tmp_path / "x.npz", "--quick")


def test_a_folder_that_cannot_be_made(capsys, model, folder):
    (folder / "taken").touch()
    assert "taken" in refused(capsys, "analyze", model, "--out", "taken", "--quick")


def test_python_dash_m(tmp_path):
    command = [sys.executable, "-m", "rnndyn", "info", "absent"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "rnndyn: error: absent: there is no such file\n"
