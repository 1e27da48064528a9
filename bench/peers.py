#!/usr/bin/env python3
"""Vectors that public tools make of the recordings of a data dir, for steps/finetune.py --embeddings.

  bench/peers.py <compare|egemaps|resemblyzer> <data-dir> <folder>
  bench/peers.py compare egs/open/data/ravdess peers
  steps/finetune.py --systems peer_compare --embeddings peers ...

compare, egemaps: openSMILE's ComParE 2016 and eGeMAPS v02 (licensed for research), over the whole utterance;
resemblyzer: the embedding of a public speaker encoder. Needs bench/requirements.txt.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from utils import cli
from utils.recordings import sources

RATE = 16000


def opensmile(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A set of functionals of a signal at RATE."""
    import opensmile as smile

    kind = {"compare": smile.FeatureSet.ComParE_2016, "egemaps": smile.FeatureSet.eGeMAPSv02}[name]
    extractor = smile.Smile(kind, smile.FeatureLevel.Functionals, num_workers=1)
    return lambda signal: extractor.process_signal(signal, RATE).to_numpy()[0]


def resemblyzer() -> Callable[[np.ndarray], np.ndarray]:
    """The speaker embedding of a signal at RATE; without its silences, unless nothing is left then."""
    from resemblyzer import VoiceEncoder, preprocess_wav

    encoder = VoiceEncoder("cpu", verbose=False)

    def embed(signal: np.ndarray) -> np.ndarray:
        voice = preprocess_wav(signal, source_sr=RATE)
        return encoder.embed_utterance(voice if len(voice) >= RATE // 10 else signal)

    return embed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=["compare", "egemaps", "resemblyzer"])
    parser.add_argument("data", type=Path, help="data dir")
    parser.add_argument("out", type=Path, help="folder that gets <peer>.npz")
    options = parser.parse_args()
    describe = resemblyzer() if options.peer == "resemblyzer" else opensmile(options.peer)
    vectors = {}
    for utterance, source in tqdm(sources(options.data).items(), options.peer, disable=None):
        rate = soundfile.info(source.path).samplerate
        begin, end = round(source.begin * rate), None if source.end is None else round(source.end * rate)
        signal, _ = soundfile.read(source.path, start=begin, stop=end, dtype="float32", always_2d=True)
        vectors[utterance] = describe(soxr.resample(signal.mean(axis=1), rate, RATE)).astype(np.float32)
    options.out.mkdir(parents=True, exist_ok=True)
    np.savez(options.out / f"{options.peer}.npz", **vectors)


if __name__ == "__main__":
    cli.run(main)
