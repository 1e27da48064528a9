"""The questions of conf/groups.yaml, each answered in a sentence or two with its interval; other findings; limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from steps.reporting.tables import MISTAKES, comparison
from steps.reporting.words import Results, bounds, certainty, change, names, number, off_zero, p_value, percent, signed

MOST = 5  # systems that one answer names with their figures
CEILING = 90.0  # of a probe, in percent: above it, spaces cannot differ by much
NOT = "Not answered: "
LEADS = {  # certainty of a difference → of one downwards, of one upwards
    "difference": ("No, it harms", "Yes"),
    "hint": ("A hint that it harms", "A hint that it does"),
    "no difference": ("No difference is shown", "No difference is shown"),
}


class Answer(NamedTuple):
    ask: str
    said: str
    more: str = ""  # what a short page leaves out

    def __str__(self) -> str:
        return f"**{self.ask}** {self.said} {self.more}".rstrip()


def answers(results: Results) -> list[Answer]:
    """On what to use, which is read most; of the questions; on mistakes, on all changes, on selecting an epoch."""
    replies = [Answer("What should I use?", best(results))]
    replies += [reply(results, question) for question in results["groups"]["questions"]]
    if leaks := results["leaks"]:
        replies.append(Answer("What do the usual mistakes inflate?", " ".join(map(inflation, leaks))))
    if results["comparisons"]:
        replies.append(Answer("Which changes make a difference?", *changes(results)))
    if (chosen := results["selection"]) and chosen["mean_gain"] is not None:  # null where a last epoch was not scored
        replies.append(Answer("Does it pay to select the epoch?", selection(results, chosen)))
    return replies


def reply(results: Results, question: Mapping[str, Any]) -> Answer:
    """The answer to a question of conf/groups.yaml."""
    pair = question.get("compare")
    return Answer(question["ask"], *(compare(results, *pair) if pair else probe(results, *probed(question))))


def probed(question: Mapping[str, Any]) -> tuple[tuple[str, str], tuple[str, str]]:
    """The two embeddings, a system and its space, that a question sets against each other."""
    if pair := question.get("speaker_probe"):
        return (pair[0], "embedding"), (pair[1], "embedding")
    return (question["spaces"], "embedding_minus"), (question["spaces"], "embedding")


def of_all(results_of: Mapping[str, Results], compared: Mapping[str, Any] | None) -> list[Answer]:
    """Of several corpora: the answer over all of them together, where `compared` (together.json) has one, else that of
    the first corpus that has one, and differences on the others."""
    rows = {(row["system"], row["reference"]): row for row in compared["comparisons"]} if compared else {}
    replies = []
    for question in next(iter(results_of.values()))["groups"]["questions"]:
        pair = tuple(question.get("compare", ()))
        if compared and pair in rows:
            replies.append(Answer(question["ask"], pooled(results_of, compared, rows[pair])))
            continue
        each = {name: reply(results, question)._replace(more="") for name, results in results_of.items()}
        known = [name for name, one in each.items() if not one.said.startswith(NOT)]
        if not known:
            replies.append(next(iter(each.values())))
            continue
        rest = {name: results_of[name] for name in known[1:]}
        if pair:
            others = by_corpus(rest, *pair)
        else:
            sides = probed(question)
            told = {name: speaker_rows(results, *sides) for name, results in rest.items()}
            others = [f"{name}, {lead(own, *sides).lower()}: {change(own['train'])}" for name, own in told.items()]
        more = f" On others: {'; '.join(others)}." * bool(others)
        replies.append(each[known[0]]._replace(said=f"On {known[0]}: {each[known[0]].said}{more}"))
    return replies


def pooled(results_of: Mapping[str, Results], compared: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """A difference over all corpora, and on each."""
    system, reference, difference = row["system"], row["reference"], row["difference"]
    each = by_corpus(results_of, system, reference)
    p = f"p {p_value(row['p' if row['planned'] else 'p_corrected'])}{', planned beforehand' * row['planned']}"
    return (
        f"{LEADS[certainty(row)][difference['value'] > 0]}: {system} differs from {reference} by "
        f"{points(difference, p)} over the {compared['speakers']} speakers of {names(compared['corpora'])} together. "
        f"By corpus: {'; '.join(each)}."
    )


def by_corpus(results_of: Mapping[str, Results], system: str, reference: str) -> list[str]:
    """The difference on each corpus that has it."""
    own = {name: comparison(results, system, reference) for name, results in results_of.items()}
    return [f"{name} {change(one['difference'])}" for name, one in own.items() if one]


def selection(results: Results, chosen: Mapping[str, Any]) -> str:
    """Whether the epoch that the validation speakers select is better than the last."""
    speakers = results["test"]["validation_speakers"]
    lead, than = ("No", "more") if chosen["mean_gain"] > 0 else ("Yes", "less")
    return (
        f"{lead}: on average the last epoch has {abs(chosen['mean_gain']):.2f} points {than} wF1 than the selected "
        f"one, and more for {chosen['last_better']} of {chosen['networks']} networks. The tables still show the "
        f"selected epoch, as fixed beforehand; {speakers} validation speaker{'s' * (speakers != 1)} a run selected it."
    )


def compare(results: Results, system: str, reference: str) -> tuple[str, str]:
    """Whether `system` has a higher wF1."""
    if not (row := comparison(results, system, reference)):
        absent = [name for name in (system, reference) if name not in results["systems"]]
        why = f"{' and '.join(absent)} {'was' if len(absent) == 1 else 'were'} not trained" if absent else ""
        return f"{NOT}{why or f'{reference} is not the parent of {system}, or they have no seed in common'}.", ""
    difference, seeds = row["difference"], row["by_seed"]
    mine, theirs = (results["systems"][name]["wf1"]["value"] for name in (system, reference))
    p = f"p {p_value(row['p'])}, "
    p += "planned beforehand" if row["family"] == "planned" else f"{p_value(row['p_corrected'])} after correction"
    each = ", ".join(f"{signed(value, 1)} with seed {seed}" for seed, value in seeds.items())
    return (
        f"{LEADS[certainty(row)][difference['value'] > 0]}: {system} reaches wF1 {mine:.1f}, {reference} {theirs:.1f}: "
        + points(difference, p)
        + "."
        + f" Seed by seed: {each}." * (len(seeds) > 1),
        "",
    )


def points(difference: Mapping[str, Any], note: str) -> str:
    """`+6.9 points (95 % interval 5.7 to 8.1; chance 6.2 %)`."""
    interval = "" if difference["low"] is None else f"95 % interval {bounds(difference)}; "
    return f"{signed(difference['value'], 1)} points ({interval}{note})"


def probe(results: Results, mine: tuple[str, str], theirs: tuple[str, str]) -> tuple[str, str]:
    """How much one embedding, a system and its space, tells of speakers against another: whether it holds less than
    another system's or, of two spaces of one system, whether F⁻ holds more than F⁺."""
    rows = speaker_rows(results, mine, theirs)
    if "train" not in rows:
        absent = [name for name in dict.fromkeys((mine[0], theirs[0])) if name not in results["systems"]]
        why = f"{' and '.join(absent)} {'was' if len(absent) == 1 else 'were'} not trained" if absent else ""
        return f"{NOT}{why or f'the embeddings of {mine[0]} or {theirs[0]} have not been probed'}.", ""

    def told(whose: str) -> str:
        sides = [results["probes"][system][space]["speaker"][whose]["probe"] for system, space in (mine, theirs)]
        levels, chance = [100 * side["value"] for side in sides], 100 * sides[0]["chance"]
        note = "both near the ceiling" if min(levels) > CEILING else f"chance {chance:.1f} %"
        return f"{levels[0]:.1f} and {levels[1]:.1f} % mean recall: {points(rows[whose], note)}."

    one = mine[0] == theirs[0]
    whom = f"from F⁻ and from F⁺ of {mine[0]}" if one else f"from {mine[0]} and from {theirs[0]}"
    return (
        f"{lead(rows, mine, theirs)}: a linear probe recognises training speakers {whom} with {told('train')}",
        f"It tells two unseen speakers apart with {told('unseen')}" if "unseen" in rows else "",
    )


def speaker_rows(results: Results, mine: tuple[str, str], theirs: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Whose speakers (train, unseen) → by how many points the probes differ."""
    return {
        row["of"]: percent(row["difference"])
        for row in results["probe_differences"]
        if row["attribute"] == "speaker"
        and (row["system"], row["space"], row["against"], row["against_space"]) == (*mine, *theirs)
    }


def lead(rows: Mapping[str, Mapping[str, Any]], mine: tuple[str, str], theirs: tuple[str, str]) -> str:
    """Whether another system's embedding holds less of the speaker or, of two spaces of one, F⁻ more than F⁺."""

    def verdict(of: str) -> str:
        as_asked = (rows[of]["value"] > 0) == (mine[0] == theirs[0])
        return ("yes" if as_asked else "no, the opposite") if off_zero(rows[of]) else "no difference is shown"

    said = verdict("train")
    if "unseen" in rows and verdict("unseen") != said:
        said += f" for training speakers, {verdict('unseen')} for unseen ones"
    return said[0].upper() + said[1:]


def inflation(leak: Mapping[str, Any]) -> str:
    """What a mistake adds: with an interval, paired by speaker, where speakers are true."""
    name, seeds = MISTAKES.get(leak["mistake"], leak["mistake"]), names([str(seed) for seed in leak["seeds"]])
    details = [f"{leak['system']}, seed{'s' * (len(leak['seeds']) > 1)} {seeds}"]
    if leak["gain"]["low"] is not None:
        details.insert(0, f"95 % interval {bounds(leak['gain'])}")
    gain, wf1 = leak["gain"]["value"], leak["wf1"]["value"]
    words = f"{name[0].upper()}{name[1:]} inflates wF1 by {number(gain, digits=1)} points, to {wf1:.1f}"
    return f"{words} ({'; '.join(details)})."


def best(results: Results) -> str:
    """The highest wF1, and from which others it is not told apart."""
    name, total = results["best"]["system"], results["best"]["of"]
    equals = [f"{other}, {change(lead)}" for other, lead in results["best"]["not_told_from"].items()]
    equals = [*equals[:MOST], *[f"{len(equals) - MOST} more"] * (len(equals) > MOST)]
    wf1 = results["systems"][name]["wf1"]
    span = "" if wf1["low"] is None else f" (95 % interval {bounds(wf1)})"
    return (
        f"{name}{about(results, name)} has the highest wF1 here, {wf1['value']:.1f}{span}."
        + f" No difference is shown from: {'; '.join(equals)}." * bool(equals)
        + f" The best of {total} systems is biased upwards." * (total > 1)
    )


def about(results: Results, name: str) -> str:
    """` (what a system is)`, in the first sentence of its description."""
    said = (results["systems"][name]["description"] or "").partition(". ")[0].rstrip(".")
    return f" ({said[0].lower()}{said[1:]})" if said else ""


def best_of_all(results_of: Mapping[str, Results]) -> tuple[str, list[str]]:
    """The highest mean of wF1 over the corpora, and what is best on each."""
    every = list(results_of.values())
    everywhere = [name for name in every[0]["systems"] if all(name in results["systems"] for results in every)]
    means = {name: sum(own["systems"][name]["wf1"]["value"] for own in every) / len(every) for name in everywhere}
    first, *rest = sorted(means, key=lambda name: -means[name]) or [""]
    lead = (
        f"{first}{about(every[0], first)}: of {len(means)} systems it has the highest mean of wF1 over the corpora, "
        f"{means[first]:.1f}"
        + f"; next come {names([f'{name}, {means[name]:.1f}' for name in rest[:2]])}" * bool(rest)
        + ". The best of several is biased upwards. "
        if first
        else ""
    )
    said = f"{lead}On each corpus:"
    each = []
    for corpus, results in results_of.items():
        name, equals = results["best"]["system"], [*results["best"]["not_told_from"]]
        wf1 = results["systems"][name]["wf1"]
        span = "" if wf1["low"] is None else f" (95 % interval {bounds(wf1)})"
        each.append(f"{corpus}: {name}, {wf1['value']:.1f}{span}" + f"; not told from {names(equals)}" * bool(equals))
    return said, [f"{one}." for one in each]


def changes(results: Results) -> tuple[str, str]:
    """Which systems are told apart from their parents, the largest difference first; which may be."""
    kinds: dict[str, list[str]] = {kind: [] for kind in LEADS}
    for row in sorted(results["comparisons"], key=lambda row: -abs(row["difference"]["value"])):
        kinds[certainty(row)].append(f"{row['system']} {signed(row['difference']['value'], 1)}")
    survive, hints = names(kinds["difference"], 40), names(kinds["hint"], 40)
    return (
        f"Those that survive Holm's correction: {survive} of {len(results['comparisons'])}.",
        f"Hints (the interval excludes 0, the corrected p is above 0.05): {hints}.",
    )
