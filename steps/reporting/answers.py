"""The questions of conf/groups.yaml, each answered in a sentence or two with its interval; other findings; limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from steps.reporting.comparisons import LEADS, certainty, comparison, corrected, lead
from steps.reporting.tables import MISTAKES
from steps.reporting.words import Results, bounds, change, names, number, off_zero, percent, signed

MOST = 5  # systems that one answer names with their figures
CEILING = 90.0  # of a probe, in percent: above it, spaces cannot differ by much
NOT = "Not answered: "
CONDITION = "Where it is known who speaks, and several utterances of each speaker are there, of varying emotions"


class Answer(NamedTuple):
    ask: str
    said: str
    more: str = ""  # what a short page leaves out

    def __str__(self) -> str:
        return f"**{self.ask}** {self.said} {self.more}".rstrip()


def answers(results: Results) -> list[Answer]:
    """On what to use, which is read most; of the questions; on mistakes, on all changes, on selecting an epoch."""
    replies = [Answer("What should I use?", best(results))]
    lacking = {question["ask"]: untrained(results, question) for question in results["groups"]["questions"]}
    replies += [reply(results, one) for one in results["groups"]["questions"] if not lacking[one["ask"]]]
    if leaks := results["leaks"]:
        replies.append(Answer("What do the usual mistakes inflate?", inflation(leaks)))
    if changed := [row for row in results["comparisons"] if row["family"] != "asked"]:
        replies.append(Answer("Which changes make a difference?", *changes(changed)))
    if (chosen := results["selection"]) and chosen["mean_gain"] is not None:  # null where a last epoch was not scored
        replies.append(Answer("Does it pay to select the epoch?", selection(results, chosen)))
    if absent := list(dict.fromkeys(sum(lacking.values(), []))):
        said = f"{NOT}questions about {names(absent, 99)}, not trained here."
        replies.append(Answer("What else can be asked?", said))
    return replies


def untrained(results: Results, question: Mapping[str, Any]) -> list[str]:
    """The systems that a question is about of which there are no results."""
    about = question.get("compare") or dict.fromkeys(name for name, _ in probed(question))
    return [name for name in about if name not in results["systems"]]


def reply(results: Results, question: Mapping[str, Any]) -> Answer:
    """The answer to a question of conf/groups.yaml."""
    if absent := untrained(results, question):
        return Answer(question["ask"], f"{NOT}{names(absent)} {'was' if len(absent) == 1 else 'were'} not trained.")
    pair = question.get("compare")
    return Answer(question["ask"], *(compare(results, *pair) if pair else probe(results, *probed(question))))


def probed(question: Mapping[str, Any]) -> tuple[tuple[str, str], tuple[str, str]]:
    """The two embeddings, a system and its space, that a question sets against each other."""
    if pair := question.get("speaker_probe"):
        return (pair[0], "embedding"), (pair[1], "embedding")
    return (question["spaces"], "embedding_minus"), (question["spaces"], "embedding")


def selection(results: Results, chosen: Mapping[str, Any]) -> str:
    """Whether the epoch that the validation speakers select is better than the last."""
    speakers = results["test"]["validation_speakers"]
    than = "more" if chosen["mean_gain"] > 0 else "less"
    whose = f"{speakers} validation speaker{'s' * (speakers != 1)}"
    return (
        f"Not tested: on average the last epoch has {abs(chosen['mean_gain']):.2f} points {than} wF1 than the "
        f"selected one, and more for {chosen['last_better']} of {chosen['networks']} networks. The tables still show "
        f"the selected epoch, as fixed beforehand; {whose} a run selected it."
    )


def compare(results: Results, system: str, reference: str) -> tuple[str, str]:
    """Whether `system` has a higher wF1."""
    if not (row := comparison(results, system, reference)):
        return f"{NOT}{system} and {reference} have no seed in common.", ""
    difference, seeds = row["difference"], row["by_seed"]
    each = ", ".join(f"{signed(value, 1)} with seed {seed}" for seed, value in seeds.items())
    return (
        f"{lead(row)}: {system} differs from {reference} by "
        + points(difference, corrected(row, row["family"] == "planned"))
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
        return f"{NOT}the embeddings of {mine[0]} or {theirs[0]} have not been probed.", ""

    def told(whose: str) -> str:
        *sides, chance = levels(results, mine, theirs, whose)
        note = "both near the ceiling" if min(sides) > CEILING else f"chance {chance:.1f} %"
        return f"{sides[0]:.1f} and {sides[1]:.1f} % mean recall: {points(rows[whose], note)}."

    said = verdict(rows["train"], mine, theirs)
    if "unseen" in rows and (other := verdict(rows["unseen"], mine, theirs)) != said:
        said += f" for training speakers, {other} for unseen ones"
    return (
        f"{said[0].upper()}{said[1:]}: a linear probe recognises training speakers {whom(mine, theirs, 'and')} with "
        + told("train"),
        f"It tells two unseen speakers apart with {told('unseen')}" if "unseen" in rows else "",
    )


def whom(mine: tuple[str, str], theirs: tuple[str, str], joined: str = "than") -> str:
    """What a probe sees: `from F⁻ and from F⁺ of x`, `from x than from y`."""
    if mine[0] == theirs[0]:
        return f"from F⁻ {joined} from F⁺ of {mine[0]}"
    return f"from {mine[0]} {joined} from {theirs[0]}"


def levels(results: Results, mine: tuple[str, str], theirs: tuple[str, str], of: str) -> tuple[float, float, float]:
    """How well probes recognise speakers from either, and chance; in percent."""
    sides = [results["probes"][system][space]["speaker"][of]["probe"] for system, space in (mine, theirs)]
    return 100 * sides[0]["value"], 100 * sides[1]["value"], 100 * sides[0]["chance"]


def speaker_rows(results: Results, mine: tuple[str, str], theirs: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Whose speakers (train, unseen) → by how many points the probes differ, and seed by seed (shares of 1)."""
    return {
        row["of"]: percent(row["difference"]) | {"by_seed": row.get("by_seed", {})}
        for row in results["probe_differences"]
        if row["attribute"] == "speaker"
        and (row["system"], row["space"], row["against"], row["against_space"]) == (*mine, *theirs)
    }


def verdict(row: Mapping[str, Any], mine: tuple[str, str], theirs: tuple[str, str]) -> str:
    """Whether another system's embedding holds less of the speaker or, of two spaces of one, F⁻ more than F⁺."""
    if not off_zero(row):
        return "no difference is shown"
    if any(own * row["value"] <= 0 for own in row["by_seed"].values()):
        return "trainings disagree"
    return "yes" if (row["value"] > 0) == (mine[0] == theirs[0]) else "no, the opposite"


def inflation(leaks: Sequence[Mapping[str, Any]]) -> str:
    """What each mistake adds: with an interval, paired by speaker, where speakers are true."""
    sentences = []
    for mistake in dict.fromkeys(leak["mistake"] for leak in leaks):
        each = []
        for leak in (one for one in leaks if one["mistake"] == mistake):
            gain, seeds = leak["gain"], names([str(seed) for seed in leak["seeds"]])
            interval = "" if gain["low"] is None else f"95 % interval {bounds(gain)}; "
            each.append(
                f"{leak['system']} by {number(gain['value'], digits=1)} points, to {leak['wf1']['value']:.1f} "
                f"({interval}seed{'s' * (len(leak['seeds']) > 1)} {seeds})"
            )
        name = MISTAKES.get(mistake, mistake)
        sentences.append(f"{name[0].upper()}{name[1:]} inflates wF1 of {names(each)}.")
    return " ".join(sentences)


def best(results: Results) -> str:
    """The highest wF1, and from which others it is not told apart."""
    name, total = results["best"]["system"], results["best"]["of"]
    equals = [f"{other}, {change(lead)}" for other, lead in results["best"]["not_told_from"].items()]
    equals = [*equals[:MOST], *[f"{len(equals) - MOST} more"] * (len(equals) > MOST)]
    wf1 = results["systems"][name]["wf1"]
    span = "" if wf1["low"] is None else f" (95 % interval {bounds(wf1)})"
    of_informed = {name: results["systems"][name]["wf1"]["value"] for name in informed(results)}
    return (
        f"{name}{about(results, name)} has the highest wF1 here, {wf1['value']:.1f}{span}."
        + f" No difference is shown from: {'; '.join(equals)}." * bool(equals)
        + f" The best of {total} systems is biased upwards." * (total > 1)
        + "".join(f" {CONDITION}: {one}, {of_informed[one]:.1f}." for one in best_of(of_informed, wf1["value"]))
        + f" {CONDITION}." * (name in results["best"].get("told_who_speaks", []))
    )


def informed(results: Results) -> list[str]:
    """Systems that must know whose an utterance is, which the others need not."""
    return [name for name in results["best"].get("told_who_speaks", []) if name != results["best"]["system"]]


def best_of(wf1: Mapping[str, float], others: float) -> list[str]:
    """The best of some systems, by their wF1, where it is above that of the `others`; else none."""
    return sorted((name for name in wf1 if wf1[name] > others), key=lambda name: -wf1[name])[:1]


def about(results: Results, name: str) -> str:
    """` (what a system is)`, in the first sentence of its description."""
    said = (results["systems"][name]["description"] or "").partition(". ")[0].rstrip(".")
    return f" ({said if said[1:2].isupper() else said[0].lower() + said[1:]})" if said else ""  # VGG5 stays what it is


def changes(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Which systems are told apart from their parents, the largest difference first; which may be."""
    kinds: dict[str, list[str]] = {kind: [] for kind in LEADS}
    for row in sorted(rows, key=lambda row: -abs(row["difference"]["value"])):
        planned = " (planned)" * (row["family"] == "planned")
        kinds[certainty(row)].append(f"{row['system']} {signed(row['difference']['value'], 1)}{planned}")
    count, once, hints = (names(kinds[kind], 40) for kind in ("difference", "one training", "hint"))
    return (
        f"Of {len(rows)}, those that count: {count}.",
        f"By a single training: {once}. Hints: {hints}.",
    )
