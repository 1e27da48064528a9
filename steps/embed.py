#!/usr/bin/env python3
"""Utterance embeddings of a data dir: embedding.ark and embedding.scp. What is there and up to date is kept.

steps/embed.py <model-dir> <data-dir> <out-dir>
steps/embed.py exp/resnet18 data/test exp/resnet18/embeddings/test
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.systems.embedding import embed
from utils import cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=cli.path_of, help="folder with model.safetensors and config.yaml")
    parser.add_argument("data", type=cli.path_of, help="data dir with feats.scp")
    parser.add_argument("out", type=cli.path_of, help="folder for the embeddings")
    options = parser.parse_args()
    count = embed(options.model, options.data, options.out)
    print(f"{options.out}: {f'{count} embeddings' if count else 'the embeddings are there and up to date'}")


if __name__ == "__main__":
    cli.run(main)
