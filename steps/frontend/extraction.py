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
from utils.recordings import HASH, SOUND, Sound, sources, write_sounds


def extract(data: Path, archives: Path, name: str, options: FbankOptions, vad_mode: int) -> None:
    """Make the features of `data` in this process, into `archives`/{raw_fbank,vad}_`name`.{ark,scp}, and the tables
    feats.scp, vad.scp, utt2num_frames, utt2dur, utt2hash, utt2sound, lost."""
    torch.set_num_threads(1)  # a job is one core's work
    fbank = Fbank(options)
    changed: Counter[str] = Counter()
    lost: dict[str, str] = {}
    frames: dict[str, str] = {}
    seconds: dict[str, str] = {}
    hashes: dict[str, str] = {}
    sounds: dict[str, Sound] = {}
    scps = [archives / f"raw_fbank_{name}.scp", archives / f"vad_{name}.scp"]
    recordings = sources(data)
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
                    signals[utterance], changes, hashes[utterance], sounds[utterance] = outcome
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
    tables = dict(zip(("feats.scp", "vad.scp"), map(data_dir.read_table, scps)))
    tables |= {"utt2num_frames": frames, "utt2dur": seconds, HASH: hashes, "lost": lost}
    for table, rows in tables.items():
        data_dir.write_table(data / table, rows)
    write_sounds(data / SOUND, sounds)
    for scp in scps:
        content(scp.with_suffix(".ark"))  # summed now, by each job its own, and not read again for that
    for change, count in changed.items():
        print(f"{name}: {count} recordings {change}")
