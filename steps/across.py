#!/usr/bin/env python3
"""Systems across corpora: trained on one, on all others, on all; tested on each. A table, a picture, and every figure.

  steps/across.py [--out DIR] <data-dir> <exp-dir>
  steps/across.py data/across/a+b/all exp/across/a+b
  steps/across.py --out results/across data/across/a+b/all exp/across/a+b     keep them in the repository

<exp-dir> holds a folder for each protocol of local/across.py, with the systems trained on it; <data-dir> is that of all
corpora, with utt2corpus. Makes across.json (its layout: steps/evaluation/across.py), README.md and figures/across.png
in <exp-dir>, or in --out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

from steps.evaluation import across
from utils import cli
from utils.job_log import revision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=cli.path_of, help="data dir of all corpora, with utt2corpus")
    parser.add_argument("exp", type=cli.path_of, help="folder that holds the protocols' folders")
    parser.add_argument("--out", type=cli.path_of, help="folder to write to [<exp-dir>]")
    options = parser.parse_args()
    out = options.out or options.exp
    from steps.reporting import matrix, page  # here, as --help may do without pictures

    result = across.compare(options.exp, options.data)
    across.write(out, result)
    sections = matrix.sections(result, out)
    title = f"Across corpora: {', '.join(result['corpora'])}"
    page.write(out / "README.md", page.document(title, f"steps/across.py at {revision()}", sections))
    for system in result["systems"]:
        print(f"{system}\n\n{matrix.table(result, system).plain()}\n")
    print("\n".join(matrix.NOTES), matrix.summary(result).plain(), matrix.probed(result), sep="\n\n")
    print(f"\n{out}/README.md; all figures: {out / across.NAME}")


if __name__ == "__main__":
    cli.run(main)
