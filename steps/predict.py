#!/usr/bin/env python3
"""What emotion a recording sounds like, and how sure that is: a line a recording, as it comes.

  steps/predict.py [options] WHAT…
  steps/predict.py call.m4a
  steps/predict.py --by turns --draw pictures meeting.wav
  find . -name '*.wav' | steps/predict.py --format json -

WHAT is a recording (what libsndfile or FFmpeg reads, films with sound too), a folder of some, a wav.scp, a table with a
column "path" (and "begin" and "end", in seconds, if it has them), or "-": paths from standard input. A line has
  path begin end          which recording, and from when to when, in seconds; with --channels each also its channel
  class                   the one of the greatest posterior
  <class> …               posteriors of all classes, in the model's order; they add up to 1
  unlike                  how unlike the model's training recordings it is: their mean square deviation
  flags                   unsure: the greatest posterior is below --unsure; unlike: above --unlike-above; short: too
                          short to be worth much; "-": none
Whatever it says, it is what actors meant to sound like, not what anybody feels: see the model's CARD.md.

A recording over 12 s is answered by the mean over its windows, without those that are unlike. The status is 0 if all
recordings were answered; those that were not are named and counted on standard error.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from utils import cli

if TYPE_CHECKING:
    import numpy as np

    from steps.prediction.answering import Answer

FEWEST = 20  # recordings, or stretches, that --adapt takes a scale of


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", metavar="WHAT", help="recording, folder, wav.scp, table, or -")
    parser.add_argument("--model", type=Path, help="folder of a model [the recipe's own]")
    parser.add_argument("--format", choices=["tsv", "json"], default="tsv",
                        help="tab-separated with a header, or JSON lines [tsv]")  # fmt: skip
    parser.add_argument("--by", choices=["recording", "windows", "turns"], default="recording",
                        help="one answer a recording, a window, or a turn of speech [recording]")  # fmt: skip
    parser.add_argument("--window", type=float, default=4.0, help="length of a window in seconds [4]")
    parser.add_argument(
        "--hop", type=float, default=0.0, help="seconds from one window to the next [those of a window]"
    )
    parser.add_argument("--channels", choices=["mix", "each"], default="mix",
                        help="channels mixed, or each by itself [mix]")  # fmt: skip
    parser.add_argument("--unsure", type=float, help="posterior below which an answer is flagged [the model's]")
    parser.add_argument("--unlike-above", type=float, help="score above which a recording is flagged [the model's]")
    parser.add_argument("--prior", default="",
                        help='how frequent classes are, such as "neu=8 ang=2" (others 1) [all alike]')  # fmt: skip
    parser.add_argument("--adapt", type=cli.boolean, default=False, metavar="true",
                        help="for many recordings of one microphone: allow for its sound [false]")  # fmt: skip
    parser.add_argument("--draw", type=Path, help="folder for a picture of each recording over time")
    return parser


def prior_of(text: str, classes: list[str]) -> np.ndarray | None:
    """(classes,) shares, of `--prior`. Raises UserError for another form."""
    import numpy as np

    if not text.strip():
        return None
    weights = dict.fromkeys(classes, 1.0)
    for word in text.split():
        name, _, value = word.partition("=")
        try:
            weights[name] = float(value)
            good = name in classes and 0 <= weights[name] < float("inf")
        except ValueError:
            good = False
        if not good:
            raise cli.UserError(f"--prior '{word}': expected <class>=<number>; classes are {' '.join(classes)}")
    shares = np.array([weights[name] for name in classes])
    if not shares.any():
        raise cli.UserError("--prior: one class at least must have more than 0")
    return shares / shares.sum()


def check(options: argparse.Namespace) -> None:
    """Raise UserError for values that cannot work."""
    options.hop = options.hop or options.window
    if not 0.25 <= options.window <= 60 or not 0.05 <= options.hop <= 60:
        raise cli.UserError(f"--window {options.window:g} --hop {options.hop:g}: from 0.25 (hop 0.05) to 60 s")
    if options.unsure is not None and not 0 <= options.unsure <= 1:
        raise cli.UserError(f"--unsure {options.unsure:g}: a posterior, from 0 to 1")
    if options.draw and options.by == "recording":
        raise cli.UserError("--draw shows what changes over time: choose --by windows or --by turns")


def main() -> None:
    options = arguments().parse_args()
    check(options)
    from tqdm import tqdm

    from steps.frontend.decoding import Unusable
    from steps.prediction.answering import Answering, Options
    from steps.prediction.inputs import recordings
    from steps.prediction.lines import Printer
    from steps.prediction.model import OWN, Model

    for stream in (sys.stdin, sys.stdout):  # names of files need not be UTF-8, and are passed on as they are
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")
    model = Model(options.model or OWN)
    classes, each = model.settings.classes, options.channels == "each"
    prior = prior_of(options.prior, classes)
    choice = Options(options.by, options.window, options.hop, each, options.unsure, options.unlike_above, prior)
    answering, printer, together = Answering(model, choice), Printer(options.format, classes, each), []
    count = lost = 0
    # On a terminal that shows the answers, they are the progress.
    bar = tqdm(desc="answering", unit=" recordings", disable=True if sys.stdout.isatty() else None)
    answering.heard = lambda seconds: bar.set_postfix_str(f"{seconds:.0f} s")
    for named in recordings(options.what):
        count += 1
        try:
            if options.adapt:
                together.append(answering.described_whole(named))
            else:
                found = list(map(printer.show, answering.answer(named)))
                if not found:
                    cli.warn(f"{named.name}: no turn of speech was heard")
                elif options.draw:
                    draw(options.draw, found, classes)
        except Unusable as reason:
            lost += 1
            cli.warn(f"{named.name}: not answered: {reason}")
        bar.update()
    bar.close()
    if options.adapt:
        if sum(map(len, together)) < FEWEST:
            raise cli.UserError(
                f"--adapt true: {sum(map(len, together))} recordings tell too little of a microphone; {FEWEST} at least"
            )
        for answer in answering.adapted(together):
            printer.show(answer)
    if lost:
        cli.warn(f"{lost} of {count} recordings were not answered")
        sys.exit(1)


def draw(folder: Path, answers: list[Answer], classes: list[str]) -> None:
    from steps.reporting.timeline import timeline

    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in answers[0].name).lstrip("._") or "recording"
    timeline(folder / f"{name}.png", answers, classes)


if __name__ == "__main__":
    cli.run(main)
