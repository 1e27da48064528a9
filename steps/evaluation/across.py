"""Corpora set against each other: what a system that was trained on some achieves on each.

<exp>/across.json. INTERVAL is {value, low, high}, in percent, with the 95 % bounds of a bootstrap over speakers.

format    1
corpora   corpus → utterances, speakers, classes (class → utterances), majority (wF1 of deciding for the commonest)
systems   system → trained → tested → wf1 INTERVAL, ua INTERVAL, utterances, speakers, untaught (tested classes that
          were not trained on). trained: a corpus, "others" (all but the tested one) or "all"; tested: a corpus. What is
          tested by itself, or by "all", is so in its own folds
corpus_probe  system → value, chance, vectors: how well a linear probe tells the corpus, of speakers it has not heard,
          from what the classifier of the first run of `together` sees; mean recall, in percent
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from steps.evaluation.metrics import majority, of_confusions
from steps.evaluation.probes import probe, vectors_of
from steps.evaluation.sealed import plain
from steps.evaluation.significance import percentiles, resample
from steps.evaluation.summary import Summary, summarise
from utils import runs
from utils.archive import read_scp
from utils.cli import UserError, warn
from utils.files import whole
from utils.table import read_table

NAME, FORMAT = "across.json", 1
WIDEST = 2048  # values of a vector that is probed: of 1851, it takes half a minute
OTHERS, ALL = "others", "all"
TRAINED = {"left_out": OTHERS, "together": ALL}  # protocol → on what it trains


def trained_on(protocol: str) -> str:
    """What a protocol of local/across.py trains on; "" for a folder that is none."""
    kind, _, corpus = protocol.partition("_")
    return corpus if kind in ("within", "from") else TRAINED.get(protocol, "")


def tests(protocol: str, corpus: str) -> bool:
    """Whether a protocol tests the speakers of a corpus."""
    kind, _, own = protocol.partition("_")
    return {"within": corpus == own, "from": corpus != own}.get(kind, True)


def cells(summary: Summary, corpus_of: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """corpus → how well its speakers are told, mean over seeds. corpus_of: speaker → corpus."""
    result = {}
    home = np.array([corpus_of[speaker] for speaker in summary.speakers])
    for corpus in sorted(set(home)):
        counts = summary.counts[home == corpus]
        value, drawn = of_confusions(counts.sum(axis=0)), resample(counts)
        result[str(corpus)] = {
            "wf1": percentiles(float(value.wf1.mean()), drawn.wf1.mean(axis=-1), len(counts))._asdict(),
            "ua": percentiles(float(value.ua.mean()), drawn.ua.mean(axis=-1), len(counts))._asdict(),
            "utterances": int(counts[:, 0].sum()),
            "speakers": len(counts),
        }
    return result


def untaught(corpora: Mapping[str, dict[str, Any]], trained: str, tested: str) -> list[str]:
    """The classes of the corpus `tested` that what is `trained` on lacks, so that none of them is ever told."""
    others = [name for name in corpora if name != tested]
    teaching = {OTHERS: others, ALL: list(corpora)}.get(trained, [trained])
    taught = {label for name in teaching for label in corpora[name]["classes"]}
    return [label for label in corpora[tested]["classes"] if label not in taught]


def corpus_probe(scp: Path, utt2spk: Mapping[str, str], utt2corpus: Mapping[str, str]) -> dict[str, Any] | None:
    """How well the corpus is told from the vectors of `scp`; None where these are wide: it would take many minutes."""
    entries = read_scp(scp)
    if not entries or (unknown := entries.keys() - utt2spk.keys()):
        said = f"'{min(unknown)}' is not in the data dir" if entries else "it is empty"
        raise UserError(f"{scp}: {said}; remove the run and redo it")
    vectors = vectors_of(scp, entries)
    if vectors.shape[1] > WIDEST:
        warn(f"{scp}: vectors have more than {WIDEST} values, so it is not measured how well they tell corpora")
        return None
    corpora, speakers = (np.array([table[name] for name in entries]) for table in (utt2corpus, utt2spk))
    names = np.unique(corpora)
    return {"value": 100 * probe(vectors, corpora, speakers), "chance": 100 / len(names), "vectors": len(vectors)}


def check_known(system: Path, summary: Summary, utt2spk: Mapping[str, str], utt2emo: Mapping[str, str]) -> None:
    """Raise UserError where scores are of other utterances, speakers or labels than the data dir's."""
    for scores in summary.scores.values():
        for utterance, speaker, label in zip(scores.utterances, scores.speakers, scores.labels):
            if (utt2spk.get(utterance), utt2emo.get(utterance)) != (speaker, scores.classes[label]):
                raise UserError(
                    f"{system}: '{utterance}' is scored as {speaker}'s, {scores.classes[label]}, and the data dir says "
                    f"otherwise; train this again"
                )


def compare(exp: Path, data: Path) -> dict[str, Any]:
    """All of across.json, of the protocols' folders in `exp`; data: the data dir of all corpora."""
    utt2spk, utt2corpus, utt2emo = (read_table(data / f"utt2{name}") for name in ("spk", "corpus", "emo"))
    for name, table in {"utt2corpus": utt2corpus, "utt2emo": utt2emo}.items():
        if odd := utt2spk.keys() ^ table.keys():
            raise UserError(f"{data}: '{min(odd)}' is in one of utt2spk and {name}, and not in the other")
    corpus_of = {speaker: utt2corpus[utterance] for utterance, speaker in utt2spk.items()}
    if strange := [name for name, speaker in utt2spk.items() if utt2corpus[name] != corpus_of[speaker]]:
        raise UserError(f"{data}/utt2corpus: '{strange[0]}' is of another corpus than its speaker's other utterances")
    result: dict[str, Any] = {"format": FORMAT, "corpora": {}, "systems": {}, "corpus_probe": {}}
    for corpus in sorted(set(utt2corpus.values())):
        classes = Counter(utt2emo[name] for name in utt2emo if utt2corpus[name] == corpus)
        labels = np.repeat(np.arange(len(classes)), list(classes.values()))
        speakers = sum(home == corpus for home in corpus_of.values())
        result["corpora"][corpus] = {
            "utterances": len(labels),
            "speakers": speakers,
            "classes": dict(sorted(classes.items())),
            "majority": float(majority(labels).wf1),
        }
    for folder in sorted(path for path in exp.iterdir() if path.is_dir() and trained_on(path.name)):
        if trained_on(folder.name) not in {*result["corpora"], OTHERS, ALL}:
            warn(f"{folder}: left out, as '{trained_on(folder.name)}' is no corpus of {data}")
            continue
        for system in runs.systems(folder):
            summary = summarise(folder / system, runs.finished(folder / system))
            check_known(folder / system, summary, utt2spk, utt2emo)
            wanted = {speaker for speaker, corpus in corpus_of.items() if tests(folder.name, corpus)}
            if untested := wanted - set(summary.speakers):
                warn(
                    f"{folder / system}: left out, as {len(untested)} of {len(wanted)} speakers have not been tested, "
                    f"first {min(untested)}: its runs are not all finished"
                )
                continue
            trained, found = trained_on(folder.name), cells(summary, corpus_of)
            for corpus, cell in found.items():
                cell["untaught"] = untaught(result["corpora"], trained, corpus)
            result["systems"].setdefault(system, {}).setdefault(trained, {}).update(found)
            first, *others = (texts.place / f"{runs.EMBEDDING}.scp" for texts in summary.texts.values())
            if folder.name == "together" and first.is_file():
                if told := corpus_probe(first, utt2spk, utt2corpus):
                    result["corpus_probe"][system] = told
            elif folder.name == "together" and any(path.is_file() for path in others):
                warn(f"{first}: is not there, so it is not known how well {system} tells corpora; redo the run")
    if not result["systems"]:
        raise UserError(f"{exp}: holds no scored system of a protocol (within_…, from_…, left_out, together)")
    return result


def write(exp: Path, result: Mapping[str, Any]) -> None:
    with whole(exp / NAME) as temporary:
        text = json.dumps(plain(result), indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
