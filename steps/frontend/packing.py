"""From features to packed inputs: the files that steps/frontend/packed.py opens. Loads no torch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
from tqdm import tqdm

from steps.frontend.network_input import select, too_little_speech
from steps.frontend.options import Input
from utils.archive import entries, read_array, read_of
from utils.cli import UserError
from utils.cores import on_all_cores
from utils.files import whole
from utils.table import keys

FRAMES, LENGTHS, SCALE = "frames", "lengths.npy", "scale.npy"
PIECE = 2000  # utterances that one process packs at a time
LARGEST = 1e4  # of features: logs have no more, and float16 holds it


def coded(x: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(T, F) as int16 codes c, with low and step so that x ≈ c · step + low: 65 536 steps from the lowest value to the
    highest. The error is half a step at most, of a range of 20 some 2e-4: that of the archive's own two bytes."""
    low, high = float(x.min()), float(x.max())
    step = (high - low) / 65535 or 1.0
    codes = np.rint((x.astype(np.float64) - low) / step) - 32768
    return codes.astype(np.int16), low + 32768 * step, step


def check_utterances(data: Path) -> None:
    """Raises UserError unless feats.scp has the utterances of utt2spk, in its order."""
    if all(feats == known for feats, known in zip_longest(keys(data / "feats.scp"), keys(data / "utt2spk"))):
        return
    feats, known = set(keys(data / "feats.scp")), set(keys(data / "utt2spk"))
    if missing := known - feats:
        raise UserError(
            f"{data}: {len(missing)} utterances have no features ({min(missing)}, …); utils/fix_data_dir.py drops them"
        )
    raise UserError(f"{data}: feats.scp and utt2spk differ in utterances or order; utils/fix_data_dir.py mends that")


def read_features(data: Path, utterance: str, entry: str, bins: int) -> np.ndarray:
    """(T, bins) of one utterance. Raises UserError for values that no filter-bank has, or of another size."""
    features = read_of(data / "feats.scp", utterance, entry)
    if features.ndim != 2 or bins != features.shape[1]:
        shape = " × ".join(map(str, features.shape))
        wanted = f"other utterances have {bins} values a frame" if features.ndim == 2 else "features are frames × bins"
        raise UserError(f"{data}/feats.scp: '{utterance}' is {shape}, and {wanted}; make the features again")
    if not (np.abs(features) <= LARGEST).all():
        raise UserError(f"{data}/feats.scp: '{utterance}' holds what no filter-bank has (NaN, or above {LARGEST:g})")
    return features


def read(data: Path, options: Input, bins: int, first: int, count: int) -> Iterator[tuple[np.ndarray, bool]]:
    """The inputs of `count` utterances of feats.scp from number `first` on; and of each, whether it kept all frames
    because too few were speech."""
    speech = islice(entries(data / "vad.scp"), first, first + count) if options.vad else iter(())
    for utterance, entry in islice(entries(data / "feats.scp"), first, first + count):
        features = read_features(data, utterance, entry, bins)
        decisions = np.ones(len(features), np.uint8)
        if options.vad:
            name, place = next(speech, ("", ""))
            if name != utterance:
                raise UserError(f"{data}/vad.scp: '{utterance}' is missing; make the features again")
            decisions = read_of(data / "vad.scp", name, place)
            if decisions.ndim != 1 or not np.isin(decisions, (0, 1)).all():
                raise UserError(f"{data}/vad.scp: '{utterance}' has other decisions of speech than 0 and 1")
        if len(decisions) != len(features):
            raise UserError(
                f"{data}: '{utterance}' has {len(features)} frames and {len(decisions)} decisions of speech"
            )
        yield select(features, decisions, options), options.vad and too_little_speech(decisions, options)


def write_piece(data: Path, options: Input, home: Path, bins: int, size: int, first: int) -> tuple[np.ndarray, int]:
    """Put `size` utterances from number `first` on into <home>/.piece<first>. Returns (N, 3): frames, low and step of
    each; and how many kept all frames."""
    rows, whole_ones = [], 0
    with whole(home / f".piece{first}") as temporary, open(temporary, "wb") as out:
        for x, all_kept in read(data, options, bins, first, size):
            low, step = 0.0, 0.0
            if options.cmn == "none":
                x, low, step = coded(x)
            out.write(np.ascontiguousarray(x if options.cmn == "none" else x.astype(np.float16)).tobytes())
            rows.append((len(x), low, step))
            whole_ones += all_kept
    return np.array(rows, dtype=np.float64).reshape(-1, 3), whole_ones


def remove_pieces(home: Path) -> None:
    for path in home.glob(".piece*"):
        path.unlink(missing_ok=True)


def write(data: Path, options: Input, home: Path) -> None:
    """Pack `data` into `home`, on all cores where there is much."""
    count = sum(1 for _ in keys(data / "feats.scp"))
    if not count:
        raise UserError(f"{data}: holds no utterances")
    firsts = range(0, count, PIECE)
    home.mkdir(parents=True, exist_ok=True)
    bins = read_array(next(entries(data / "feats.scp"))[1]).shape[-1]
    job = partial(write_piece, data, options, home, bins, PIECE)
    table, kept_whole = [], 0
    with ExitStack() as stack:
        stack.callback(remove_pieces, home)
        frames = stack.enter_context(whole(home / FRAMES))
        out = stack.enter_context(open(frames, "wb"))
        done = on_all_cores(job, firsts) if len(firsts) > 2 else map(job, firsts)  # to begin takes a second, too
        bar = tqdm(total=count, desc=f"packing {data.name}", unit="utt", disable=None, leave=False)
        for first, (rows, kept) in zip(firsts, done):
            piece = home / f".piece{first}"
            with open(piece, "rb") as read_back:
                shutil.copyfileobj(read_back, out, 1 << 24)
            piece.unlink()
            table.append(rows)
            kept_whole += kept
            bar.update(len(rows))
        bar.close()
    if kept_whole:
        print(f"{data}: {kept_whole} of {count} utterances, with under {options.min_frames} speech frames, keep all")
    rows = np.concatenate(table)
    for name, values in ((LENGTHS, rows[:, 0].astype(np.int32)), (SCALE, rows[:, 1:].astype(np.float32))):
        if name == LENGTHS or options.cmn == "none":
            with whole(home / name) as temporary, open(temporary, "wb") as file:
                np.save(file, values, allow_pickle=False)
