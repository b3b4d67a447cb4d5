"""`rnndyn analyze` and `rnndyn info`: the package from the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

FAULT = 2  # exit status of a user's mistake


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process if left out.

    Returns
    -------
    int
        Exit status: 0, or 2 after a user's mistake, which is one line on standard error.

    Examples
    --------
    >>> import contextlib, io, sys
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     main(["info", "no such file"])
    rnndyn: error: no such file: there is no such file
    2
    """
    try:
        arguments = _parser().parse_args(argv)
        return arguments.command(arguments) or 0
    except (ValueError, TypeError, OSError) as fault:
        return _complain(_one_line(fault))
    except KeyboardInterrupt:
        return _complain("interrupted")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message):
        sys.exit(_complain(message))


def _parser():
    from rnndyn import __version__

    parser = _Parser(prog="rnndyn", description="Recurrent networks as dynamical systems that can be measured.")
    parser.add_argument("--version", action="version", version=f"rnndyn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    analyze = commands.add_parser("analyze", help="measure a network and write a report")
    analyze.add_argument("model", metavar="MODEL", type=Path, help="a network saved as safetensors")
    analyze.add_argument(
        "--inputs", metavar="X.npz", type=Path, help='its array "inputs" (B,T,I) or (T,I) drives the network'
    )
    analyze.add_argument("--out", metavar="DIR", type=Path, help="folder of the report (default: <MODEL>-report)")
    analyze.add_argument("--quick", action="store_true", help="a first look: fewer starts, shorter runs")
    analyze.set_defaults(command=_analyze)
    info = commands.add_parser("info", help="say what a network or results file holds")
    info.add_argument("file", metavar="FILE", type=Path)
    info.set_defaults(command=_info)
    return parser


def _analyze(arguments):
    from rnndyn.analyze import STAGES, analyze
    from rnndyn.io.inputs import read_inputs
    from rnndyn.io.results import save_results
    from rnndyn.io.safetensors import load
    from rnndyn.report import write_report
    from rnndyn.summary import headline

    net = load(_existing(arguments.model))
    inputs = None if arguments.inputs is None else read_inputs(arguments.inputs)
    out = arguments.out or Path(f"{arguments.model.stem}-report")
    out.mkdir(parents=True, exist_ok=True)
    with _progress(len(STAGES) + 1) as progress:
        results = analyze(net, inputs, quick=arguments.quick, progress=progress)
        progress("report")
        save_results(results, out / "results.nc")
        write_report(results, net, out / "report.html")
    _show(headline(results, net), results)
    print(f"\n{out / 'report.html'}\n{out / 'results.nc'}")


def _info(arguments):
    from rnndyn.io.results import is_results, open_results
    from rnndyn.io.safetensors import load

    path = _existing(arguments.file)
    if is_results(path):
        print(open_results(path))
        return
    net = load(path)
    print(repr(net))
    for name, array in net.arrays().items():
        print(f"  {name:<16} {array.shape!s:<14} {array.dtype}")
    print(f"  {net.content_hash()}")


def _existing(path):
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if not path.is_file():
        raise ValueError(f"{path}: not a file")
    return path


class _progress:
    """A bar over the stages on standard error, where that is a terminal."""

    def __init__(self, total):
        from tqdm import tqdm

        self.bar = tqdm(
            total=total, leave=False, disable=not sys.stderr.isatty(), bar_format="{desc:<18} {bar} {elapsed}"
        )
        self.begun = False

    def __call__(self, stage):
        self.bar.update(int(self.begun))
        self.begun = True
        self.bar.set_description_str(stage.replace("_", " "))

    def __enter__(self):
        return self

    def __exit__(self, *fault):
        self.bar.close()


def _show(numbers, results):
    from rnndyn.summary import caveats

    for number in numbers:
        print(f"{number.name + ':':<28} {number.value}" + (f"  ({number.note})" if number.note else ""))
    for name, ds in results.items():
        if "omitted" in ds.attrs:
            print(f"{name + ':':<28} left out: {ds.attrs['omitted']}")
        for text in caveats(ds):
            print(f"caveat, {name + ':':<20} {text}")


def _complain(message):
    print(f"rnndyn: error: {message}", file=sys.stderr)
    return FAULT


def _one_line(fault):
    if isinstance(fault, OSError) and fault.strerror:
        return f"{fault.filename}: {fault.strerror}" if fault.filename else fault.strerror
    return " ".join(str(fault).split()) or type(fault).__name__
