"""Studies: what the package measures, set against theory or against other programs.

`python -m studies` lists them, `python -m studies NAME [--quick] [--out DIR]` runs one. A study is a package here. Its
docstring begins with one line of description, and it has three functions:

`run(quick, **options) -> dict`
    Measures. Plain numbers, strings, lists and dicts come back, as they are written to `results.json`.
`compare(results) -> str`
    The measured beside the expected, as Markdown; printed, and written to `comparison.md`.
`plot(results) -> matplotlib.figure.Figure`
    The figure, written to `figure.svg`.

A study with options of its own also has `add_arguments(parser)`.
"""
