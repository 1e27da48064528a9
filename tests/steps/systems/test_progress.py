"""How far the training of many runs is."""

from types import SimpleNamespace

from steps.systems import progress
from steps.systems.plan import Plan
from steps.systems.progress import Watch
from utils.runs import Run


def test_epochs_count_before_a_run_is_finished_and_what_was_there_is_no_speed(tmp_path, monkeypatch):
    runs = [Run("a", f"r{i}", 0) for i in range(4)]
    plan = Plan.__new__(Plan)
    plan.options = SimpleNamespace(out=tmp_path)
    plan.settings = {"a": SimpleNamespace(training=SimpleNamespace(epochs=10))}
    plan.epoch = {f"r{i}": 600 for i in range(4)}
    for run in runs:
        plan.folder(run).mkdir(parents=True)

    def history(run, epochs):
        (plan.folder(run) / "history.tsv").write_text("epoch\tL\n" + "1\t1\n" * epochs)

    history(runs[0], 3)  # of a training that was interrupted
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    watch = Watch(plan, runs)
    now[0] = 60.0
    assert watch.news() == ""
    history(runs[1], 1)
    assert watch.news() == "0 of 4 runs done, 2,400 of 24,000 crops, at 10 crops/s about 36 min to go"
    assert watch.news() == ""
    (plan.folder(runs[0]) / "scores").touch()
    now[0] = 120.0
    assert watch.news() == "1 of 4 runs done, 6,600 of 24,000 crops, at 40 crops/s about 7 min to go"
