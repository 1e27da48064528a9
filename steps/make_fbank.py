#!/usr/bin/env python3
"""Filter-banks and speech decisions of a data dir: feats.scp, vad.scp, utt2num_frames, utt2dur, frame_shift.

  steps/make_fbank.py [options] <data-dir> [<log-dir> [<fbank-dir>]]
  steps/make_fbank.py --nj 8 --cmd "$train_cmd" data/train exp/make_fbank/train fbank

One pass over the audio makes both, so that they are of equal length. What can be used after resampling or mixing down
is used; recordings that cannot be used leave the data dir, counted and named in <data-dir>/lost.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from steps.frontend.settings import FbankOptions
from utils import cli, config, data_dir, jobs
from utils.archive import TWO_BYTES, ArkWriter
from utils.files import whole
from utils.fix_data_dir import fix

MADE = ["feats.scp", "vad.scp", "utt2num_frames", "utt2dur", "lost"]  # what a job leaves in its piece of the data dir


@dataclass
class Features:
    """What is computed from the audio."""

    fbank: FbankOptions = field(default_factory=FbankOptions)
    vad_mode: Literal[0, 1, 2, 3] = 2  # WebRTC's aggressiveness: 0 keeps most frames, 3 drops most
    max_lost: float = 0.05  # share of the recordings that may be unusable


def extract(data: Path, archives: Path, name: str, features: Features) -> None:
    """Make the features of `data` in this process, into `archives`/{raw_fbank,vad}_`name`.{ark,scp}."""
    import torch
    from tqdm import tqdm

    from steps.frontend.audio import Unusable, read_in_batches
    from steps.frontend.fbank import Fbank
    from steps.frontend.vad import speech_frames

    torch.set_num_threads(1)  # a job is one core's work
    options, fbank = features.fbank, Fbank(features.fbank)
    changed: Counter[str] = Counter()
    lost: dict[str, str] = {}
    frames: dict[str, str] = {}
    seconds: dict[str, str] = {}
    scps = [archives / f"raw_fbank_{name}.scp", archives / f"vad_{name}.scp"]
    recordings = data_dir.read_table(data / "wav.scp")
    with (
        ArkWriter(scps[0].with_suffix(".ark"), scps[0], TWO_BYTES) as feats,
        ArkWriter(scps[1].with_suffix(".ark"), scps[1]) as vad,
    ):
        progress = tqdm(total=len(recordings), desc=name, unit="utt", disable=None)
        for batch in read_in_batches(recordings, options.sample_frequency, options.length):
            signals = {}
            for utterance, outcome in batch.items():
                if isinstance(outcome, Unusable):
                    lost[utterance] = f"{outcome} [{recordings[utterance]}]"
                    cli.warn(f"{utterance} left out: {recordings[utterance]}: {outcome}")
                else:
                    signals[utterance], changes = outcome
                    changed.update(changes)
            matrices = [fbank(torch.from_numpy(signal)).numpy() for signal in signals.values()]
            decisions = [
                speech_frames(signal, len(matrix), options, features.vad_mode)
                for signal, matrix in zip(signals.values(), matrices)
            ]
            for utterance, matrix, speech in zip(signals, matrices, decisions):
                feats.write(utterance, matrix)
                vad.write(utterance, speech)
                frames[utterance] = str(len(matrix))
                seconds[utterance] = f"{len(signals[utterance]) / options.sample_frequency:.3f}"
            progress.update(len(batch))
        progress.close()
    tables = [*map(data_dir.read_table, scps), frames, seconds, lost]
    for table, content in zip(MADE, tables, strict=True):
        data_dir.write_table(data / table, content)
    for change, count in changed.items():
        print(f"{name}: {count} recordings {change}")


def extract_in_jobs(options: config.Namespace, pieces: list[Path], features: Features) -> None:
    """The same through the job runner, over pieces of the data dir; their tables are joined in job order."""
    data, name = options.data, options.name
    settings = options.logs / f"make_fbank_{name}.yaml"
    config.save(features, settings)
    command = [f"JOB=1:{len(pieces)}", str(options.logs / f"make_fbank_{name}.JOB.log")]
    command += ["steps/make_fbank.py", "--config", str(settings), "--nj", str(len(pieces)), "--job", "JOB"]
    command += ["--name", name, str(data), str(options.logs), str(options.archives)]
    if not jobs.call(options.cmd, *command):
        raise cli.UserError(f"{data}: making features failed; the log is named above")
    for table in MADE:
        with whole(data / table) as temporary:
            temporary.write_bytes(b"".join((piece / table).read_bytes() for piece in pieces))


def settle(data: Path, max_lost: float, frame_shift: float) -> None:
    """Take the unusable recordings out of the data dir, or refuse where they are too many."""
    lost = data_dir.read_table(data / "lost")
    total = len(data_dir.read_table(data / "utt2spk"))
    if lost:
        reasons = Counter(re.split(r": | [(\[]", reason)[0] for reason in lost.values())
        said = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        cli.warn(f"{data}: {len(lost)} of {total} utterances left out ({said}); {data}/lost names them")
    if len(lost) > max_lost * total:
        for table in MADE[:-1]:
            (data / table).unlink()
        raise cli.UserError(
            f"{data}: more than max_lost {max_lost:g} (fbank.yaml) of them cannot be used; see {data}/lost"
        )
    with whole(data / "frame_shift") as temporary:
        temporary.write_text(f"{frame_shift / 1000:g}\n")
    if lost:
        fix(data)
    else:
        (data / "lost").unlink()
    print(f"{data}: features of {total - len(lost)} utterances")


def main() -> None:
    parser = config.arguments(Features, __doc__)
    parser.add_argument("data", type=Path, help="data dir")
    parser.add_argument("logs", type=Path, nargs="?", help="folder for logs [<data-dir>/log]")
    parser.add_argument("archives", type=Path, nargs="?", help="folder for archives [<data-dir>/fbank]")
    parser.add_argument("--nj", type=int, default=4, help="number of jobs")
    parser.add_argument("--cmd", default="utils/run.py", help="job runner")
    parser.add_argument("--name", help="what archives are called [the data dir's name]")
    parser.add_argument(
        "--job", type=int, default=0, help="be job number so and so of the --nj (the program's own use)"
    )
    options, features = config.parse(parser, Features)
    data = options.data
    options.name = options.name or data.name
    options.logs = options.logs or data / "log"
    options.archives = (options.archives or data / "fbank").resolve()
    if options.nj < 1:
        raise cli.UserError(f"--nj {options.nj}: at least 1 is needed")
    if options.job:
        extract(
            data / f"split{options.nj}" / str(options.job), options.archives, f"{options.name}.{options.job}", features
        )
    else:
        for table in [*MADE, "frame_shift"]:  # the archives that an old table points into are about to be replaced
            (data / table).unlink(missing_ok=True)
        extract_in_jobs(options, data_dir.split(data, options.nj), features)
        config.save(features, data / "fbank.yaml")  # how they are made: what is trained on them asks for it
        settle(data, features.max_lost, features.fbank.frame_shift)


if __name__ == "__main__":
    cli.run(main)
