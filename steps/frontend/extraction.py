"""One pass over recordings: filter-banks and speech decisions into archives, what cannot be used into a list."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch
from tqdm import tqdm

from steps.frontend.audio import Unusable, read_in_batches
from steps.frontend.fbank import Fbank
from steps.frontend.options import FbankOptions
from steps.frontend.vad import speech_frames
from utils import cli, data_dir
from utils.archive import TWO_BYTES, ArkWriter
from utils.record import content

MADE = ["feats.scp", "vad.scp", "utt2num_frames", "utt2dur", "lost"]  # the tables that are left in the data dir


def extract(data: Path, archives: Path, name: str, options: FbankOptions, vad_mode: int) -> None:
    """Make the features of `data` in this process, into `archives`/{raw_fbank,vad}_`name`.{ark,scp}, and the tables
    MADE."""
    torch.set_num_threads(1)  # a job is one core's work
    fbank = Fbank(options)
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
                speech_frames(signal, len(matrix), options, vad_mode)
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
    for table, rows in zip(MADE, tables, strict=True):
        data_dir.write_table(data / table, rows)
    for scp in scps:
        content(scp.with_suffix(".ark"))  # summed now, by each job its own, and not read again for that
    for change, count in changed.items():
        print(f"{name}: {count} recordings {change}")
