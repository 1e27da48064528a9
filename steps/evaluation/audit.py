"""What is wrong with a corpus, and what that does to results: numbers, for <exp-dir>/audit.json.

sum         of all else: a file that was changed afterwards is not read
format      2: a number that changes when a reader of this layout would go wrong
corpus      name of the data dir
forced      true: the errors were seen, and results are made nevertheless (steps/audit.py --force true)
absent      tables of the data dir that are not there ("features": no filter-banks), so that less was looked at
counts      utterances, speakers, sessions, sentences (0: not known), lost (could not be used), runs; seconds, or null
classes     class → utterances, speakers, seconds (median, or null), heard (percent of what raters heard, or null)
speakers    speaker → class → utterances: all classes, in their order
limits      the numbers LIMITS, by which findings are graded
majority    wf1, ua, wa of always deciding for the commonest class, in percent
guesses     property → how well the class is guessed from it alone: ua, wf1, wa, chance (UA where there is nothing to
            guess from: for speaker, sentence and session the mean of permutations), in percent; gain (how far UA is
            from chance to certainty, of 1, not below 0; of what says nothing of emotion, hits less false alarms of the
            class that is told best, if that is more), p (that it is no better than chance: of permutations for
            speaker, sentence and session, of a bootstrap over speakers for the others), p_corrected (Holm, over all
            properties), severity (or null), utterances; groups and single (how many speakers, sentences or sessions;
            how many of those with several utterances show one class alone; null for other properties); by_class
            (class → median, or the commonest; null for the first three)
same        property that is the same in all utterances → its value
findings    the worst first; each:
  what      the property guessed from, or a name of steps/evaluation/corpus_checks.py
  severity  "error" (results mean little), "warning" (stands beside results) or "note"
  value     a number: of guesses UA in percent, else null or what the finding says (heard: percent)
  chance, gain, p     of guesses, else null
  effect    null, or what deciding by it alone reaches: wf1, ua, in percent
  count, of, unit     how many of how many utterances, speakers, sentences, sessions, classes or runs
  first     a few of them, by name, with a word where it is needed
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from steps.evaluation import sealed
from steps.evaluation.corpus import Corpus
from steps.evaluation.corpus_checks import checks, heard_as
from steps.evaluation.corpus_guesses import guesses, tied, typical
from steps.evaluation.findings import LIMITS, SEVERITIES, Json
from steps.evaluation.metrics import majority

NAME, FORMAT = "audit.json", 2


def counts_of(corpus: Corpus) -> Json:
    durations = corpus.columns["duration"]
    known = {name: len(set(values) - {""}) for name, values in vars(corpus).items() if name in ("speakers", "sessions")}
    return {
        "utterances": len(corpus.utterances),
        **known,
        "sentences": len(set(corpus.sentences) - {""}),
        "lost": len(corpus.lost),
        "runs": len(corpus.folds),
        "seconds": float(durations.sum()) if np.isfinite(durations).all() else None,
    }


def audit(corpus: Corpus) -> Json:
    """All of audit.json; nothing is forced yet."""
    found, same = guesses(corpus)
    findings = [tied(corpus, name, row) for name, row in found.items() if row["severity"]] + list(checks(corpus))
    medians = typical(corpus, "duration")
    members = {one: corpus.emotions == one for one in corpus.classes}
    return {
        "format": FORMAT,
        "corpus": corpus.data.resolve().name,
        "forced": False,
        "absent": corpus.absent,
        "counts": counts_of(corpus),
        "classes": {
            one: {
                "utterances": int(own.sum()),
                "speakers": len(set(corpus.speakers[own])),
                "seconds": medians[one],
                "heard": heard_as(corpus, one),
            }
            for one, own in members.items()
        },
        "speakers": {
            str(speaker): {one: int((own & (corpus.speakers == speaker)).sum()) for one, own in members.items()}
            for speaker in sorted(set(corpus.speakers))
        },
        "limits": asdict(LIMITS),
        "majority": {name: float(v) for name, v in majority(corpus.labels)._asdict().items() if name != "mf1"},
        "guesses": found,
        "same": same,
        "findings": sorted(findings, key=lambda row: SEVERITIES.index(row["severity"])),
    }


def of_severity(audit: Json, *severities: str) -> list[Json]:
    """Its findings of these severities."""
    return [row for row in audit.get("findings", []) if row["severity"] in severities]


def write(folder: Path, audit: Json) -> None:
    sealed.write(folder / NAME, audit)


def read(folder: Path) -> Json:
    """The audit.json of a folder; {} where there is none. Raises UserError for one of another format, or that somebody
    has changed."""
    path = folder / NAME
    return sealed.read(path, "steps/audit.py", "findings", FORMAT) if path.exists() else {}
