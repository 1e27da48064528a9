"""Tables that are read first, from results.json to cells, each with a line of explanation a column."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from steps.reporting import words
from steps.reporting.comparisons import certainty, comparison, holm
from steps.reporting.page import bullets
from steps.reporting.words import DASH, Results, bounds, change, number, off_zero, p_value

INTERVAL, DIFFERENCE, PAPER, ROLES = "95 % interval", "difference from parent", "wF1 in the paper", "choice of roles"
MEASURES = {"wF1": "wf1", "UA": "ua", "WA": "wa"}
NAMES = {"wF1": "each class's F1, weighted by its size", "UA": "mean recall", "WA": "accuracy"}
COSTS = {"parameters": "parameters", "multiplications/s": "multiplications", "real-time factor": "real_time_factor"}
# Columns of systems; one without content is left out of a table.
SCORED = ("system", "seeds", "wF1", INTERVAL, "UA", "WA", "last epoch", PAPER)
MAIN = ("system", "parent", "seeds", "wF1", INTERVAL, "UA", DIFFERENCE, *COSTS, PAPER)
ALL = ("system", "parent", "what differs", *SCORED[1:-1], "over runs", ROLES, DIFFERENCE, "p", "p, Holm", PAPER)
WORDS = {
    "corpus",
    "system",
    "trained on",
    "parent",
    "what differs",
    "mistake",
    "against",
    "corpora",
    "no difference is shown from",
    "severity",
    "finding",
    "which",
    "guessed from",
    "medians",
    "class",
    "language",
    "gender",
    "length",
    "level",
    "sound",
    "gain",
    "channel",
    "shown",
    "question",
    "what is compared",
    "of whom",
    "answer",
}
NOTES = {
    "what differs": "the keys that the system's file in `conf/systems` sets.",
    "seeds": "trainings, each with other random numbers (of linear models, those of their extractors); a dash where a "
    "result depends on no seed.",
    INTERVAL: "bootstrap over speakers; how much other seeds or another pre-training would change is not in it.",
    "last epoch": "wF1 of each run's last epoch instead of the one that the validation speakers select.",
    "over runs": "wF1 of each run by itself, mean ± sd.",
    ROLES: "the range of wF1 over all choices of one run of each pair that swaps validation and test speakers.",
    DIFFERENCE: "points of wF1 on the seeds that both have, with interval. One that contains 0 shows no difference; "
    "* survives Holm's correction, and does not rest on a single training.",
    "p": "Wilcoxon's signed ranks over speakers, two-sided.",
    "p, Holm": "corrected within the family (`conf/groups.yaml`; its size in brackets). The planned comparison is not.",
    "multiplications/s": "of the network or classifier, for a second of speech; features are not counted.",
    "real-time factor": "time over duration, on one CPU core, from features on (of descriptors: from the "
    "waveform on); compare orders of magnitude.",
    PAPER: "of its own folds and features.",
}
ATTRIBUTES = [("speaker", "train"), ("speaker", "unseen"), ("emotion", "train"), ("emotion", "unseen")]
KINDS = {  # of what is measured in embeddings
    "probe": "Mean recall, in percent, of a linear discriminant on the embeddings of each run, trained on some "
    "utterances of these speakers and tested on others; mean over runs.",
    "silhouette": "Times 100, of L2-normalised embeddings; 0 or below: no clusters.",
    "purity": "Percent of the 10 nearest neighbours with the same label, of L2-normalised embeddings.",
}
MISTAKES = {
    "test_epoch": "choosing the epoch on the test speakers",
    "random": "splitting by utterance instead of speaker",
    "prefix": "reading the speaker off the dialog's name",
}


@dataclass
class Table:
    head: Sequence[str]
    rows: list[list[str]]
    notes: list[str]

    def __post_init__(self) -> None:
        """Leave out the columns without content."""
        columns = [column for column in zip(self.head, *self.rows) if set(column[1:]) != {DASH}]
        self.head, *self.rows = map(list, zip(*columns))

    def markdown(self) -> str:
        align = ["---" if title in WORDS else "---:" for title in self.head]
        inert = [[cell.replace("|", r"\|") for cell in cells] for cells in (self.head, align, *self.rows)]
        rows = "\n".join(f"| {' | '.join(cells)} |" for cells in inert)
        return f"{rows}\n\n{bullets(self.notes)}" if self.notes else rows

    def plain(self) -> str:
        """For a terminal."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows)]
        lines = []
        for row in (self.head, ["-" * width for width in widths], *self.rows):
            cells = [f"{cell:{'<' if title in WORDS else '>'}{n}}" for title, cell, n in zip(self.head, row, widths)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([*lines, *[""] * bool(self.notes), *self.notes])


def short(results: Results) -> list[str]:
    """The systems of the short table."""
    return [name for name in results["groups"]["main"] if name in results["systems"]] or [*results["systems"]][:11]


def settings(flat: dict[str, Any]) -> str:
    """`AD true, D 8`."""
    values = {key.rpartition(".")[2]: json.dumps(value).replace('"', "") for key, value in flat.items()}
    return ", ".join(f"{key} {value}" for key, value in values.items()) or DASH


def sees_given(results: Results, name: str) -> bool:
    """Whether a system, or one that it takes up, needs vectors that the recipe does not make (--embeddings)."""
    settings = results["systems"][name]["settings"]
    parts = [part for part in settings.get("backend.of", []) if part in results["systems"]]
    return settings.get("backend.sees") == "given" or any(sees_given(results, part) for part in parts)


def described(results: Results, name: str) -> dict[str, str]:
    """Column → cell of a system."""
    system, row = results["systems"][name], comparison(results, name, results["systems"][name]["parent"])
    cells = {
        "system": name + " †" * (system["not_above_majority"] or system["not_above_chance"]),
        "parent": system["parent"] or DASH,
        "what differs": settings(system["differs"]),
        "seeds": DASH if system["deterministic"] else str(len(system["seeds"])),
        INTERVAL: bounds(system["wf1"]),
        "last epoch": number(system["last_epoch"]),
        "over runs": number(**system["over_folds"]),
        ROLES: "{:.2f} to {:.2f}".format(*system["roles"]["wf1"]) if system["roles"] else DASH,
        PAPER: number(results["published"].get(name)),
    }
    cells |= {title: number(system[key]["value"], system[key]["sd"]) for title, key in MEASURES.items()}
    if not sees_given(results, name):  # what makes given vectors costs most
        cells |= {title: words.compact((system["cost"] or {}).get(key)) for title, key in COSTS.items()}
    if row:
        cells[DIFFERENCE] = change(row["difference"], 2) + " *" * (certainty(row) == "difference")
        cells["p"] = p_value(row["p"])
        cells["p, Holm"] = holm(row, row["family"] == "planned")
    return cells


def systems(results: Results, names: Iterable[str], columns: Sequence[str]) -> Table:
    """A row a system, below always deciding for the commonest class."""
    names = [*names]
    majority = {title: number(results["majority"][key]) for title, key in MEASURES.items()}
    cells = [majority | {"system": "majority class"}, *(described(results, name) for name in names)]
    table = Table(columns, [[row.get(title, DASH) for title in columns] for row in cells], [])
    test, weak = results["test"], "†: not shown to be above the majority class (wF1) or chance (UA)."
    table.notes = [
        f"{', '.join(f'{title} ({NAMES[title]})' for title in table.head if title in NAMES)}, in percent, of "
        f"{test['utterances']} utterances of {len(test['speakers'])} speakers, each tested once, in "
        f"{len(test['runs'])} runs; mean ± sd over seeds.",
        *(f"{title}: {NOTES[title]}" for title in table.head if title in NOTES),
        *[weak] * any("†" in row[0] for row in table.rows),
        *of_the_told(results, names),
        *warnings(results),
    ]
    return table


def of_the_told(results: Results, shown: Iterable[str]) -> list[str]:
    """What to know of the systems, of those `shown`, that are told whose an utterance is."""
    told = [name for name in shown if name in results.get("best", {}).get("told_who_speaks", [])]
    each = results["test"]["utterances"] / len(results["test"]["speakers"])
    return [
        f"{words.names(told)} must know whose an utterance is, of those who are tested, too, and several of each: here "
        f"{each:.0f} on average."
    ] * bool(told)


def warnings(results: Results) -> list[str]:
    """What to beware of in any table of systems."""
    untested, people = results["test"]["untested"], len(results["test"]["speakers"])
    unfinished = [f"{row['system']} ({row['runs_done']} of {row['runs']} runs)" for row in results["unfinished"]]
    corpus = results.get("corpus_findings") or {"findings": []}
    wrong = Counter(row["severity"] for row in corpus["findings"])
    said = [f"{wrong[one]} {one}{'s' * (wrong[one] > 1)}" for one in ("error", "warning") if wrong[one]]
    few = f"Warning: {people} test speakers are too few for intervals over speakers; these are too narrow."
    return [
        *[f"Warning: the corpus itself has {' and '.join(said)} (steps/audit.py)."] * bool(said),
        *[few] * results["few_speakers"],
        *[f"Validation speakers never tested: {words.names(untested)}; expected with some of the runs only."]
        * bool(untested),
        *[f"Left out, as no seed has all runs: {words.names(unfinished, 40)}."] * bool(unfinished),
    ]


def probes(results: Results, kind: str) -> Table:
    """How much the two spaces of each system tell of the speaker and of the emotion."""

    def said(system: str, space: str, key: tuple[str, str], what: str = "value") -> Any:
        return results["probes"][system].get(space, {}).get(key[0], {}).get(key[1], {}).get(kind, {}).get(what)

    def share(value: float | None) -> str:
        return number(None if value is None else 100 * value, digits=1)

    differences = {
        (row["system"], row["attribute"], row["of"]): words.percent(row["difference"])
        for row in results["probe_differences"]
        if row["system"] == row["against"] and kind == "probe"
    }
    first, head, rows = next(iter(results["probes"])), ["system"], [["chance"], *([name] for name in results["probes"])]
    for key in ATTRIBUTES:
        head += [f"{', '.join(key).replace('train', 'training')}: F⁺", "F⁻", "F⁻ − F⁺"]
        rows[0] += [share(said(first, "embedding", key, "chance")), DASH, DASH]
        for cells in rows[1:]:
            difference = differences.get((cells[0], *key))
            cells += [share(said(cells[0], space, key)) for space in ("embedding", "embedding_minus")]
            cells += [change(difference) + " ‡" * off_zero(difference) if difference else DASH]
    how = [said(first, "embedding", key, "how") for key in ATTRIBUTES]
    notes = [
        f"speaker, training: held out by {how[0]}. speaker, unseen: which of two, held out by {how[1]}; mean of pairs.",
        "F⁺: the embedding that is classified, with AD or without. F⁻: what AD or the auto-encoders put aside.",
        "F⁻ − F⁺: with its 95 % interval over runs; ‡ marks one that excludes 0.",
    ]
    if seeds := sorted({int(seed) for row in results["probe_differences"] for seed in row.get("by_seed", {})}):
        notes.append(f"Seeds that were probed: {' '.join(map(str, seeds))}.")
    return Table(head, rows, [KINDS[kind], *notes * (kind == "probe")])


def leaks(results: Results) -> Table:
    """What each common mistake inflates."""
    rows = []
    for leak in results["leaks"]:
        wf1, gain = leak["wf1"], change(leak["gain"], 2)
        cells = [str(len(leak["seeds"])), number(wf1["value"]), bounds(wf1), number(leak["ua"]), number(leak["wa"])]
        rows.append([leak["system"], MISTAKES.get(leak["mistake"], leak["mistake"]), *cells, gain])
    note = "None of these is a result. inflation: points of wF1 on the seeds that both have; paired by true speakers."
    return Table(["system", "mistake", "seeds", "wF1", INTERVAL, "UA", "WA", "inflation"], rows, [note])


def parts(results: Results) -> dict[str, Table]:
    """Title → systems by class, run or speaker."""
    tables = {}
    for title, key in {"F1 by class": "by_class", "wF1 by run": "by_run", "wF1 by speaker": "by_speaker"}.items():
        rows, head = [], ["system", *next(iter(results["systems"].values()))[key]]
        for name, system in results["systems"].items():
            values = (value["f1"] if key == "by_class" else value for value in system[key].values())
            rows.append([name, *(number(value, digits=1) for value in values)])
        tables[title] = Table(head, rows, ["In percent, mean over seeds."])
    return tables
