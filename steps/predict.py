#!/usr/bin/env python3
"""What emotion a recording sounds like, and how sure that is: a line a recording.

  steps/predict.py [options] WHAT…
  steps/predict.py call.m4a
  steps/predict.py --by turns --draw pictures meeting.wav
  find . -name '*.wav' | steps/predict.py --format json -

WHAT is a recording (what libsndfile or FFmpeg reads, films with sound too), a folder of some, a wav.scp, a table with a
column "path" (and "speaker", "begin" and "end", in seconds, if it has them), or "-": paths from standard input. Paths
in a table begin in its folder, or lie below it; others begin where you are. A line has
  path begin end          which recording, and from when to when, in seconds; with --channels each also its channel
  class                   the one of the greatest posterior
  <class> …               posteriors of all classes, in the model's order; they add up to 1
  unlike                  how unlike the model's training recordings this one is: the mean square of its descriptors,
                          in standard deviations from their mean; about 1 for such as they are
  flags                   unsure: the greatest posterior is below --unsure; unlike: the score is above --unlike-above;
                          short: too short to be worth much; "-": none
Whatever it says, it is what actors meant to sound like, not what anybody feels: see the model's CARD.md.

A recording of up to 12 s is answered as a whole. A longer one is cut into windows: its answer is the mean over those
that are not unlike, its `unlike` the median over all. The status is 0 if all recordings were answered; those that were
not are named and counted on standard error. So are those without a turn of speech, which is no error.

--adapt speaker takes away what a speaker's recordings have in common: a fifth of it where there is one, two thirds of
eight. Who speaks is told by a table, by a utt2spk beside a wav.scp, or else by the folder that a recording lies in
directly. It helps with recordings unlike those of the training, if emotions vary: where one makes more than 60 % of
what is heard of somebody, it takes that away. --adapt all does so with all that is named, as with recordings of one
microphone. With --by windows or turns, each of these counts as a recording. What is unlike speech does not count.
Answers come when all have been heard.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # more would only wait for each other
    os.environ.setdefault(name, "1")

if TYPE_CHECKING:
    from steps.prediction.adaptation import Heard
    from steps.prediction.answering import Answer


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", metavar="WHAT", help="recording, folder, wav.scp, table, or -")
    parser.add_argument("--model", type=cli.path_of, help="folder of a model [the recipe's own]")
    parser.add_argument("--format", choices=["tsv", "json"], default="tsv",
                        help="tab-separated with a header, or JSON lines [tsv]")  # fmt: skip
    parser.add_argument("--by", choices=["recording", "windows", "turns"], default="recording",
                        help="one answer a recording, a window, or a turn of speech [recording]")  # fmt: skip
    parser.add_argument("--window", type=float, default=4.0, help="length of a window in seconds, 0.25 to 60 [4]")
    parser.add_argument("--hop", type=float, help="seconds from one window's begin to the next's [the window's length]")
    parser.add_argument("--channels", choices=["mix", "each"], default="mix",
                        help="channels mixed, or each by itself [mix]")  # fmt: skip
    parser.add_argument("--unsure", type=float, help="posterior below which an answer is flagged [the model's]")
    parser.add_argument("--unlike-above", type=float, help="score above which a recording is flagged [the model's]")
    parser.add_argument("--prior", default="",
                        help='how frequent classes are, such as "neu=8 ang=2" (others 1) [all alike]')  # fmt: skip
    parser.add_argument("--adapt", choices=["none", "speaker", "all"], default="none",
                        help="take away what each speaker's recordings, or all, have in common [none]")  # fmt: skip
    parser.add_argument("--draw", type=cli.path_of, help="folder for a picture of each recording over time")
    return parser


def prior_of(text: str, classes: list[str]) -> list[float] | None:
    """Of each class what `--prior` says, 1 where it says nothing. Raises UserError for another form."""
    weights: dict[str, float] = {}
    for word in text.split():
        name, _, value = word.partition("=")
        try:
            good = name in classes and name not in weights and 0 <= float(value) < float("inf")
        except ValueError:
            good = False
        if not good:
            raise cli.UserError(f"--prior '{word}': expected <class>=<number>, once; classes are {' '.join(classes)}")
        weights[name] = float(value)
    return [weights.get(name, 1.0) for name in classes] if weights else None


def main() -> None:
    options = arguments().parse_intermixed_args()
    if options.draw and options.by == "recording":
        raise cli.UserError("--draw shows what changes over time: choose --by windows or --by turns")
    if options.draw and options.draw.exists() and not options.draw.is_dir():
        raise cli.UserError(f"--draw {options.draw}: is no folder")
    if options.draw:  # one that cannot be made is told of before hours of answers
        options.draw.mkdir(parents=True, exist_ok=True)
    if options.hop and options.by != "windows":
        raise cli.UserError("--hop is of windows: choose --by windows")
    from tqdm import tqdm

    from steps.frontend.decoding import Unusable
    from steps.prediction.adaptation import told
    from steps.prediction.answering import Answering, Options
    from steps.prediction.inputs import recordings
    from steps.prediction.lines import Printer
    from steps.prediction.model import OWN, Model

    model = Model(options.model or OWN)
    classes, each = model.settings.classes, options.channels == "each"
    prior = prior_of(options.prior, classes)
    choice = Options(
        options.by, options.window, options.hop, each, options.unsure, options.unlike_above, prior, options.adapt
    )
    answering, printer = Answering(model, choice), Printer(options.format, classes, each)
    if adapts := options.adapt != "none":
        _ = model.mean  # is read now rather than when all has been heard
    together: list[tuple[str, list[list[Heard]]]] = []  # of --adapt: what is to be answered of each recording
    pictures = Counter[str]()

    def show(named: str, answers: Iterable[Answer]) -> None:
        found = list(map(printer.show, answers))
        if not found:
            cli.warn(f"{named}: no turn of speech was heard")
        elif options.draw:
            draw(options.draw, pictures, found, classes)

    count = lost = 0
    # On a terminal that shows the answers, they are the progress.
    bar = tqdm(desc="answering", unit=" recordings", disable=True if sys.stdout.isatty() else None)
    answering.heard = lambda seconds: bar.set_postfix_str(f"{seconds:.0f} s")
    for named in recordings(options.what):
        count += 1
        try:
            if adapts:
                together.append((named.name, []))
                for unit in answering.units(named):
                    together[-1][1].append(unit)
            else:
                show(named.name, answering.answer(named))
        except Unusable as reason:
            lost += 1
            if together and not together[-1][1]:
                together.pop()
            cli.warn(f"{named.name}: not answered: {reason}")
        bar.update()
    bar.close()
    if units := [unit for _, own in together for unit in own]:
        cli.warn(told(units, options.adapt, "recordings" if options.by == "recording" else options.by))
    adapted = answering.adapted(units)
    for name, own in together:
        show(name, islice(adapted, len(own)))
    if not count:
        cli.warn("no recording was named")
    if lost:
        cli.warn(f"{lost} of {count} recordings were not answered{', or not in full' * each}")
        sys.exit(1)


def draw(folder: Path, drawn: Counter[str], answers: list[Answer], classes: list[str]) -> None:
    """A picture of a recording; `drawn`: names that are taken → how many wanted them."""
    from steps.reporting.timeline import timeline

    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in answers[0].name).lstrip("._") or "recording"
    name = free = name[:100]  # a file's name has 255 characters at most
    while free in drawn:
        drawn[name] += 1
        free = f"{name}.{drawn[name]}"
    drawn[free] += 1
    timeline(folder / f"{free}.png", answers, classes)


if __name__ == "__main__":
    cli.run(main)
