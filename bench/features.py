#!/usr/bin/env python3
"""Audio file → filter-bank + VAD → archive, on one core: ours, peers in a plain loop, and the floor.

  python bench/features.py [--utterances 300] [--rounds 7] [--wav true] NAME DIR

DIR holds recordings at 16 kHz, mono, at any depth; NAME is what the results are called (features_NAME). The floor is
what any program must do: decode the files, one FFT a frame by the fastest library at hand, the detector's calls, and
writing the bytes; each of them over all recordings before the next, with nothing in between.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kaldiio
import numpy as np
import scipy.fft
import soundfile
import torch
import webrtcvad

from bench.feature_peers import RATE, fbank_peers
from bench.harness import Row, available, interleave, ratios, save
from steps.frontend.extraction import extract
from steps.frontend.fbank import Fbank
from steps.frontend.features import Features
from steps.frontend.options import FbankOptions
from steps.frontend.vad import Detector
from utils.cli import UserError, boolean, run
from utils.data_dir import Utterance, write_data_dir

OPTIONS = FbankOptions()
SUFFIXES = (".flac", ".ogg", ".wav")


def recordings(folder: Path, count: int, wav: Path | None) -> list[Path]:
    """`count` recordings at random from a folder; as wav files in the folder `wav`, if given."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not found:
        raise UserError(f"{folder}: holds no recordings ({', '.join(SUFFIXES)})")
    paths = sorted(random.Random(0).sample(found, min(count, len(found))))
    if wav is None:
        return paths
    copies = [wav / f"{number}.wav" for number in range(len(paths))]
    for path, copy in zip(paths, copies):
        soundfile.write(copy, soundfile.read(path, dtype="int16")[0], RATE)
    return copies


def plain_loop(paths: list[Path], fbank: Callable[[np.ndarray], np.ndarray], out: Path) -> None:
    """A peer's whole work, as its users write it."""
    with (
        kaldiio.WriteHelper(f"ark,scp:{out}/feats.ark,{out}/feats.scp", compression_method=3) as feats,
        kaldiio.WriteHelper(f"ark,scp:{out}/vad.ark,{out}/vad.scp") as vad,
    ):
        for path in paths:
            signal, rate = soundfile.read(path, dtype="float32")
            signal *= 32768
            matrix = fbank(signal)
            detector = webrtcvad.Vad(2)
            pcm = signal.astype(np.int16)
            blocks = [pcm[start : start + 160].tobytes() for start in range(0, len(pcm) - 159, 160)]
            decisions = np.array([detector.is_speech(block, rate) for block in blocks], np.float32)
            feats(str(path), matrix)
            vad(str(path), np.pad(decisions, (0, max(0, len(matrix) - len(decisions))))[: len(matrix)])


def fastest_fft() -> tuple[str, Callable[[], object], int]:
    """The library that transforms a block of frames soonest, a call that does, and the frames in a block."""
    size = 1 << (OPTIONS.length - 1).bit_length()
    blocks = {count: torch.randn(count, size) for count in (64, 128, 256)}
    calls: dict[tuple[str, int], Callable[[], object]] = {}
    for count, block in blocks.items():
        calls["torch", count] = lambda block=block: torch.fft.rfft(block)
        calls["scipy", count] = lambda block=block: scipy.fft.rfft(block.numpy())
        calls["numpy", count] = lambda block=block: np.fft.rfft(block.numpy())

    def cost(key: tuple[str, int]) -> float:
        times = []
        for _ in range(30):
            start = time.process_time()
            calls[key]()
            times.append((time.process_time() - start) / key[1])
        return sorted(times)[10]

    name, count = min(calls, key=cost)
    return name, calls[name, count], count


def floor(paths: list[Path], frames: int, written: int, out: Path, fft: Callable[[], object], block: int) -> None:
    """What any program must do for these recordings."""
    detectors = []
    for path in paths:
        with soundfile.SoundFile(path) as file:
            pcm = file.read(dtype="int16").tobytes()
        detectors.append((webrtcvad.Vad(2), [pcm[start : start + 320] for start in range(0, len(pcm) - 319, 320)]))
    for _ in range(-(-frames // block)):
        fft()
    for detector, blocks in detectors:
        for pcm in blocks:
            detector.is_speech(pcm, RATE)
    (out / "floor").write_bytes(bytes(written))


def detected(pcm: np.ndarray) -> np.ndarray:
    """The speech decisions of a recording."""
    detector = Detector(OPTIONS, 2)
    detector.hear(pcm)
    return detector.frames(OPTIONS.num_frames(len(pcm)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=300, help="how many, at random [300]")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--wav", type=boolean, default=False, metavar="true|false", help="on a wav copy of them")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("folder", type=Path, metavar="DIR")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        paths = recordings(chosen.folder, chosen.utterances, temporary if chosen.wav else None)
        signals = [soundfile.read(path, dtype="float32")[0] * np.float32(32768) for path in paths]
        amount = sum(map(len, signals)) / RATE

        ours = Fbank(OPTIONS)
        peers, absent = available(fbank_peers(OPTIONS))
        work = {"fbank: ours": lambda: [ours(torch.from_numpy(signal)).numpy() for signal in signals]}
        for peer, fbank in peers.items():
            work[f"fbank: {peer}"] = lambda fbank=fbank: [fbank(signal) for signal in signals]
        results = {peer: run_one() for peer, run_one in work.items()}
        differences = [
            np.abs(a - b).max() for a, b in zip(results["fbank: ours"], results["fbank: kaldi-native-fbank"])
        ]

        data = temporary / "data"
        write_data_dir(data, [Utterance(f"a-{n:06d}", path, "a", "a") for n, path in enumerate(paths)])
        work["whole: ours"] = lambda: extract(data, temporary / "ours", "all", Features(OPTIONS))
        for peer, fbank in peers.items():
            work[f"whole: {peer}"] = lambda fbank=fbank: plain_loop(paths, fbank, temporary)
        work["whole: ours"]()
        written = sum(path.stat().st_size for path in (temporary / "ours").glob("*.ark"))
        frames = sum(OPTIONS.num_frames(len(signal)) for signal in signals)
        library, fft, block = fastest_fft()
        work["whole: floor"] = lambda: floor(paths, frames, written, temporary, fft, block)
        work["fbank: FFT alone"] = lambda: [fft() for _ in range(-(-frames // block))]
        pcm = [signal.astype(np.int16) for signal in signals]
        work["VAD: ours"] = lambda: [detected(one) for one in pcm]
        times = interleave(work, chosen.rounds, "cpu")

    rows = [Row("filter-bank, ours", [amount / t for t in times["fbank: ours"]], "× real time")]
    rows += [
        Row(f"filter-bank, against {peer}", ratios(times, f"fbank: {peer}", "fbank: ours"), reach=5) for peer in peers
    ]
    rows += [
        Row(f"one FFT a frame, against the filter-bank of {peer}", ratios(times, f"fbank: {peer}", "fbank: FFT alone"))
        for peer in peers
    ]
    rows += [Row("whole, ours", [amount / t for t in times["whole: ours"]], "× real time")]
    rows += [
        Row(f"whole, against a plain loop with {peer}", ratios(times, f"whole: {peer}", "whole: ours"), reach=4)
        for peer in peers
    ]
    rows += [
        Row(f"the floor, against a plain loop with {peer}", ratios(times, f"whole: {peer}", "whole: floor"))
        for peer in peers
    ]
    rows += [
        Row(
            "whole, share of the floor's rate", [100 * r for r in ratios(times, "whole: floor", "whole: ours")], "%", 60
        ),
        Row("largest difference from kaldi-native-fbank", [float(max(differences))], "", 1e-3, at_most=True),
    ]
    save(
        f"features_{chosen.name}",
        f"Features of {chosen.name}, one core",
        rows,
        clock=f"CPU time, one thread, {len(paths)} recordings of {amount:.0f} s together",
        times=times,
        absent=absent,
        notes=[f"The floor's FFT is {library}'s, {block} frames of {OPTIONS.length} samples at a time."],
        packages=[
            "torch",
            "numpy",
            "soundfile",
            "webrtcvad-wheels",
            "kaldiio",
            "kaldi-native-fbank",
            "torchaudio",
            "lhotse",
        ],
        load=load,
    )


if __name__ == "__main__":
    run(main)
