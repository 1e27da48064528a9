"""What several corpora answer together: the questions of conf/groups.yaml, and the short table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.reporting.answers import (
    CEILING,
    NOT,
    Answer,
    inflation,
    informed,
    levels,
    probed,
    reply,
    speaker_rows,
    verdict,
)
from steps.reporting.comparisons import beyond, certainty, comparison, holm, lead, trainings
from steps.reporting.tables import NAMES, Table, short
from steps.reporting.words import DASH, Results, bounds, change, names, number, p_value, signed

TRAININGS = (
    "trainings: of the seeds that both systems have; `6 on 3`: six, which start from three pre-trained extractors. "
    "Where one side alone depends on a seed or is pre-trained, all trainings of both count. Intervals cover speakers: "
    "what was trained once, another training may move by more."
)


def answers(results_of: Mapping[str, Results], compared: Mapping[str, Any] | None) -> list[Answer]:
    """Of several corpora, what differences and mistakes answer: over all of them together, where `compared`
    (together.json) tells; else that of the corpora that do."""
    replies = []
    for question in next(iter(results_of.values()))["groups"]["questions"]:
        if not (pair := question.get("compare")):
            continue
        if row := comparison(compared or {}, *pair):
            replies.append(Answer(question["ask"], pooled(row, results_of)))
            continue
        each = {name: reply(results, question).said for name, results in results_of.items()}
        known = {name: results_of[name] for name, said in each.items() if not said.startswith(NOT)}
        said = next(iter(each.values()))
        if known:
            first, *others = known
            rest = "; ".join(by_corpus({name: known[name] for name in others}, *pair))
            said = f"On {first}: {each[first]}" + f" On others: {rest}." * bool(rest)
        replies.append(Answer(question["ask"], said))
    inflated = {name: inflation(own["leaks"]) for name, own in results_of.items() if own["leaks"]}
    if inflated:
        leaks = (f"On {name}, {said[0].lower()}{said[1:]}" for name, said in inflated.items())
        replies.append(Answer("What do the usual mistakes inflate?", " ".join(leaks)))
    return replies


def questions(results_of: Mapping[str, Results], compared: Mapping[str, Any], short: bool = False) -> Table:
    """The questions that a difference answers, over all corpora or on the only one that has it; a row each.
    short: what is compared, and the differences on each corpus, are left out."""
    rows = []
    for question in next(iter(results_of.values()))["groups"]["questions"]:
        if pair := question.get("compare"):
            overall, *own = (comparison(of, *pair) for of in (compared, *results_of.values()))
            known = {name: one for name, one in zip(results_of, own) if one}
            if row := overall or (next(iter(known.values())) if len(known) == 1 else None):
                ask, said = question["ask"], [lead(row), trainings(row)]
                where = f" on {next(iter(known))}" * (not overall)
                each = [change(one["difference"]) if one else DASH for one in (overall, *own)]
                in_full = [ask, " against ".join(pair), *said, *each]
                rows.append([ask, *said, change(row["difference"]) + where] if short else in_full)
    planned = [row for row in compared["comparisons"] if row["planned"] and beyond(row)]
    which = "difference" if short else "all corpora, and each"
    notes = [
        f"{which}: points of wF1, with the 95 % interval of a bootstrap over speakers.",
        *(
            f"That of {row['system']} against {row['reference']} over all is {beyond(row)} with what trainings vary by."
            for row in planned
        ),
        whose(compared),
        TRAININGS,
    ]
    if short:
        return Table(["question", "answer", "trainings", "difference"], rows, notes)
    return Table(["question", "what is compared", "answer", "trainings", "all corpora", *results_of], rows, notes)


def whose(compared: Mapping[str, Any]) -> str:
    """Which speakers differences over all corpora are of."""
    without = (
        f" They leave out {compared['left_out']} that systems were developed on; differences on one corpus do not."
    )
    return (
        f"Differences over all corpora are of {compared['speakers']} speakers of {names(compared['corpora'])} "
        f"({compared['utterances']} utterances).{without * bool(compared['left_out'])}"
    )


def pooled(row: Mapping[str, Any], results_of: Mapping[str, Results]) -> str:
    """A difference over all corpora, and on each."""
    system, reference, difference = row["system"], row["reference"], row["difference"]
    own = by_corpus(results_of, system, reference)
    each = f"; by corpus: {', '.join(own)}" * bool(own)
    wider = f"; for other trainings, too, {wide}" if (wide := beyond(row)) else ""
    return (
        f"{lead(row)}: {system} differs from {reference} by {signed(difference['value'], 1)} points (95 % interval "
        f"{bounds(difference)}{wider}){each}."
    )


def varied(compared: Mapping[str, Any]) -> Table:
    """What differences between systems that were trained alike, and more than once, vary with, a row each: how sure
    they are beyond their intervals."""
    rows = []
    for row in compared["comparisons"]:
        spread = row.get("spread", {})
        if spread.get("fine_tuning") is None or len(set(row["trained"])) > 1 or len(set(row["models"])) > 1:
            continue
        groups: dict[str, list[str]] = {}
        for seed, value in row["by_seed"].items():
            groups.setdefault(row["starts"][seed], []).append(signed(value, 1))
        each = "; ".join(", ".join(own) for own in groups.values())
        parts = [number(spread[what], digits=1) for what in ("speakers", "fine_tuning", "pretraining")]
        rows.append([row["system"], row["reference"], each, *parts, beyond(row) or DASH])
    head = ["system", "against", "each training", "speakers", "fine-tunings", "pre-trainings", "interval of all three"]
    notes = [
        "each training: by seed; of one pre-trained extractor beside each other, with a semicolon before the next.",
        "speakers, fine-tunings, pre-trainings: the standard deviation of the difference over these, each as if the "
        "others stood still.",
    ]
    return Table(head, rows, notes)


def by_corpus(results_of: Mapping[str, Results], system: str, reference: str) -> list[str]:
    """The difference on each corpus that has it."""
    own = {name: comparison(results, system, reference) for name, results in results_of.items()}
    return [f"{name} {change(one['difference'])}" for name, one in own.items() if one]


def probes(results_of: Mapping[str, Results]) -> Table:
    """The questions that probes answer, a row each for training and for unseen speakers."""
    rows = []
    for question in next(iter(results_of.values()))["groups"]["questions"]:
        if "compare" in question:
            continue
        mine, theirs = probed(question)
        against = f"{mine[0]} against {theirs[0]}" if mine[0] != theirs[0] else f"F⁻ against F⁺ of {mine[0]}"
        for whose, title in (("train", "training speakers"), ("unseen", "two unseen speakers")):
            verdicts, counts, cells = set(), set(), []
            for results in results_of.values():
                if row := speaker_rows(results, mine, theirs).get(whose):
                    verdicts.add(verdict(row, mine, theirs))
                    counts.add(len(row["by_seed"]))
                    level, _, chance = levels(results, mine, theirs, whose)
                    cells.append(f"{change(row)}, to {level:.1f} % (chance {chance:.1f} %)")
                else:
                    cells.append(DASH)
            if verdicts:
                said = verdicts.pop() if len(verdicts) == 1 else "corpora differ"
                count = " to ".join(str(own) for own in sorted({min(counts), max(counts)})) if all(counts) else DASH
                rows.append([question["ask"], against, title, said.capitalize(), count, *cells])
    notes = [
        "Points of mean recall by which a linear probe recognises speakers better from the first than from the second, "
        f"with their interval over runs. Above {CEILING:.0f} %, little can differ.",
        "trainings: seeds that were probed. They disagree where the interval excludes 0 and one points the other way.",
    ]
    return Table(["question", "what is compared", "of whom", "answer", "trainings", *results_of], rows, notes)


def main(results_of: Mapping[str, Results]) -> list[str]:
    """The main systems of all corpora, in the groups' order."""
    every = list(dict.fromkeys(name for results in results_of.values() for name in short(results)))
    order = list(dict.fromkeys(name for results in results_of.values() for name in results["groups"]["main"]))
    return sorted(every, key=lambda name: order.index(name) if name in order else len(order))


def table(results_of: Mapping[str, Results]) -> Table:
    """wF1 of the main systems, a column a corpus."""
    shown = main(results_of)
    rows = [["majority class", DASH, *(number(results["majority"]["wf1"]) for results in results_of.values())]]
    for system in shown:
        entries = [results["systems"].get(system) for results in results_of.values()]
        cells = [f"{number(entry['wf1']['value'])} ({bounds(entry['wf1'])})" if entry else DASH for entry in entries]
        seeds = [[*map(str, entry["seeds"])] for entry in entries if entry and not entry["deterministic"]]
        of_all = all(own == seeds[0] for own in seeds)
        rows.append([system, "; ".join(" ".join(own) for own in seeds[: 1 if of_all else None]) or DASH, *cells])
    tested = [
        f"{name}: {len(results['test']['speakers'])} speakers, {results['test']['utterances']} utterances"
        for name, results in results_of.items()
    ]
    notes = [
        f"wF1 ({NAMES['wF1']}), in percent, mean over seeds, with its 95 % interval (bootstrap over speakers). "
        "Each speaker is tested once, by systems that never heard them.",
        f"Tested: {'; '.join(tested)}.",
    ]
    if told := {name for results in results_of.values() for name in informed(results)} & {*shown}:
        notes.append(f"{names(sorted(told))} must know whose an utterance is, of those who are tested, too.")
    if any(";" in row[1] for row in rows):
        notes.append("seeds: of each corpus. Rows of other seeds are told apart by the differences alone.")
    return Table(["system", "seeds", *results_of], rows, notes)


def differences(compared: Mapping[str, Any]) -> Table:
    """Every difference over all corpora."""
    rows = [
        [
            row["system"],
            row["reference"],
            change(row["difference"]),
            signed(row["by_speaker"], 1),
            trainings(row),
            p_value(row["p"]),
            holm(row, row["planned"]),
            certainty(row),
        ]
        for row in compared["comparisons"]
    ]
    notes = [
        f"Points of wF1 over the same {compared['speakers']} speakers, with the 95 % interval of a bootstrap.",
        "speakers alike: the mean of the speakers' own differences, however many utterances each has.",
        TRAININGS,
        "p: Wilcoxon's signed ranks over speakers; Holm: corrected for all that were compared (their number in "
        "brackets), but the planned one.",
    ]
    head = ["system", "against", "difference", "speakers alike", "trainings", "p", "p, Holm", "shown"]
    return Table(head, rows, notes)
