"""Tables as text and as HTML."""

from __future__ import annotations

import re

import pytest

from fastnn._display.report import Report
from fastnn._display.table import Table

TABLE = Table(("name", "n", "remark"), [(), ("<b>", "1", ""), ("a", "200", "x & y")], "lrl", "-")


def test_text_has_columns_two_spaces_apart_and_no_blanks_at_the_ends():
    assert TABLE.text().split("\n") == [
        "name    n  remark",
        "-----------------",
        "<b>     1",
        "a     200  x & y",
    ]


def test_a_row_may_have_fewer_or_more_cells_than_the_header():
    table = Table(("a", "b"), [("1",), ("1", "22", "333")])
    assert table.text() == "a   b\n1\n1  22  333"


def test_a_table_without_header_or_rows():
    assert Table((), [("a", "b")]).text() == "a  b"
    assert Table(("a", "b"), []).text() == "a  b"
    assert "<thead>" not in Table((), [("a", "b")]).html()


def test_html_is_escaped_and_aligned_and_draws_the_line():
    text = TABLE.html()
    assert re.findall(r"<td[^>]*>([^<]*)</td>", text) == [
        "&lt;b&gt;",
        "1",
        "",
        "a",
        "200",
        "x &amp; y",
    ]
    assert re.findall(r'<th style="text-align: (\w+)', text) == ["left", "right", "left"]
    assert text.count("border-top") == 3


def test_a_report_states_its_parts_once():
    class Two(Report):
        def _parts(self):
            return ["a < b", "", TABLE, "end"]

    assert repr(Two()) == f"a < b\n\n{TABLE.text()}\nend"
    assert Two()._repr_html_().count("<p ") == 2
    assert "a &lt; b" in Two()._repr_html_()
    with pytest.raises(NotImplementedError, match="Report does not say"):
        repr(Report())
