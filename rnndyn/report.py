"""The report of an analysis: one HTML file that needs nothing else, figures inside."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from rnndyn import plot
from rnndyn.io.atomic import replacing
from rnndyn.summary import caveats, describe, headline

STYLE = """
:root { color-scheme: light; }
body { font: 17px/1.55 Charter, "Bitstream Charter", "Iowan Old Style", Cambria, Georgia, serif; color: #222;
  background: #fff; max-width: 44rem; margin: 3rem auto 5rem; padding: 0 1.2rem; }
h1 { font-size: 1.9rem; line-height: 1.2; font-weight: 600; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; font-weight: 600; margin: 3rem 0 .4rem; }
.lead { color: #555; margin: 0 0 2rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums lining-nums; }
th, td { text-align: left; vertical-align: baseline; padding: .38rem 1rem .38rem 0; border-bottom: 1px solid #e3e3e3; }
th { font-weight: 400; color: #555; width: 36%; }
td small { display: block; color: #767676; font-size: .82em; line-height: 1.35; }
figure { margin: 1rem 0 0; }
figure svg { display: block; width: 100%; max-width: 32rem; height: auto; margin: 0 auto; }
.warning, .omitted { border-left: 4px solid #D55E00; background: #fdf3ec; padding: .5rem .9rem; margin: .8rem 0; }
.omitted { border-color: #999; background: #f5f5f5; }
footer { margin-top: 4rem; color: #767676; font-size: .8rem; line-height: 1.5; overflow-wrap: anywhere; }
@media print { body { margin: 0 auto; } section { break-inside: avoid; } }
"""


class Section(NamedTuple):
    """One figure of the report: the result it shows, how it is drawn, and how it is read."""

    result: str
    title: str
    draw: Callable[[dict[str, Any]], Any]
    reading: str


SECTIONS = (
    Section(
        "run",
        "What the network does",
        lambda r: plot.run(r["run"]),
        "The first sequence of the run, component by component; settling, oscillation and irregular motion show here.",
    ),
    Section(
        "fixed_points",
        "Fixed points",
        lambda r: plot.fixed_points(r["fixed_points"], run=_usable(r, "run")),
        "Grey lines are trajectories, seen along the two directions in which they vary most; they are drawn to filled "
        "points, which are stable, and leave open ones.",
    ),
    Section(
        "fixed_points",
        "Stability",
        lambda r: plot.eigenvalues(r["fixed_points"]),
        "Each mark is an eigenvalue of the Jacobian at a fixed point: outside the circle that direction is unstable, "
        "near it slow, and off the real axis it rotates.",
    ),
    Section(
        "transitions",
        "Transitions",
        lambda r: plot.transitions(r["transitions"]),
        "A line leads from each saddle with one unstable direction to the attractors on its two sides: a kick across "
        "the saddle takes the network from one to the other. Axes are the directions in which attractors differ most.",
    ),
    Section(
        "lyapunov_spectrum",
        "Lyapunov exponents",
        lambda r: plot.lyapunov_spectrum(r["lyapunov_spectrum"]),
        "The mean rates at which small differences grow (above zero) or shrink, with bars of one standard error; one "
        "exponent above zero means chaos.",
    ),
    Section(
        "jacobian_products",
        "Memory of a perturbation",
        lambda r: plot.jacobian_products(r["jacobian_products"]),
        "How much a perturbation has grown after so many steps along the most sensitive direction (blue) and the next "
        "seven (grey); none grows beyond the dashed bound.",
    ),
    Section(
        "gradient_flow",
        "Gradient through time",
        lambda r: plot.gradient_flow(r["gradient_flow"]),
        "How strongly the last output depends on the state so many steps before it: a falling line is a vanishing "
        "gradient, a rising one explodes; the band holds all sequences.",
    ),
)


def write_report(results, net, path) -> Path:
    """Write the report of an analysis as one HTML file without links to anything outside.

    Parameters
    ----------
    results : dict of str to Dataset, or DataTree
        From `rnndyn.analyze.analyze`, or as `rnndyn.open_results` reads it; results may be missing.
    net : Network
        The network.
    path : path-like
        Where to; an older file is replaced all at once.

    Returns
    -------
    Path
        The file. Equal results give equal files.

    Raises
    ------
    ValueError
        A result is not of the kind that its name says.
    OSError
        The folder is missing, or the disk is full.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import rnndyn as rd
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "report.html"
    >>> write_report({}, rd.Elman.random(4, rng=0), path).read_text(encoding="utf-8")[:15]
    '<!doctype html>'
    """
    results = _datasets(results)
    _check_kinds(results)
    body = [_head(results, net), _table(headline(results, net))]
    body += [_section(k, section, results) for k, section in enumerate(SECTIONS) if _has(results, section.result)]
    body.append(_footer(net))
    path = Path(path)
    with replacing(path) as temporary:
        temporary.write_text(_page(f"rnndyn: {describe(net)}", body), encoding="utf-8")
    return path


def _datasets(results):
    """A DataTree as the dict it was saved from."""
    if not hasattr(results, "children"):
        return dict(results)
    from rnndyn.schema import as_data

    return {name: as_data(node.to_dataset()) for name, node in results.children.items()}


def _check_kinds(results):
    for name, ds in results.items():
        if ds.attrs.get("kind") != name:
            raise ValueError(f"results[{name!r}]: got a {ds.attrs.get('kind')!r} result; wanted one of its own name")


def _has(results, name):
    """Whether there is such a result, and anything in it: most networks have no transitions."""
    return name in results and results[name].sizes.get("transition", 1) > 0


def _usable(results, name):
    ds = results.get(name)
    return None if ds is None or "omitted" in ds.attrs else ds


def _page(title, body):
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _head(results, net):
    loud = sum(len(caveats(ds)) for ds in results.values())
    lines = [
        f"<h1>{escape(type(net).__name__)} as a dynamical system</h1>",
        f'<p class="lead">Fixed points, Lyapunov exponents and gradients, measured by {escape(_version(results))}.</p>',
    ]
    if loud:
        lines.append(
            f'<p class="warning"><strong>{loud} caveat{"s" * (loud > 1)}</strong>: see the marked notes below.</p>'
        )
    return "\n".join(lines)


def _table(numbers):
    rows = []
    for name, value, note in numbers:
        small = f"<small>{escape(note)}</small>" if note else ""
        rows.append(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}{small}</td></tr>')
    return "<table>\n" + "\n".join(rows) + "\n</table>"


def _section(number, section, results):
    ds = results[section.result]
    lines = ["<section>", f"<h2>{escape(section.title)}</h2>"]
    if "omitted" in ds.attrs:
        lines.append(f'<p class="omitted">Left out: {escape(str(ds.attrs["omitted"]))}</p>')
    else:
        lines.append(f"<p>{escape(section.reading)}</p>")
        if number == _first(section.result):
            lines += [f'<p class="warning"><strong>Caveat.</strong> {escape(text)}</p>' for text in caveats(ds)]
        lines.append(f"<figure>{_svg(section.draw(results).figure, f'f{number}', section.title)}</figure>")
    return "\n".join([*lines, "</section>"])


def _first(result):
    return next(k for k, section in enumerate(SECTIONS) if section.result == result)


def _svg(figure, prefix, title):
    """A figure as an SVG element whose ids are its own in the page, the same each time."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "rnndyn", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(href="|url\()#', rf"\g<1>#{prefix}-", text)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1).strip()


def _footer(net):
    facts = [f"network {net.content_hash()}", repr(net)]
    return "<footer>" + "<br>".join(escape(fact) for fact in facts) + "</footer>"


def _version(results):
    return " ".join(["rnndyn", *sorted({str(ds.attrs["rnndyn_version"]) for ds in results.values()})])
