#!/usr/bin/env python3
"""Systems across corpora: trained on one, on all others, on all; tested on each. A table, a picture, and every figure.

  steps/across.py <data-dir> <exp-dir>
  steps/across.py data/across/all exp/across

<exp-dir> holds a folder for each protocol of local/across.py, with the systems trained on it; <data-dir> is that of all
corpora, with utt2corpus. Makes <exp-dir>/across.json (its layout: steps/evaluation/across.py), ACROSS.md and
figures/across.{png,svg,pdf}.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from steps.evaluation import across
from utils import cli
from utils.job_log import revision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data dir of all corpora, with utt2corpus")
    parser.add_argument("exp", type=Path, help="folder that holds the protocols' folders")
    options = parser.parse_args()
    from steps.reporting import matrix, page  # here, as --help may do without pictures

    result = across.compare(options.exp, options.data)
    across.write(options.exp, result)
    sections = matrix.sections(result, options.exp)
    title = f"Across corpora: {', '.join(result['corpora'])}"
    page.write(options.exp / "ACROSS.md", page.document(title, f"steps/across.py at {revision()}", sections))
    for system in result["systems"]:
        print(f"{system}\n\n{matrix.table(result, system).plain()}\n")
    print(matrix.probed(result))
    print(
        f"\n{options.exp}/ACROSS.md, its picture in {options.exp}/figures, all figures in {options.exp}/{across.NAME}"
    )


if __name__ == "__main__":
    cli.run(main)
