"""What several corpora answer together: the questions of conf/groups.yaml, and what to use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steps.reporting.answers import (
    NOT,
    Answer,
    about,
    inflation,
    informed,
    lead,
    levels,
    probed,
    reply,
    speaker_rows,
    told_who_speaks,
    verdict,
    whom,
)
from steps.reporting.tables import NAMES, Table, comparison, short
from steps.reporting.words import DASH, Results, bounds, certainty, change, names, number, p_value, signed

TRAININGS = (
    "trainings: of the seeds that both systems have; `6 on 3`: six, which start from three pre-trainings. Where one of "
    "the two alone is pre-trained, all of its own against all of the other's."
)


def answers(results_of: Mapping[str, Results], compared: Mapping[str, Any] | None) -> list[Answer]:
    """Of several corpora: the answer over all of them together, where `compared` (together.json) has one; else that of
    the corpora that have one."""
    rows = over_all(compared)
    replies = []
    for question in next(iter(results_of.values()))["groups"]["questions"]:
        pair = tuple(question.get("compare", ()))
        if pair in rows:
            replies.append(Answer(question["ask"], pooled(rows[pair], results_of)))
            continue
        each = {name: reply(results, question).said for name, results in results_of.items()}
        known = {name: results_of[name] for name, said in each.items() if not said.startswith(NOT)}
        more = ""
        if not known:
            said = next(iter(each.values()))
        elif pair:
            first, *others = known
            rest = "; ".join(by_corpus({name: known[name] for name in others}, *pair))
            said = f"On {first}: {each[first]}" + f" On others: {rest}." * bool(rest)
        else:
            said, more = probed_everywhere(known, *probed(question))
        replies.append(Answer(question["ask"], said, more))
    inflated = {name: inflation(own["leaks"]) for name, own in results_of.items() if own["leaks"]}
    if inflated:
        leaks = (f"On {name}, {said[0].lower()}{said[1:]}" for name, said in inflated.items())
        replies.append(Answer("What do the usual mistakes inflate?", " ".join(leaks)))
    return replies


def over_all(compared: Mapping[str, Any] | None) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """(system, reference) → the difference over all corpora, of `compared` (together.json)."""
    return {(row["system"], row["reference"]): row for row in compared["comparisons"]} if compared else {}


def questions(results_of: Mapping[str, Results], compared: Mapping[str, Any]) -> Table:
    """The questions that a difference answers, over all corpora or on the only one that has it; a row each."""
    rows, differences = over_all(compared), []
    for question in next(iter(results_of.values()))["groups"]["questions"]:
        if pair := question.get("compare"):
            own = [comparison(results, *pair) for results in results_of.values()]
            known = [one for one in own if one]
            overall = rows.get(tuple(pair))
            if row := overall or (known[0] if len(known) == 1 else None):
                said = [question["ask"], " against ".join(pair), lead(row), trainings(row)]
                each = [change(one["difference"]) if one else DASH for one in (overall, *own)]
                differences.append([*said, *each])
    notes = [
        "all corpora, and each: points of wF1, with the 95 % interval of a bootstrap over speakers.",
        whose(compared),
        TRAININGS,
    ]
    return Table(
        ["question", "what is compared", "answer", "trainings", "all corpora", *results_of], differences, notes
    )


def whose(compared: Mapping[str, Any]) -> str:
    """Which speakers differences over all corpora are of."""
    without = f", without the {compared['left_out']} that systems were developed on" * bool(compared["left_out"])
    return (
        f"Differences are over {compared['speakers']} speakers of {names(compared['corpora'])} together{without} "
        f"({compared['utterances']} utterances); those within a corpus over all of its speakers."
    )


def pooled(row: Mapping[str, Any], results_of: Mapping[str, Results]) -> str:
    """A difference over all corpora, and on each."""
    system, reference, difference = row["system"], row["reference"], row["difference"]
    own = by_corpus(results_of, system, reference)
    each = f"; by corpus: {', '.join(own)}" * bool(own)
    return (
        f"{lead(row)}: {system} differs from {reference} by {signed(difference['value'], 1)} points (95 % interval "
        f"{bounds(difference)}){each}."
    )


def trainings(row: Mapping[str, Any]) -> str:
    """How many of the system's and of the reference's a difference rests on: `6 on 3` of six on three pre-trainings,
    `6 on 3 against 1` where the two sides have unlike many, a dash where nothing depends on a seed."""
    models = len(set(row.get("starts", {}).values()) - {""})
    of, against = row["trained"]
    said = f"{of or DASH}" + f" on {models}" * bool(models)
    return said if of == against else f"{said} against {against or DASH}"


def varied(compared: Mapping[str, Any]) -> list[str]:
    """What each difference with several seeds varies with, a sentence each: how sure it is beyond its interval."""
    said = []
    for row in compared["comparisons"]:
        of = {"speakers": "over speakers", "fine_tuning": "over fine-tunings", "pretraining": "over pre-trainings"}
        known = {what: row.get("spread", {}).get(what) for what in of}
        if row["planned"] and known["fine_tuning"] is not None:
            starts = list(dict.fromkeys(row["starts"].values()))
            each = [f"{signed(value, 1)} (seed {seed}, pre-training {starts.index(row['starts'][seed]) + 1})"
                    for seed, value in row["by_seed"].items()]  # fmt: skip
            parts = [f"{number(value, digits=1)} {of[what]}" for what, value in known.items() if value is not None]
            said.append(
                f"{row['system']} against {row['reference']}, training by training: {names(each)}. "
                f"Standard deviations: {names(parts)}."
            )
    return said


def by_corpus(results_of: Mapping[str, Results], system: str, reference: str) -> list[str]:
    """The difference on each corpus that has it."""
    own = {name: comparison(results, system, reference) for name, results in results_of.items()}
    return [f"{name} {change(one['difference'])}" for name, one in own.items() if one]


def probed_everywhere(
    results_of: Mapping[str, Results], mine: tuple[str, str], theirs: tuple[str, str]
) -> tuple[str, str]:
    """What probes say of training speakers, in short, and on each corpus; of unseen ones, its own page tells."""
    each, verdicts = [], set()
    for name, results in results_of.items():
        row = speaker_rows(results, mine, theirs)["train"]
        level, _, chance = levels(results, mine, theirs, "train")
        each.append(f"{name} {change(row)}, to {level:.1f} % (chance {chance:.1f} %)")
        verdicts.add(verdict(row, mine, theirs))
    said = verdicts.pop() if len(verdicts) == 1 else "that differs between corpora"
    return (
        f"{said[0].upper()}{said[1:]}.",
        f"Points by which a linear probe recognises training speakers better "
        f"{whom(mine, theirs)} (mean recall): {'; '.join(each)}.",
    )


def best(results_of: Mapping[str, Results], compared: Mapping[str, Any] | None) -> list[str]:
    """What to use, a line each: the highest mean of wF1 over the corpora, and by how much it leads others over all of
    them together (`compared`, together.json); where it is known who speaks; on each corpus."""
    every = list(results_of.values())
    everywhere = [name for name in every[0]["systems"] if all(name in results["systems"] for results in every)]
    means = {name: sum(own["systems"][name]["wf1"]["value"] for own in every) / len(every) for name in everywhere}
    aside = {name for results in every for name in informed(results)}
    said = []
    if ranked := sorted(means.keys() - aside, key=lambda name: (-means[name], name)):
        first, *rest = ranked
        run = "that were run on all" + " and need not know who speaks" * bool(aside)
        following = []
        for name in rest[:2]:
            behind = ahead(compared, first, name)
            following.append(
                f"{name}, {means[name]:.1f}" + (f" (paired difference {change(behind)})" if behind else "")
            )
        said.append(
            f"In general: {first}{about(every[0], first)}. Its mean wF1 over the corpora, {means[first]:.1f}, is the "
            f"highest of the {len(ranked)} systems {run}. The best of several is biased upwards."
            + f" Next: {names(following)}."
            * bool(following)
        )
        said += [told_who_speaks({name: means[name] for name in sorted(aside & means.keys())}, means[first])]
    for corpus, results in results_of.items():
        name, equals = results["best"]["system"], [*results["best"]["not_told_from"]]
        shared = sorted(equals, key=lambda one: one not in short(results))  # those of the table first
        wf1 = results["systems"][name]["wf1"]
        span = "" if wf1["low"] is None else f" ({bounds(wf1)})"
        shown = f"; no difference shown from {names(shared)}" * bool(shared)
        speakers = f"{corpus} ({len(results['test']['speakers'])} speakers)"
        said.append(f"On {speakers}: {name}, {wf1['value']:.1f}{span}{shown}.")
    return [*filter(None, said)]


def ahead(compared: Mapping[str, Any] | None, system: str, reference: str) -> dict[str, float | None] | None:
    """The difference over all corpora, whichever of the two it is written of; None where there is none."""
    rows = over_all(compared)
    if row := rows.get((system, reference)):
        return row["difference"]
    if row := rows.get((reference, system)):
        value, low, high = (row["difference"][key] for key in ("value", "low", "high"))
        return {"value": -value, "low": None if high is None else -high, "high": None if low is None else -low}
    return None


def table(results_of: Mapping[str, Results]) -> Table:
    """wF1 of the main systems, a column a corpus."""
    main = list(dict.fromkeys(name for results in results_of.values() for name in short(results)))
    order = list(dict.fromkeys(name for results in results_of.values() for name in results["groups"]["main"]))
    rows = [["majority class", DASH, *(number(results["majority"]["wf1"]) for results in results_of.values())]]
    for system in sorted(main, key=lambda name: order.index(name) if name in order else len(order)):
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
    if told := {name for results in results_of.values() for name in informed(results)} & {*main}:
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
            "planned" if row["planned"] else p_value(row["p_corrected"]),
            certainty(row),
        ]
        for row in compared["comparisons"]
    ]
    notes = [
        f"Points of wF1 over the same {compared['speakers']} speakers, with the 95 % interval of a bootstrap.",
        "speakers alike: the mean of the speakers' own differences, however many utterances each has.",
        TRAININGS,
        "p: Wilcoxon's signed ranks over speakers; Holm: corrected for all that were compared, but the planned one.",
    ]
    head = ["system", "against", "difference", "speakers alike", "trainings", "p", "p, Holm", "shown"]
    return Table(head, rows, notes)
