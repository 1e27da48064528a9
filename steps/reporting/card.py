"""A model's card: what it is, what it can do and what not, from its results.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps.prediction.model import CARD, Calibration
from steps.reporting.figures import save
from steps.reporting.page import bullets, document, picture
from steps.reporting.page import write as write_text
from steps.reporting.tables import Table
from steps.reporting.words import names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Results = Mapping[str, Any]
COLUMNS = {"recordings": "recordings", "wf1": "wF1", "ua": "UA", "ece": "ECE", "unlike": "`unlike`"}
ADAPTED = {key: name for key, name in COLUMNS.items() if key != "unlike"}  # which is told of recordings as heard
RECALL = {"recordings": "recordings", "ua": "recall", "ece": "ECE", "unlike": "`unlike`"}  # of a class, UA is that
CHANGED = {  # kind of copies → what was done to them
    "speed": "faster and slower",
    "reverb": "in rooms",
    "noise": "in noise",
    "music": "with music",
    "babble": "among voices",
    "telephone": "by telephone",
    "mulaw": "in 8 bits by µ-law",
    "gain": "louder and softer",
}
SURE = {"right_else": "these", "right": "the others"}
LENGTH = "length, at most"
CURVES = {"gain": "gain, dB", "pink noise, SNR": "pink noise, SNR in dB", LENGTH: "length, at most, s"}
LAW = """Do not use it to judge people. What it answers is how such recordings were labelled (acted ones: what was \
meant to be heard), not what anybody feels. Emotion recognition does harm where it is believed. In the European Union \
it is forbidden at work and in education, but for medical or safety reasons, since 2 February 2025 (Regulation (EU) \
2024/1689, Art. 5(1)(f)), and elsewhere people must be told that it is used on them (Art. 50(3)). \
<https://eur-lex.europa.eu/eli/reg/2024/1689/oj>"""


def shortest(results: Results) -> float:
    """Seconds below which less than half of what an answer is worth beyond chance is left; 0 where that was not
    found."""
    chance = 100 / len(results["classes"])
    table = results["changed"].get(LENGTH, {})
    rows = {float(how.split()[0]): row for how, row in table.items() if how != "as recorded"}
    good = [s for s, row in rows.items() if row["ua"] - chance >= (table["as recorded"]["ua"] - chance) / 2]
    return min(good) if good and len(good) < len(rows) else 0.0


def figure(value: float, name: str) -> str:
    return f"{value:.3f}" if name in ("ece", "auroc") else f"{value:.0f}" if name == "recordings" else f"{value:.1f}"


def table(rows: Mapping[str, Mapping[str, float]], head: str, columns: Mapping[str, str] = COLUMNS) -> str:
    cells = [
        [name.partition(". ")[2] or name, *(figure(row[key], key) for key in columns)] for name, row in rows.items()
    ]
    return Table([head, *columns.values()], cells, []).markdown().strip()


def write(results: Results, calibration: Calibration, folder: Path) -> None:
    """CARD.md and card.png in `folder`."""
    save(drawn(results), folder, "card", ["png"])
    write_text(
        folder / CARD,
        document("Emotions in speech: a model card", "steps/make_model.py", sections(results, calibration)),
    )


def sections(results: Results, calibration: Calibration) -> dict[str, list[str]]:
    """Heading → blocks."""
    speakers, total = results["unseen_speakers"], results["unseen_speakers"]["all"]["all"]
    classes, about, cost = results["classes"], results["about"], results["cost"]
    sure, chance = results["sure"], 100 / len(classes)
    said = {
        "": [
            f"From a recording of speech to posteriors of {', '.join(classes)}. Of speakers that it has not heard, it "
            f"finds {total['ua']:.1f} % of each class on average (chance: {chance:.0f} %). "
            + (of_corpora(results) if "unseen_corpora" in results else ""),
            LAW,
            "`steps/predict.py FILE` answers with it; `--help` says how.",
        ],
        "What it was made from": [
            bullets(corpus_line(name, about.get(name) or {}, *counts) for name, counts in results["corpora"].items()),
            f"It was trained on them and on {results['copies']} copies: "
            f"{names([CHANGED[kind] for kind in results['kinds']])}."
            if results["copies"]
            else "",
            "Whether it is acted, the corpora's makers say. A model of recordings that may not be used commercially "
            "may not be, either.",
            f"It hears what lies below {results['highest']:.0f} Hz, where the poorest corpus ends, as statistics of "
            "spectrum, pitch and voice quality (`steps/frontend/descriptors.py`), whatever the level. It detects no "
            "speech: frames more than 35 dB below the loud ones are not heard. A network of one hidden layer follows: "
            f"{cost['parameters']:,} parameters, as many multiplications an answer. A second of sound takes one core "
            f"{1000 * cost['real_time_factor']:.1f} ms. In 8 bits (`steps/export.py`) wF1 is "
            f"{results['int8']['wf1']:.2f} instead of {total['wf1']:.2f}.",
        ],
        "Speakers it has not heard": [
            "Each recording is answered by a model, made in the same way, that has not heard its speaker. wF1, UA "
            "(mean recall) and `unlike` (recordings that are flagged) are percentages; ECE is a share of 1.",
            *(
                table(rows, head, RECALL if head == "class" else COLUMNS)
                for head, rows in speakers.items()
                if rows and head != "all"
            ),
            "The same with `--adapt speaker`: what a speaker's recordings have in common is taken away. Posteriors are "
            "calibrated without it.",
            table(results["unseen_speakers_adapted"], "corpus", ADAPTED),
        ],
    }
    if "unseen_corpora" in results:
        said["Corpora it has not heard"] = [
            "By models that leave one corpus out: about what to expect of recordings of your own. How models are made "
            "was chosen with crema-d, nemo and ravdess in sight, so that their figures are somewhat optimistic.",
            table(results["unseen_corpora"]["alone"], "corpus"),
            "The same with `--adapt all`: what all recordings of the corpus have in common is taken away.",
            table(results["unseen_corpora"]["all"], "corpus", ADAPTED),
            "With `--adapt speaker`: what a speaker's recordings have in common. They are of all emotions here, about "
            "as often; of somebody of whom mostly one emotion is heard, it takes that away.",
            table(results["unseen_corpora"]["speaker"], "corpus", ADAPTED),
        ]
    said["How far to trust it"] = [
        f"Posteriors are calibrated by temperature ({calibration.temperature:.2f}), found on speakers that the models "
        f"had not heard; ECE on such, in ten bins of equal mass and less what chance adds: {total['ece']:.3f}.",
        bullets(
            [
                f"`unsure`: the greatest posterior is below {calibration.unsure:g} (`--unsure`). That is so of "
                f"{100 - sure['answered']:.0f} % of the answers; "
                + " and ".join(f"{sure[key]:.0f} % of {which}" for key, which in SURE.items() if key in sure)
                + " are right.",
                f"`unlike`: the recording is unlike what the model has heard: its score is above "
                f"{calibration.unlike:.2f}, as that of one in a hundred of unseen speakers' recordings.",
                f"`short`: less than {calibration.shortest:g} s, the shortest length tried that keeps half of what an "
                "answer is worth beyond chance."
                if calibration.shortest
                else f"`short`: never; {min(results['changed'][LENGTH])}, the shortest tried, keep half of what an "
                "answer is worth beyond chance.",
            ]
        ),
        "Sounds that are no speech, made by formula, of which the thresholds know nothing:",
        table(results["sounds"], "sound", {"auroc": "AUROC of the score", "unlike": "flagged `unlike`, %"}),
        "Shouted speech and songs were not tried: what is said of them is not known.",
        picture(
            "card",
            "Above: how often answers are right, by their greatest posterior; how often they are wrong, if only the "
            "surest are given. Below: what gain, noise and length do to UA and to the posterior of the class that was "
            "the likeliest; lines: UA of the recordings as they were, and chance.",
        ),
    ]
    changes = {"ua": "UA", "same": "same answer", "moved": "posterior moved by", "unlike": "`unlike`"}
    changes["auroc"] = "AUROC of the score"
    said["What a recording's quality does"] = [
        f"{results['changed']['gain']['as recorded']['recordings']} recordings, changed on purpose, by models that "
        "have not heard their speakers; in percent, but for AUROC. A gain beyond full scale clips.",
        *(table(rows, what, changes) for what, rows in results["changed"].items()),
    ]
    return said


def corpus_line(name: str, about: Mapping[str, str], recordings: int, speakers: int) -> str:
    """Title, how much, language, licence, address."""
    known = "".join(f"; {about[key]}" for key in ("language", "licence", "address") if about.get(key))
    return f"{about.get('title', name)}: {recordings} recordings of {speakers} speakers{known}"


def of_corpora(results: Results) -> str:
    """What is left of it on corpora that it has not heard."""
    alone, adapted = (
        f"{min(found):.0f} to {max(found):.0f} %"
        for way in ("alone", "speaker")
        for found in [[row["ua"] for row in results["unseen_corpora"][way].values()]]
    )
    return (
        f"Of corpora that it has not heard, {alone}; {adapted} where it is told whose recordings are whose, and has "
        "many of each speaker (`--adapt speaker`)."
    )


def drawn(results: Results) -> Figure:
    """Reliability; risk against coverage; what gain, noise and length do."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(9, 6), layout="constrained")
    above, below = canvas.subfigures(2, 1, squeeze=False)[:, 0]
    left, right = above.subplots(1, 2)
    confidence, accuracy, _ = zip(*results["reliability"])
    left.plot([0, 1], [0, 1], color="0.7", lw=1)
    left.plot(confidence, accuracy, "o-", color="C0")
    left.set(xlabel="greatest posterior", ylabel="share that is right", xlim=(0.2, 1), ylim=(0.2, 1))
    coverage, risk = zip(*results["risk_coverage"])
    right.plot(coverage, risk, color="C0")
    right.set(
        xlabel="share of recordings answered", ylabel="share of answers that are wrong", xlim=(0, 1), ylim=(0, None)
    )
    panels = below.subplots(1, len(CURVES), sharey=True)
    for axes, (what, label) in zip(panels, CURVES.items()):
        rows = dict(results["changed"][what])
        whole = rows.pop("as recorded")["ua"]
        axes.axhline(whole, color="0.7", lw=1)
        axes.axhline(100 / len(results["classes"]), color="0.7", lw=1, ls=":")
        for colour, (key, words) in enumerate((("ua", "UA"), ("moved", "posterior moved by"))):
            values = [row[key] for row in rows.values()]
            axes.plot([float(how.split()[0]) for how in rows], values, "o-", color=f"C{colour}", label=words)
        axes.set_xlabel(label)
    panels[0].set(ylabel="%", ylim=(0, None))  # of all, which share it
    panels[0].legend(frameon=False)
    for axes in canvas.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return canvas
