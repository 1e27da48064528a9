#!/usr/bin/env python3
"""An emotional corpus as a data dir: an open one by its name, or any table of recordings.

  local/open.py --corpus NAME --dir DIR [options] data/NAME      (--corpus list: which there are)
  local/open.py --table FILE [options] data/mine

A corpus is a YAML of local/open/. A table is CSV or TSV with a header, or JSON lines; its columns: path, speaker and
emotion; optionally gender, session (what one recording session shares), sentence (what was said), begin and end (in
seconds), fold. Headers of audformat, Hugging Face's audiofolder, EmoBox, nEMO, MSP-Podcast and nkululeko are known.
Paths are relative to the table, or to --dir; a name alone is looked for below. No audio is opened, but for an end that
is missing.

Usual labels become classes of three letters, and others stay as they are; --map "anger=ang joy=hap" takes those that
it names and leaves all others out. What is left out is counted, by reason.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from local import corpora, tables
from local.corpora import OpenCorpus
from local.labels import NO_LABEL, doubts, read_map
from local.rows import PART_OF, LeftOut, Row, groups_of, select, utterances
from utils import cli, config, make_folds
from utils.audio_files import locate, safe, stem
from utils.data_dir import Utterance, write_data_dir

LOST = 0.05  # greatest share of a table's recordings that may be missing
SCALE = 20  # different numbers, beyond which they are no names of classes
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")  # which is no class until --map says what it means


def check_counts(corpus: OpenCorpus, rows: Sequence[Row], folder: Path) -> None:
    """Raise UserError where this is not the whole release."""
    found, speakers = Counter(row.label for row in rows), len({row.speaker for row in rows})
    wrong = [f"{found[name]} utterances are {name} instead of {count}" for name, count in corpus.counts.items()
             if found[name] != count]  # fmt: skip
    if corpus.speakers and speakers != corpus.speakers:
        wrong.append(f"{speakers} speakers instead of {corpus.speakers}")
    if wrong:
        raise cli.UserError(
            f"{folder}: is not all of {corpus.title}: {'; '.join(wrong)} (--check-counts false takes what is there)"
        )


def check_classes(wanted: Sequence[str], known: Sequence[str], where: Path | str, beside_others: str) -> None:
    """Raise UserError for a class that is not `known`; beside other corpora, which may have it, only where all are."""
    lacking = [name for name in wanted if name not in known]
    if lacking and beside_others and len(lacking) < len(wanted):
        cli.warn(f"{where}: has no class {' '.join(lacking)}: it is taken from the other corpora alone")
    elif lacking:
        raise cli.UserError(
            f"{where}: --classes: '{lacking[0]}' is none of: {' '.join(known)}; name some of these, or --classes all"
        )


def of_corpus(args: argparse.Namespace, left_out: LeftOut) -> tuple[list[Utterance], list[make_folds.Line]]:
    """The utterances of an open corpus, and its own folds."""
    if args.corpus not in corpora.names():
        hint = config.nearest(args.corpus, corpora.names())
        raise cli.UserError(f"'{args.corpus}' is no emotional corpus of local/open{hint}")
    corpus, folder = corpora.read(args.corpus), args.dir
    rows, others = corpora.rows(corpus, folder)
    if others:
        left_out["not named as the corpus's recordings"] += map(str, others)
    if not rows:
        raise cli.UserError(f"{folder}: no recording is named as in {corpus.title}; see local/open/{args.corpus}.yaml")
    once: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        if once.setdefault((row.speaker, row.label, Path(stem(row.path)).name), row) is not row:
            left_out["stands twice, in two folders"].append(row.where)
    rows = list(once.values())
    if args.check_counts:
        check_counts(corpus, rows, folder)
    wanted = corpus.known if args.classes == "all" else args.classes.replace(",", " ").split() or corpus.classes
    check_classes(wanted, corpus.known, f"local/open/{args.corpus}.yaml", args.beside_others)
    for row in rows:
        if why := corpus.bad.get(Path(stem(row.path)).name):
            left_out[f"known to be bad: {why}"].append(row.path)
    rows = [row for row in rows if Path(stem(row.path)).name not in corpus.bad]
    labels = {name: name for name in wanted}
    chosen = select(rows, {row.path: folder / row.path for row in rows}, labels, left_out)
    there = {row.speaker for row in chosen}
    groups = [kept for group in corpus.folds if (kept := [speaker for speaker in group if speaker in there])]
    own = make_folds.rotate(groups) if groups and not args.folds else []
    return utterances(chosen, {row.path: folder / row.path for row in chosen}, args.segments), own


def of_table(args: argparse.Namespace, left_out: LeftOut) -> tuple[list[Utterance], list[make_folds.Line]]:
    """The utterances of a table, and the folds that it says, if it does and none are asked for."""
    rows, folder = tables.read(args.table, args.speaker), args.dir or args.table.parent
    files, labels = locate((row.path for row in rows), folder), read_map(args.map)
    missing = sum(row.path not in files for row in rows)
    if missing > LOST * len(rows):
        first = next(row for row in rows if row.path not in files)
        raise cli.UserError(
            f"{first.where}: {missing} of {len(rows)} recordings are not in {folder} (first: '{first.path}'); "
            "--dir names the folder that paths begin in"
        )
    told = [row.label for row in rows if row.label.lower() not in NO_LABEL]
    if not labels and told and all(map(NUMBER.fullmatch, told)):
        if len(values := sorted(set(told), key=float)) > SCALE:
            raise cli.UserError(f"{args.table}: labels are {len(values)} values of a scale, and no classes")
        blanks = " ".join(f"{value}=…" for value in values)
        raise cli.UserError(f"{args.table}: labels are numbers; say which class each means: --map '{blanks}'")
    for words in doubts((row.label for row in rows), labels):
        cli.warn(words)
    chosen = select(rows, files, labels, left_out)
    if wanted := [] if args.classes in ("", "all") else args.classes.replace(",", " ").split():
        check_classes(wanted, sorted({row.label for row in chosen}), args.table, args.beside_others)
        for row in chosen:
            if row.label not in wanted:
                left_out[f"class '{row.label}'"].append(row.where)
        chosen = [row for row in chosen if row.label in wanted]
    if not chosen:
        raise cli.UserError(f"{args.table}: no row can be used ({described(left_out)})")
    if not args.folds:
        further = [row for row in chosen if PART_OF.get(row.fold.lower()) == ""]
        if further:
            left_out["further test sets"] += [row.where for row in further]
        chosen = [row for row in chosen if PART_OF.get(row.fold.lower()) != ""]
    say(left_out)
    return utterances(chosen, files, args.segments), [] if args.folds else groups_of(chosen, str(args.table))


def say(left_out: LeftOut) -> None:
    """A line for each reason, once."""
    for reason, where in left_out.items():
        cli.warn(f"{len(where)} left out: {reason} (first: {where[0]})")
    left_out.clear()


def described(left_out: LeftOut) -> str:
    return "; ".join(f"{len(where)} {reason}" for reason, where in left_out.items())


def folds_of(rows: Sequence[Utterance], wanted: str, data: Path) -> list[make_folds.Line]:
    """A fold list, said in a line; none, with a notice, where there are too few speakers for one."""
    of = {row.name: row for row in sorted(rows, key=lambda row: row.name)}
    utt2spk = {name: row.speaker for name, row in of.items()}
    utt2session = {name: row.session for name, row in of.items()}
    utt2emo = {name: row.emotion for name, row in of.items()}
    genders = {row.speaker: row.gender for row in rows if row.gender}
    try:
        lines, words = make_folds.choose(wanted, utt2spk, utt2session, utt2emo, genders)
    except cli.UserError as error:
        if wanted or len(set(utt2spk.values())) > 2:
            raise cli.UserError(f"{data}: {error}") from None
        more = "" if len(set(utt2spk.values())) > 1 else ", --force true"
        cli.warn(f"{data}: no folds ({error}); it may still be used beside other corpora (--corpora{more})")
        return []
    print(f"{data}/folds: {words}")
    return lines


def beside_others(
    rows: Sequence[Utterance], lines: Sequence[make_folds.Line], corpus: str
) -> tuple[list[Utterance], list[make_folds.Line]]:
    """The same under names that no other corpus has: of speakers, sessions, sentences and runs."""
    prefix = f"{safe(corpus)}_"
    renamed = [
        replace(
            row,
            name=prefix + row.name,
            speaker=prefix + row.speaker,
            session=prefix + row.session,
            sentence=row.sentence and prefix + row.sentence,
        )
        for row in rows
    ]
    return renamed, [(f"{corpus}:{run}", part, prefix + speaker) for run, part, speaker in lines]


def catalogue() -> str:
    """All open corpora, with licence, size and address."""
    rows = [(name, corpora.read(name)) for name in corpora.names()]
    return "\n".join(
        f"{name:12} {corpus.title}: {corpus.speakers or '?'} speakers, {sum(corpus.counts.values()) or '?'} utterances"
        f"{f', {corpus.size}' if corpus.size else ''}\n{'':12} {corpus.licence}\n{'':12} {corpus.address}"
        for name, corpus in rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--corpus", help="an open corpus; list: which there are")
    source.add_argument("--table", type=cli.path_of, help="a table of recordings")
    parser.add_argument("--dir", type=cli.path_of, help="the corpus's folder; where a table's paths begin [its own]")
    parser.add_argument("--map", default="", help="<label>=<class> …, or a YAML file of such: a table's labels")
    parser.add_argument(
        "--classes", default="", help="classes to take, or all [a corpus's own choice; of a table, all]"
    )
    parser.add_argument("--folds", default="", help="number of runs, loso or session [the corpus's or the table's own]")
    parser.add_argument("--speaker", default="", help="regular expression: its group in a table's path is the speaker")
    parser.add_argument(
        "--check-counts", type=cli.boolean, default=True, metavar="true|false", help="the whole corpus?"
    )
    parser.add_argument("--segments", type=cli.boolean, default=False, metavar="true|false", help="always as stretches")
    parser.add_argument("--redo", type=cli.boolean, default=False, metavar="true|false", help="make it again")
    parser.add_argument("--beside-others", default="", metavar="NAME", help="under names that begin so; and utt2corpus")
    parser.add_argument("data", type=cli.path_of, nargs="?", metavar="DATA")
    args = parser.parse_args()
    if args.corpus == "list":
        print(catalogue())
        return
    if not args.data:
        raise cli.UserError("name the data dir to write, too")
    if args.corpus and not args.dir:
        raise cli.UserError(f"--corpus {args.corpus} needs --dir, the folder it lies in")
    left_out: LeftOut = defaultdict(list)
    rows, lines = of_corpus(args, left_out) if args.corpus else of_table(args, left_out)
    say(left_out)
    if args.folds or not lines:
        lines = folds_of(rows, args.folds, args.data)
    else:
        print(f"{args.data}/folds: those of the {'corpus' if args.corpus else 'table'}")
    others: dict[str, list[str]] = {}
    if args.beside_others:
        rows, lines = beside_others(rows, lines, args.beside_others)
        others["utt2corpus"] = sorted(f"{row.name} {args.beside_others}" for row in rows)
    write_data_dir(args.data, rows, lines, others, args.redo)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(Counter(row.emotion for row in rows).items()))
    print(f"{args.data}: {len(rows)} utterances, {len({row.speaker for row in rows})} speakers, {counts}")


if __name__ == "__main__":
    cli.run(main)
