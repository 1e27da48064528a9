#!/usr/bin/env python3
"""What is wrong with a corpus, and what that would do to results: a table, <exp-dir>/audit.json, and a picture,
<exp-dir>/figures/corpus.{png,svg}.

  steps/audit.py [--force true] <data-dir> <exp-dir>
  steps/audit.py data/mycorpus exp

How well is the class guessed without listening: from the speaker, the sentence, the session, from sampling rate, file
type, noise, level, duration? Are sounds there twice, in two parts of a run, under two labels? Can every class be
trained and tested? More is said once steps/make_fbank.py has made features. What makes results meaningless is an
error, and ends in status 1; --force true goes on all the same, and the error stands beside the results. What was found
of the same tables and features is said again, and not looked for anew.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.evaluation import audit, corpus
from steps.reporting import corpus as words
from utils import cli, data_dir
from utils.archive import scp_content
from utils.record import Origin, content, outdated

VERSION = 1  # raised when an audit finds other things in the same data dir


def look(data: Path, exp: Path) -> audit.Json:
    """What is wrong with the corpus; with its picture."""
    tables = {path.name: content(path) for path in data_dir.tables(data) if not path.name.endswith(".scp")}
    features = {path.name: scp_content(path) for path in (data / "feats.scp", data / "vad.scp") if path.is_file()}
    origin = Origin("audit", VERSION, content=tables | features)
    if not outdated(exp, origin, exp / audit.NAME, exp / "figures/corpus.png"):
        try:
            return audit.read(exp)
        except cli.UserError as damaged:
            cli.warn(str(damaged))
    from steps.frontend import acoustics
    from steps.reporting import corpus_figure, figures  # here, as --help and what is there need not wait for these

    found = audit.audit(corpus.read(data, acoustics.measure(data)))
    audit.write(exp, found)
    figures.save(corpus_figure.draw(found), exp / "figures", "corpus", ["png", "svg"])
    origin.write(exp)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=cli.path_of, help="data dir, with utt2emo; better with features")
    parser.add_argument("exp", type=cli.path_of, help="folder for audit.json and figures")
    parser.add_argument(
        "--force", type=cli.boolean, default=False, metavar="true|false", help="true: errors do not stop [false]"
    )
    options = parser.parse_args()
    found = look(options.data, options.exp) | {"forced": options.force}
    audit.write(options.exp, found)
    print(f"{words.summary(found)}\n\n{words.guesses(found).plain()}\n")
    print(f"{words.findings(found, audit.SEVERITIES).plain()}\n\nAll figures: {options.exp / audit.NAME}", flush=True)
    errors = audit.of_severity(found, "error")
    for row in errors:
        cli.warn(words.line(found, row))
    if errors and not options.force:
        raise cli.UserError(
            f"{options.data}: results on it would mean little: mend the data, or go on all the same with --force true"
        )


if __name__ == "__main__":
    cli.run(main)
