#!/usr/bin/env python3
"""Filter-banks and speech decisions of a data dir: feats.scp, vad.scp, utt2num_frames, utt2dur, frame_shift; with
--descriptors true descriptors.scp, a vector of each recording's voice; and what recordings are apart from speech:
utt2hash, utt2sound (utils/recordings.py says what they hold).

  steps/make_fbank.py [options] <data-dir> [<log-dir> [<fbank-dir>]]
  steps/make_fbank.py --nj 8 --cmd "$train_cmd" data/train exp/make_fbank/train fbank

One pass over the audio makes all, so that they are of equal length. What can be used after resampling or mixing down
is used; recordings that cannot be used leave the data dir, counted and named in <data-dir>/lost. With `segments`,
utterances are stretches of the recordings. With `utt2augment` (utils/augment_data_dir.py), those in it are changed
copies: all that is made is made of the changed sound.

Features that are there, made with the same options from the same recordings (by names, sizes and times) and segments,
are kept; those whose archives were moved together with the data dir are given their new place. --redo true makes them
again. They are made a portion of the utterances after the other, each with archives and a record of its own: called
again after it was killed, with the same --nj, the program goes on at the portions that are not there.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.frontend.features import DESCRIPTORS, Features, origin, states, why
from utils import cli, config, jobs, parts
from utils.copies import read_changes
from utils.files import remove, whole
from utils.fix_data_dir import fix
from utils.hold import hold
from utils.recordings import sources
from utils.table import read_table

PORTION = 1000  # utterances at most: a few hours of audio, seconds of work


def extract_in_jobs(options: config.Namespace, features: Features) -> None:
    """Make the features of all portions through the job runner, and join their tables in order. What was lost before
    stays in `lost`: it is in the data dir no more."""
    data, name = options.data, options.name
    there = read_table(data / "utt2spk")
    utterances = len(there)
    gone = read_table(data / "lost") if (data / "lost").is_file() else {}
    before = [f"{utterance} {why}\n".encode() for utterance, why in gone.items() if utterance not in there]
    count = min(options.nj * -(-utterances // (PORTION * options.nj)), utterances)  # as many for each job
    if options.redo:
        remove(data / f"split{count}utt")
    portions = parts.split(data, count, per_utt=True)
    settings = options.logs / f"make_fbank_{name}.yaml"
    config.save(features, settings)
    nj = min(options.nj, count)
    job = jobs.free_variable([data, name, options.logs, options.archives])
    command = [f"{job}=1:{nj}", str(options.logs / f"make_fbank_{name}.{job}.log")]
    command += ["steps/make_fbank.py", "--config", str(settings), "--nj", str(nj), "--job", job]
    command += ["--portions", str(count), "--name", name, str(data), str(options.logs), str(options.archives)]
    if not jobs.call(options.cmd, *command):
        raise cli.UserError(f"{data}: making features failed; the log is named above")
    for table in features.made:
        with whole(data / table) as temporary, open(temporary, "wb") as joined:
            joined.writelines(before if table == "lost" else [])
            joined.writelines((portion / table).read_bytes() for portion in portions)


def extract_portions(options: config.Namespace, features: Features) -> None:
    """A job: each of its portions that has not been made before, by its record."""
    from steps.frontend.extraction import extract  # here, as whoever deals out jobs does without torch

    for number in range(options.job, options.portions + 1, options.nj):
        portion, name = options.data / f"split{options.portions}utt" / str(number), f"{options.name}.{number}"

        made_in = {"archives": f"{options.archives}/{name}"}
        if not why(portion, features, features.made, made_in):
            print(f"{name}: made before")
            continue
        seen = states(portion)
        extract(portion, options.archives, name, features)
        origin(portion, features, made_in, seen).write(portion)


def settle(data: Path, features: Features) -> None:
    """Take the unusable recordings out of the data dir, or refuse where they are too many."""
    lost = read_table(data / "lost")
    total = len({*read_table(data / "utt2spk"), *lost})
    if lost:
        reasons = Counter(re.split(r": | [(\[]", reason)[0] for reason in lost.values())
        said = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        cli.warn(f"{data}: {len(lost)} of {total} utterances left out ({said}); {data}/lost names them")
    if len(lost) > features.max_lost * total:
        for table in features.made[:-1]:
            (data / table).unlink()
        raise cli.UserError(
            f"{data}: {len(lost)} of {total} utterances are unusable, more than max_lost {features.max_lost:g} allows; "
            f"{data}/lost names them"
        )
    with whole(data / "frame_shift") as temporary:
        temporary.write_text(f"{features.fbank.frame_shift / 1000:g}\n")
    if lost:
        fix(data)
    else:
        (data / "lost").unlink()
    print(f"{data}: features of {total - len(lost)} utterances")


def main() -> None:
    parser = config.arguments(Features, __doc__)
    parser.add_argument("data", type=cli.path_of, help="data dir")
    parser.add_argument("logs", type=cli.path_of, nargs="?", help="folder for logs [<data-dir>/log]")
    parser.add_argument("archives", type=cli.path_of, nargs="?", help="folder for archives [<data-dir>/fbank]")
    parser.add_argument("--nj", type=int, default=4, help="number of jobs")
    parser.add_argument("--cmd", default="utils/run.py", help="job runner")
    parser.add_argument("--redo", type=bool, default=False, help="true: make again what is there")
    parser.add_argument("--name", help="what archives are called [the data dir's name]")
    parser.add_argument("--job", type=int, default=0, help="for the jobs: which of the --nj to be")
    parser.add_argument("--portions", type=int, default=0, help="for the jobs: how many portions there are")
    options, features = config.parse(parser, Features)
    data = options.data
    options.name = options.name or data.name
    options.logs = options.logs or data / "log"
    options.archives = (options.archives or data / "fbank").resolve()
    if options.nj < 1:
        raise cli.UserError(f"--nj {options.nj}: at least 1 is needed")
    if options.job:
        extract_portions(options, features)
        return
    if not (data / "wav.scp").is_file():
        raise cli.UserError(f"{data}/wav.scp: no such file; is {data} a data dir?")
    jobs.runner_of(options.cmd)  # before anything is taken away
    sources(data), read_changes(data)  # what says no stretch of a recording, no change, is refused before all else
    if options.redo or why(data, features, features.needed):  # else whoever reads them need not be waited for
        with hold(data, wait=True):
            make(options, features)
    else:
        print(f"{data}: features are there and up to date")


def claim(options: config.Namespace) -> None:
    """Leave beside the archives whose they are. Raises UserError where another data dir reads archives of this name."""
    note, data = options.archives / f".{options.name}.of", options.data.resolve()
    other = Path(note.read_text(errors="surrogateescape").rstrip("\n")) if note.is_file() else data
    theirs = other / "feats.scp"
    if other != data and theirs.is_file() and f"{options.archives}/raw_fbank_{options.name}." in theirs.read_text():
        raise cli.UserError(
            f"{options.archives}: archives called '{options.name}' are there, and {other} reads them: choose another "
            "--name, or another folder for archives"
        )
    options.archives.mkdir(parents=True, exist_ok=True)
    with whole(note) as temporary:
        temporary.write_text(f"{data}\n", errors="surrogateescape")


def make(options: config.Namespace, features: Features) -> None:
    """The features, unless somebody else has made them meanwhile."""
    data, reason = options.data, why(options.data, features, features.needed)
    if not reason and not options.redo:
        print(f"{data}: features are there and up to date")
        return
    claim(options)
    seen = states(data)
    for table in {*features.made, "frame_shift", DESCRIPTORS} - {"lost"}:  # the archives are about to be replaced
        (data / table).unlink(missing_ok=True)
    print(f"{data}: making features{f' ({reason})' if reason else ''}", flush=True)
    config.save(features, data / "fbank.yaml")  # how they are made, for people and for prediction; what is split has it
    extract_in_jobs(options, features)
    settle(data, features)
    origin(data, features, seen=seen).write(data)


if __name__ == "__main__":
    cli.run(main)
