"""Every table of the results, from summaries to cells; Markdown and the page only lay them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from steps.evaluation.families import TITLES
from steps.evaluation.metrics import confusion, majority, per_class
from steps.evaluation.probe_files import Means
from steps.evaluation.roles import over_roles
from steps.evaluation.significance import Comparison, gain, interval, of_speakers
from steps.evaluation.summary import Summary
from steps.evaluation.words import DASH, between, figure, p_value, signed


@dataclass
class Table:
    """Rows of cells; the first column is text, the others figures. Without rows, `note` says why."""

    title: str
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""


def seeds_note(summaries: Sequence[Summary]) -> str:
    """How many seeds these rows have."""
    counts = sorted({len(one.seeds) for one in summaries if not one.deterministic})
    numbers = " to ".join(str(count) for count in dict.fromkeys([*counts[:1], *counts[-1:]]))
    note = f" with {numbers} seed{'s' * (counts != [1])}" if counts else ""
    return note + "; deterministic rows depend on none" * any(one.deterministic for one in summaries)


def results(summaries: Sequence[Summary], published: Mapping[str, float]) -> Table:
    """The main table, with the majority row, and the published wF1 beside ours where there is one; with the seeds of
    each row where they differ."""
    seeds = ["deterministic" if one.deterministic else str(len(one.seeds)) for one in summaries]
    differ = len(set(seeds)) > 1
    head = [
        "system",
        *["seeds"] * differ,
        "wF1",
        "95 % interval",
        "UA",
        "WA",
        "macro F1",
        "wF1 over folds",
        "wF1, last epoch",
    ]
    head += ["wF1 in the paper"] * bool(published)
    baseline = majority(summaries[0].labels)
    cells = [figure(baseline.wf1), DASH, *(figure(value) for value in baseline[1:]), DASH, DASH]
    rows = [["majority class", *[DASH] * differ, *cells, *[DASH] * bool(published)]]
    for one, of_seeds in zip(summaries, seeds):
        pooled = [figure(mean, sd) for mean, sd in zip(one.pooled, one.pooled_sd)]
        bounds = interval(one)
        cells = [one.name, *[of_seeds] * differ, pooled[0], between(bounds.low, bounds.high), *pooled[1:]]
        cells += [figure(one.folds.wf1, one.folds_sd.wf1), figure(one.last.wf1)]
        if published:
            cells.append(f"{published[one.name]:.2f}" if one.name in published else DASH)
        rows.append(cells)
    one = summaries[0]
    runs = f"{len(one.runs)} runs" if len(one.runs) > 1 else "1 run"
    note = (
        f"{len(one.utterances)} utterances of {len(one.speakers)} speakers, tested in {runs}{seeds_note(summaries)}. "
        "In percent: wF1 (weighted F1), UA (mean recall), WA (accuracy) and macro F1 of the pooled predictions for all "
        "test speakers, mean ± sd over seeds; the interval is a bootstrap over speakers of that mean, and holds for "
        "these seeds, which vary the fine-tuning alone, and for the pre-training at hand; then the mean ± sd of wF1 "
        "over runs, and wF1 of the last epoch instead of the one selected on the validation speakers."
    )
    if one.untested:
        who = ", ".join(one.untested)
        note += f" Selecting epochs, and never tested: {who}; a run is missing, or the folds have none that tests them."
    if published:
        note += " The paper's figures are of its own folds and features."
    return Table("Results", head, rows, note)


def comparisons(found: Sequence[Comparison]) -> Table:
    """What each change is worth."""
    title = "Comparisons"
    if not found:
        return Table(title, note="No two of these systems are to be compared: none is the parent of another.")
    head = [
        "system",
        "against",
        "family",
        "wF1 difference",
        "95 % interval",
        "by seed",
        "p",
        "p, corrected",
        "right alone",
        "McNemar p",
    ]
    rows = [
        [
            one.system,
            one.reference,
            TITLES.get(one.family, one.family),
            signed(one.difference.value),
            between(one.difference.low, one.difference.high),
            ", ".join(f"{seed}: {signed(value)}" for seed, value in one.by_seed.items()),
            p_value(one.p),
            DASH if one.family == "planned" else p_value(one.p_corrected),
            f"{one.only_system} : {one.only_reference}",
            p_value(one.p_mcnemar),
        ]
        for one in found
    ]
    note = (
        "Differences of the pooled wF1, in points, mean over the seeds that both have; a pair without one is left out. "
        "The interval is a bootstrap over speakers, and holds for these seeds; how far seeds are apart is beside it. p "
        "by Wilcoxon's signed ranks over speakers, corrected by Holm within its family unless planned. How many "
        "utterances one of the two alone got right (first of these seeds), with McNemar's p, is description: "
        "utterances of a speaker are not independent. No difference is shown by an interval that holds 0."
    )
    return Table(title, head, rows, note)


def of_classes(summaries: Sequence[Summary]) -> Table:
    """F1 of each class, and its recall, mean over seeds."""
    classes = summaries[0].classes
    head = ["system", *(f"{name} F1" for name in classes), *(f"{name} recall" for name in classes)]
    rows = []
    for one in summaries:
        found = np.array([per_class(s.labels, s.decisions, len(classes)) for s in one.together]).mean(axis=0)
        rows.append([one.name, *map(figure, found[:, 2]), *map(figure, found[:, 1])])
    shares = ", ".join(f"{name} {int(n)}" for name, n in zip(classes, np.bincount(summaries[0].labels)))
    return Table("By class", head, rows, f"Percent, of the pooled predictions. Utterances: {shares}.")


def of_runs(summaries: Sequence[Summary]) -> Table:
    """wF1 of each run by itself."""
    rows = [[one.name, *(f"{found.wf1:.1f}" for found in one.by_run)] for one in summaries]
    return Table("By run", ["system", *summaries[0].runs], rows, "wF1 of each run's test speakers, mean over seeds.")


def by_speaker(summaries: Sequence[Summary]) -> Table:
    """wF1 of each speaker; speakers are rows where there are more of them than systems."""
    rows = [[one.name, *(f"{value:.1f}" for value in of_speakers(one.counts))] for one in summaries]
    cells = [["system", *summaries[0].speakers], *rows]
    if len(summaries[0].speakers) > len(summaries):
        cells = [list(column) for column in zip(*cells)]
        cells[0][0] = "speaker"
    return Table("By speaker", cells[0], cells[1:], "wF1 of each speaker's utterances, mean over seeds.")


def confusions(one: Summary) -> np.ndarray:
    """(classes, classes) of the pooled predictions, mean over seeds; rows are true."""
    return np.mean([confusion(s.labels, s.decisions, len(one.classes)) for s in one.together], axis=0)


def confusion_table(summaries: Sequence[Summary]) -> Table:
    """Every system's confusion matrix, a row a true class."""
    head = ["system, true class", *(f"as {name}" for name in summaries[0].classes)]
    rows = [
        [f"{one.name}, {name}", *(f"{value:.1f}".removesuffix(".0") for value in row)]
        for one in summaries
        for name, row in zip(one.classes, confusions(one))
    ]
    return Table("Confusion", head, rows, "Utterances by true and decided class, pooled over runs, mean over seeds.")


def roles(summaries: Sequence[Summary]) -> Table:
    """The range over the choices of roles."""
    title, found = "Choice of roles", {one.name: over_roles(one) for one in summaries}
    if not all(found.values()):
        reason = "Left out: the runs do not come in pairs that test each other's validation speakers."
        return Table(title, note=reason)
    rows = [
        [name, *(f"{low:.2f} to {high:.2f}" for low, high in zip(span.lowest[:3], span.highest[:3]))]
        for name, span in found.items()
    ]
    choices = next(iter(found.values())).choices
    note = (
        "Two runs share what they leave out, each testing whom the other validates on. The range of the pooled "
        f"figures over all {choices} choices of one run of each pair: what a paper that made one choice could have "
        "reported."
    )
    return Table(title, ["system", "wF1", "UA", "WA"], rows, note)


def leaks(honest: Sequence[Summary], leaking: Mapping[str, Sequence[Summary]], oracle: Mapping[str, Summary]) -> Table:
    """How much each common mistake is worth. leaking: kind → systems under such folds; oracle: system → its figures
    with the epoch that is best on the test speakers."""
    title, by_name = "Leaks", {one.name: one for one in honest}
    rows = []
    for name, one in by_name.items():
        mistakes = [("epoch chosen on the test speakers", oracle[name])] if name in oracle else []
        mistakes += [(kind, other) for kind, found in leaking.items() for other in found if other.name == name]
        rows += [
            [f"{name}, {kind}", *map(figure, found.pooled[:3]), signed(gain(found, one))] for kind, found in mistakes
        ]
        if mistakes:
            rows.insert(len(rows) - len(mistakes), [f"{name}, as it should be", *map(figure, one.pooled[:3]), DASH])
    if not rows:
        return Table(
            title,
            note="Left out: no system was trained on folds made to leak, or kept the scores of a test-best epoch.",
        )
    note = "The same systems with the mistakes that are commonest in the field. Nothing here is a result. "
    note += "wF1 gained: on the seeds that both have."
    return Table(title, ["system and mistake", "wF1", "UA", "WA", "wF1 gained"], rows, note)


def probe_cells(found: Means, space: str, measure: str) -> list[str]:
    cells = []
    for attribute in ("speaker", "emotion"):
        for of in ("train", "unseen"):
            mean = found.get((space, attribute, of, measure))
            cells.append(
                DASH if mean is None else f"{100 * mean.value:.1f} ({100 * mean.chance:.1f})".replace("-", "−")
            )
    return cells


def probes(found: Mapping[str, Means], spaces: Mapping[str, tuple[str, str]]) -> Table:
    """Linear probes of each system's spaces; found: system → means over its runs; spaces: system → what the one that
    its classifier sees and the one that it has put aside are called."""
    title = "What the embeddings carry"

    def name_of(system: str, space: str) -> str:
        return system if space == "embedding" else f"{system}, {spaces[system][1]}"

    head = ["system", "measure", *(f"{what}, {of}" for what in ("speaker", "emotion") for of in ("training", "unseen"))]
    rows = [
        [name_of(system, space), measure, *probe_cells(means, space, measure)]
        for measure in ("probe", "silhouette", "purity")
        for system, means in found.items()
        for space in ("embedding", "embedding_minus")
        if any(key[0] == space for key in means)
    ]
    if not rows:
        return Table(title, note="Left out: no run has a file of probes (steps/probe.py makes it from the embeddings).")
    hows = {key: mean.how for means in found.values() for key, mean in means.items() if key[3] == "probe"}
    held = {of: how for (_, attribute, of, _), how in hows.items() if attribute == "speaker"}
    note = (
        "Times 100, chance in brackets; means over runs. probe: mean recall of a linear discriminant within each run, "
        "trained on some of the speakers' utterances and tested on others, held out by "
        f"{held.get('train', 'session')} for speakers and by session for emotions; of unseen (validation and test) "
        f"speakers it tells two apart, mean over pairs ({held.get('unseen', DASH)}). silhouette and purity (share of "
        "like ones among 10 nearest neighbours): of L2-normalised embeddings."
    )
    return Table(title, head, rows, note)
