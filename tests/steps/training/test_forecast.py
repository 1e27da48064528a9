"""What is said of the time that a training will take."""

from steps.training import forecast
from steps.training.forecast import Forecast


def test_the_rate_of_the_steps_behind_the_warm_up_is_told_once(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(forecast.time, "monotonic", lambda: now[0])
    told, watched = [], Forecast(100_000)
    for step in range(40):
        now[0] += 30.0 if step < 3 else 1.0
        told.append(watched.step(50))
    assert [number for number, words in enumerate(told) if words] == [22]
    assert told[22] == "98,850 crops to go, at 50 crops/s about 33 min"
