"""The command `python -m studies`."""

import argparse
import ast
import importlib
import json
import pkgutil
import sys
from pathlib import Path

import studies
from rnndyn.errors import DeviceError
from rnndyn.plot.style import look


def names() -> list[str]:
    """The studies that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(studies.__path__) if module.ispkg)


def listing() -> str:
    """One line a study: its name and what it shows."""
    folder = Path(studies.__file__).parent
    sources = {name: (folder / name / "__init__.py").read_text() for name in names()}
    docs = {name: ast.get_docstring(ast.parse(source)) or "" for name, source in sources.items()}
    return "\n".join(f"{name:15s} {doc.splitlines()[0]}" for name, doc in docs.items())


def write(study, results: dict, folder: Path) -> None:
    """Write results, comparison and figure into the folder, and print the comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    text = study.compare(results)
    (folder / "comparison.md").write_text(text + "\n")
    with look():
        study.plot(results).savefig(folder / "figure.svg", bbox_inches="tight")
    print(text)
    print(f"\nWritten to {folder}: results.json, comparison.md, figure.svg")


def main(argv: list[str] | None = None) -> int:
    """List the studies, or run one; the exit status comes back."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m studies", description="List the studies, or run one.", add_help=False
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the study to run; without it, all are listed")
    parser.add_argument("--quick", action="store_true", help="small sizes: see that it works, not what it shows")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for figure and results (default: results/NAME)")
    name = parser.parse_known_args(argv)[0].name
    if name is not None and name not in names():
        print(f"python -m studies: no study is named {name!r}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    study = importlib.import_module(f"studies.{name}") if name else None
    if hasattr(study, "add_arguments"):
        study.add_arguments(parser)
    parser.add_argument("-h", "--help", action="help", help="show this text")
    options = vars(parser.parse_args(argv))
    out = options.pop("out")
    if study is None:
        print(listing())
        return 0
    try:
        results = study.run(options.pop("quick"), **{k: v for k, v in options.items() if k != "name"})
    except DeviceError as error:
        print(f"python -m studies: {error}", file=sys.stderr)
        return 2
    write(study, results, out or Path("results") / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
