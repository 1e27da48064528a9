"""The measuring itself: turns, what counts as reached, and a page that says so."""

import json
import sys

import pytest

from bench import harness, report


def test_all_take_turns_and_ratios_are_taken_within_a_round():
    called = []
    seconds = {"slow": iter([9, 4, 6]), "fast": iter([9, 1, 2])}  # the first round is the warm-up
    work = {name: lambda name=name: called.append(name) or next(seconds[name]) for name in seconds}
    times = harness.interleave(work, rounds=2, clock="own")
    assert times == {"slow": [4, 6], "fast": [1, 2]} and harness.ratios(times, "slow", "fast") == [4, 3]
    assert sorted(called[:2]) == sorted(called[2:4]) == ["fast", "slow"] and called[:2] != called[2:4]


@pytest.mark.parametrize(("reach", "at_most", "reached"), [(3, False, True), (3.1, False, False), (3, True, True)])
def test_the_median_decides(reach, at_most, reached):
    assert harness.Row("", [9, 3, 1], reach=reach, at_most=at_most).reached is reached


def test_a_peer_that_does_not_import_is_absent_and_the_page_says_why_and_what_was_missed(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    work, absent = harness.available({"there": lambda: print, "gone": lambda: __import__("no_such_package")})
    assert list(work) == ["there"]
    rows = [harness.Row("speed", [2, 1, 3], reach=4), harness.Row("memory", [5], unit="MB", reach=6, at_most=True)]
    harness.save("one", "A title", rows, clock="Wall clock", times={"ours": [0.5, 0.25]}, absent=absent)
    assert json.loads((tmp_path / "one.json").read_text())["rows"][0]["reached"] is False
    page = report.page(tmp_path)
    assert "| speed | 2 × | 1 to 3 | ≥ 4 × | **missed** |" in page and "| memory | 5 MB |  | ≤ 6 MB | reached |" in page
    assert "Absent: gone (ModuleNotFoundError: No module named 'no_such_package')" in page


def test_a_command_is_measured_and_its_failure_is_not_a_time():
    usage = harness.spawn([sys.executable, "-c", "b'x' * 100_000_000"])
    assert usage.memory > 100e6 and min(usage.cpu, usage.wall) > 0
    with pytest.raises(Exception, match="exit status 3"):
        harness.spawn([sys.executable, "-c", "raise SystemExit(3)"])
