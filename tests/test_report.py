"""The report: one file, whole in itself, valid, the same each time, and safe with any text."""

from html.parser import HTMLParser

import pytest
import synthetic

import rnndyn as rd
from rnndyn import schema
from rnndyn.report import SECTIONS, write_report

NET = rd.Elman.random(4, 1, 2, rng=0)
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a page holds; fails on a tag that is closed wrongly."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.text = [], [], [], [], ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name in ("href", "src", "xlink:href"):
                self.links.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = write_report(synthetic.results(), NET, tmp_path_factory.mktemp("report") / "report.html")
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written):
    return Page(written)


def test_it_is_a_page_with_a_figure_for_each_section(page):
    assert page.tags.count("figure") == page.tags.count("svg") == len(SECTIONS)
    assert page.tags.count("table") == 1


def test_it_needs_nothing_from_outside(written, page):
    assert all(link.startswith("#") for link in page.links)
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert "http" not in written
    assert "@import" not in written
    assert "url(" not in written.replace("url(#", "")


def test_ids_are_unique_and_links_resolve(page):
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_the_headline_and_the_readings_are_there(page):
    for text in ("Leading Lyapunov exponent", "Kaplan–Yorke dimension", "Fixed points", NET.content_hash()):
        assert text in page.text
    for section in SECTIONS:
        assert section.reading in page.text


def test_equal_results_give_equal_files(written, tmp_path):
    again = write_report(synthetic.results(), NET, tmp_path / "again.html").read_text(encoding="utf-8")
    assert again == written


def test_a_stored_tree_gives_the_same_report(written, tmp_path):
    tree = rd.open_results(rd.save_results(synthetic.results(), tmp_path / "results.nc"))
    assert write_report(tree, NET, tmp_path / "r.html").read_text(encoding="utf-8") == written


def test_caveats_are_loud(tmp_path):
    results = {"lyapunov_spectrum": synthetic.lyapunov_spectrum(status=schema.Status.NOT_CONVERGED)}
    text = write_report(results, NET, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<strong>1 caveat</strong>" in text
    assert "had not converged" in text


def test_what_was_left_out_gives_its_reason(tmp_path):
    results = {"fixed_points": schema.omitted("fixed_points", "no dynamical system")}
    text = write_report(results, NET, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Left out: no dynamical system" in text
    assert "<figure>" not in text


def test_a_result_without_rows_has_no_section(tmp_path):
    results = {"transitions": synthetic.transitions(0)}
    text = write_report(results, NET, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<h2>" not in text and "<figure>" not in text


def test_hostile_text_stays_text(tmp_path):
    hostile = '<script>alert("x")</script>'
    results = synthetic.results() | {"jacobian_products": schema.omitted("jacobian_products", hostile)}
    results["run"] = results["run"].assign_attrs(rnndyn_version=hostile)
    results["fixed_points"] = synthetic.fixed_points(2, stability=("<b>&",))
    page = Page(write_report(results, NET, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert hostile in page.text
    assert "script" not in page.tags
    assert "b" not in page.tags


def test_an_older_report_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "r.html"
    path.write_text("old")
    with pytest.raises(ValueError, match="got a 'training' result"):
        write_report({"run": synthetic.training()}, NET, path)
    assert path.read_text() == "old"
    assert write_report({}, NET, path) == path
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
