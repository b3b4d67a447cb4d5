"""The documentation runs: every block of Python, and what its comments promise; the generated page is up to date."""

import ast
import doctest
import importlib
import re
import sys
from pathlib import Path

import pytest

from rnndyn import schema

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md")) + [path for path in [ROOT / "README.md"] if path.exists()]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = {page: BLOCK.findall(page.read_text()) for page in PAGES}
RUN = [page for page in PAGES if BLOCKS[page]]
# The first page is a tour at full size, which takes minutes in the interpreter.
PARAMETERS = [pytest.param(page, marks=[pytest.mark.compiled] if page.name == "README.md" else []) for page in RUN]


def promises(source):
    """Expressions that stand on a line of their own with their result in a comment: pairs of code and text."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        comment = lines[node.end_lineno - 1][node.end_col_offset :].strip()
        if isinstance(node, ast.Expr) and comment.startswith("#"):
            yield node.lineno, ast.unparse(node.value), comment.removeprefix("#").strip()


def run_block(source, names):
    """Execute a block statement by statement; an expression with a comment must show what the comment says."""
    if source.lstrip().startswith(">>>"):
        session = doctest.DocTestParser().get_doctest(source, names, "docs", None, 0)
        flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
        assert not doctest.DocTestRunner(optionflags=flags).run(session, clear_globs=False).failed
        names |= session.globs
        return
    results = {line: text for line, _, text in promises(source)}
    for node in ast.parse(source).body:
        if node.lineno in results:
            shown = repr(eval(compile(ast.Expression(node.value), "<docs>", "eval"), names))
            assert shown == results[node.lineno], ast.unparse(node)
        else:
            exec(compile(ast.Module([node], []), "<docs>", "exec"), names)


@pytest.mark.parametrize("page", PARAMETERS, ids=lambda page: page.name)
def test_the_code_on_this_page_runs(page, tmp_path, monkeypatch):
    """Blocks share their names, as in one session. A block that starts with ``# file.py`` is saved as that file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "data").symlink_to(ROOT / "data")
    loaded, names = set(sys.modules), {"__name__": "docs"}
    for source in BLOCKS[page]:
        if file := re.match(r"# (\w+\.py)\n", source):
            (tmp_path / file[1]).write_text(source)
            importlib.invalidate_caches()
        else:
            run_block(source, names)
    for name in set(sys.modules) - loaded:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_pages_without_code_are_known():
    assert {page.name for page in PAGES} - {page.name for page in RUN} <= {"design.md", "results.md", "README.md"}


def test_the_table_of_results_is_up_to_date():
    page = ROOT / "docs" / "results.md"
    assert page.read_text() == results_page(), "run `python tests/test_docs.py` to write docs/results.md anew"


def results_page():
    """The page docs/results.md, from the schema."""
    head = """# Results

Every result is an xarray Dataset of the form below. This page is written from `rnndyn/schema/`, which also builds and
checks the Datasets; do not edit it by hand. Dimensions in brackets are there only for an ensemble of networks, or for
several sequences.

"""
    return head + schema.markdown().rstrip("\n") + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    for path in re.findall(r"`((?:rnndyn|tests|docs|studies)/[\w./]+)`", page.read_text()):
        assert (ROOT / path).exists(), f"{page.name} names {path}"


if __name__ == "__main__":
    (ROOT / "docs" / "results.md").write_text(results_page())
