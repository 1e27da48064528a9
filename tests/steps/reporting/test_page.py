"""Names of whatever kind in what people read."""

import markdown

from steps.reporting.page import document, page
from steps.reporting.tables import Table


def test_html_and_bars_in_names_are_shown_and_never_work(tmp_path):
    odd = "<img src=x onerror=alert(1)>|b"
    table = Table(["class", "wF1"], [[odd, "1.00"], ["`conf/<name>.yaml`", "2.00"]], ["a note on <b>it</b>."])
    text = document(odd, "a test", {"A": [table.markdown(), "```\nfor x in <dir>; do :; done\n```"]})
    assert "`conf/<name>.yaml`" in text and "in <dir>; do" in text  # in code it is harmless, and stays
    for shown in (markdown.markdown(text, extensions=["tables", "fenced_code"]), page("title", text, tmp_path)):
        assert "<img" not in shown and "<b>" not in shown and shown.count("<td") == 4
        assert "&lt;img src=x onerror=alert(1)&gt;|b" in shown or "&lt;img src=x onerror=alert(1)>|b" in shown
