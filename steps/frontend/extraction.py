"""One pass over recordings: filter-banks, speech decisions and, where wanted, descriptors into archives; what cannot be
used into a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from steps.frontend.audio import Reading, read_in_batches
from steps.frontend.changes import changed
from steps.frontend.decoding import Decoded, Gone, Unusable, decode
from steps.frontend.descriptors import Descriptor
from steps.frontend.fbank import Fbank
from steps.frontend.features import DESCRIPTORS, Features
from steps.frontend.vad import Detector
from utils import cli
from utils.archive import TWO_BYTES, ArkWriter
from utils.copies import read_changes
from utils.record import content
from utils.recordings import HASH, SOUND, Sound, sources, write_sounds
from utils.table import read_table, write_table


class Made:
    """What is made of one recording: a method a stage, as a batch of them goes through one stage after the other."""

    def __init__(self, reading: Reading, pieces: Iterable[np.ndarray], wanted: Features) -> None:
        options = wanted.fbank
        # Mirrored edges and windows with gaps between them are for a recording that is put together.
        in_pieces = options.snip_edges and options.shift <= options.length
        self.pieces = pieces if in_pieces or reading.ended else [np.concatenate(list(pieces))]
        self.reading, self.options, self.detector = reading, options, Detector(options, wanted.vad_mode)
        self.descriptor = Descriptor(options.sample_frequency, options.upper_edge) if wanted.descriptors else None

    def transform(self, fbank: Fbank) -> None:
        """Compute the filter-bank, `matrix` (frames, dimension). Of several pieces, each is let go of when it has been
        used, and so the detector hears it now; what windows still need is handed on to the next. Raises Unusable."""
        shift, matrices, rest = self.options.shift, [], np.empty(0, np.int16)
        for piece in self.pieces:
            signal = np.concatenate([rest, piece]) if len(rest) else piece
            matrices.append(fbank(torch.from_numpy(signal)).numpy())
            rest = signal[len(matrices[-1]) * shift :]
            if not isinstance(self.pieces, list):
                self.listen(piece)
        self.matrix = matrices[0] if len(matrices) == 1 else np.concatenate(matrices)
        if not np.isfinite(self.matrix).all():
            raise Unusable("has samples so far beyond full scale that no features can be made of it")

    def listen(self, piece: np.ndarray) -> None:
        """Let whoever else hears the recording have a piece of it."""
        self.detector.hear(piece)
        if self.descriptor:
            self.descriptor.hear(piece)

    def decide(self) -> None:
        """Decide which frames are `speech`, (frames,), and describe the voice."""
        for piece in self.pieces:
            self.listen(piece)  # nothing where they are used up
        self.speech = self.detector.frames(len(self.matrix))
        self.descriptors = self.descriptor.vector() if self.descriptor else np.empty(0)


def extract(data: Path, archives: Path, name: str, wanted: Features) -> None:
    """Make the `wanted` features of `data` in this process, into `archives`/{raw_fbank,vad,descriptors}_`name`.ark, and
    the tables `wanted.made`."""
    options = wanted.fbank
    torch.set_num_threads(1)  # a job is one core's work
    fbank = Fbank(options)
    done: Counter[str] = Counter()
    lost: dict[str, str] = {}
    frames: dict[str, str] = {}
    seconds: dict[str, str] = {}
    hashes: dict[str, str] = {}
    sounds: dict[str, Sound] = {}
    kinds = {"feats.scp": "raw_fbank", "vad.scp": "vad", DESCRIPTORS: "descriptors"}
    scps = {table: archives / f"{kinds[table]}_{name}.scp" for table in wanted.tables if table in kinds}
    recordings, changes = sources(data), read_changes(data)
    rate, window = options.sample_frequency, options.length

    def opened(utterance: str) -> Decoded:
        source, change = recordings[utterance], changes.get(utterance)
        return changed(source, change, rate, window) if change else decode(source, window / rate)

    with ExitStack() as stack:
        feats, vad, *described = (
            stack.enter_context(ArkWriter(scp.with_suffix(".ark"), scp, TWO_BYTES if table == "feats.scp" else None))
            for table, scp in scps.items()
        )
        progress = tqdm(total=len(recordings), desc=name, unit="utt", disable=None)
        for batch in read_in_batches(recordings, opened, rate, window):
            features: dict[str, Made] = {}
            for utterance, outcome in batch.items():
                try:
                    if isinstance(outcome, Unusable):
                        raise outcome
                    made = Made(*outcome, wanted)
                    made.transform(fbank)
                    features[utterance] = made
                except Gone as gone:  # no fault of the recording's, which must not be lost for it
                    raise cli.UserError(
                        f"{gone.path}: no such file, and {data / 'wav.scp'} names it: is the corpus there, and whole? "
                        "Call this again when it is; what was made is kept"
                    ) from None
                except Unusable as reason:
                    lost[utterance] = f"{reason} [{recordings[utterance]}]"
                    cli.warn(f"{utterance} left out: {recordings[utterance]}: {reason}")
            for made in features.values():
                made.decide()
            for utterance, made in features.items():
                feats.write(utterance, made.matrix)
                vad.write(utterance, made.speech)
                for archive in described:
                    archive.write(utterance, made.descriptors)
                frames[utterance] = str(len(made.matrix))
                seconds[utterance] = f"{made.reading.given / rate:.3f}"
                hashes[utterance], sounds[utterance] = made.reading.hash, made.reading.sound
                done.update(made.reading.changes)
            progress.update(len(batch))
        progress.close()
    tables = {table: read_table(scp) for table, scp in scps.items()}
    tables |= {"utt2num_frames": frames, "utt2dur": seconds, HASH: hashes, "lost": lost}
    for table, rows in tables.items():
        write_table(data / table, rows)
    write_sounds(data / SOUND, sounds)
    for scp in scps.values():
        content(scp.with_suffix(".ark"))  # summed now, by each job its own, and not read again for that
    for change, count in done.items():
        print(f"{name}: {count} recordings {change}")
