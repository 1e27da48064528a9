#!/usr/bin/env python3
"""Bad input, faults and attacks: how many kinds are tried by the tests, each at a place that meets it, and how many of
these hold: the right result, or one clear line, and nothing lost.

  python bench/faults.py [--list true | --told FILE]

A case is one such test, or one of a test's parameters; tests of what merely works are not counted. A property-based
test of a reader (tests/utils/test_fuzz.py) is one case, however many files it makes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from bench import harness
from utils import cli

ROOT = Path(__file__).resolve().parent.parent
AIM = 250  # cases, all of which are to hold
# A kind → the tests of it, by words of their names in these files. A test counts with the first kind that has it.
KINDS = {
    "Recordings: broken, odd, hostile": {
        "frontend/test_audio": "broken|claims|ends_badly|cut_short|playlist|no_speech_has|searched|another_length"
        "|a_pipe|many_channels|in_one_file|passes_over|cannot_be_used|without_pyav|freed|how_long",
        "steps/test_make_fbank": "unusable|one_sample|too_many|beyond_its_file|vanishes",
        "frontend/test_changes": "cannot",
        "utils/test_fuzz": "header_of_a_wav",
    },
    "Data dirs and folds": {
        "utils/test_(validate|fix|combine|subset|split|augment|leak)_data": "::test_invalid|mended|refused|cannot"
        "|mistyped|numbers_that|only_training|no_run_tests|::test_segments|::test_recordings|are_none",
        "utils/test_(data_dir|folds|make_folds|table|copies|audio_files)": "refuse|do_not|wrong|is_replaced|incomplete"
        "|mark|speaker_each|loops_end|cannot_be_read|windows|bytes_of_0",
        "evaluation/test_audit": "cannot|leak|mislead|look_alike|sound_twice|no_corpus",
    },
    "Corpora and tables of recordings": {
        "local/": "is_refused|wrong|missing|are_named|bad_|broken|cannot|one_line|no_server|that_is_none"
        "|killed|breaks_off|full_disk|do_not_help|no_archive|holds_itself|too_few|interrupted|that_fails|utf_16",
    },
    "Configurations and options": {
        "utils/test_(config|systems)": "refused|does_not_fit",
        "steps/test_finetune": "wrong_options|is_checked|unknown_key",
        "steps/test_make_fbank": "values_that_cannot",
        "(frontend/test_augmentation|nnet/test_networks)": "refused",
        "systems/test_corpora": "one_line|needs|cannot_be",
    },
    "Archives, scores, models, records": {
        "utils/test_(archive|scores|runs|record)": "nothing_is_run|refused|finite|no_archive|cannot|false_folds"
        "|another_hand",
        "(frontend/test_given|frontend/test_packed)": "wrong|other_kinds|nobodys|was_cut|missing",
        "training/test_checkpoint": "foreign|unpickled",
        "evaluation/": "refused|lost_a_line|are_not_compared|cannot_be|other_classes",
        "steps/test_(across|compare|publish|score|score_trials|report|probe|truth|make_model|pretrain)": "refus|missing"
        "|mistakes_in|cannot|not_finished|bad_lines|finite|nothing_to_read|another_hand|no_figure|did_not_leave",
        "steps/test_make_fbank": "pickle|never_a_command",
        "steps/test_finetune": "refused|missing_features|archive_changed|no_training_speaker|of_one_class",
        "utils/test_fuzz": "",
    },
    "Prediction and its page": {
        "steps/test_(predict|demo)": "cannot|wrong|missing|utf8|with_tabs|whatever|hardly|thresholds|different_names"
        "|may_say|refused|very_long|from_a_table|channel_that",
    },
    "Commands, shells, names": {
        "utils/test_shell": "mistake|never_run|left_empty|lacks|through_a_link|modes|stage_that_fails",
        "(test_path|test_startup|test_chain|utils/test_(cli|run|torchrun|jobs))": "mistake|refused|is_gone|no_python_is"
        "|failing|without_p|not_touched|another_shell|to_anothers|cannot_start|how_it_is_called|goes_away|as_a_word"
        "|loading|killed_half|two_shells|not_here|whole_and_stand|not_set",
        "(steps/test_make_fbank|reporting/)": "number_of_a_job|names_are_names|never_work",
    },
    "Kills, locks, disks, clocks": {
        "(utils/test_(hold|files)|test_machine)": "",
        "utils/test_cores": "killed|left",
        "test_chain": "killed|ctrl_c|no_longer_true",
        "utils/test_run": "interrupt|killed|outlive|limit|running|session|ignores|full_disk|nohup",
        "training/": "told_to_end|at_random|signal|too_few|fails_there",
        "steps/": "interrupted|somebody|not_replaced|dealt_out|kept_from|handed_to|was_killed|loses_no_features",
        "utils/test_torchrun": "dies|sigterm",
    },
    "Slurm": {
        "slurm/": "mistake|failure|cancel|killed|dies|requeued|limit|memory|restarts|interrupt|without_slurm"
        "|two_recipes|cannot_start|one_log|looks_after",
        "utils/test_slurm_scheduler": "reason|forgotten|lost_answer|silent|silence",
    },
}


def kind_of(case: str) -> str:
    """Of a test, as pytest names it; "" for one that is of no fault."""
    file, _, name = case.partition("::")
    for kind, places in KINDS.items():
        for place, words in places.items():
            if re.match(f"tests/(.*/)?{place}", file) and re.search(words, f"::{name.partition('[')[0]}"):
                return kind
    return ""


def collect() -> dict[str, str]:
    """Each case, as pytest names it → its kind."""
    words = [sys.executable, "-m", "pytest", "-o", "addopts=--import-mode=importlib", "--collect-only", "-q", "tests"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    kinds = {case: kind_of(case) for case in done.stdout.splitlines() if "::" in case}
    return {case: kind for case, kind in kinds.items() if kind}


def try_all(cases: dict[str, str], told: Path) -> None:
    """Run the tests that `cases` are of, and leave what pytest tells of them in `told`."""
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        listed = Path(folder) / "tests"
        listed.write_text("\n".join(dict.fromkeys(case.partition("[")[0] for case in cases)) + "\n")
        words = [sys.executable, "-m", "pytest", "-o", "addopts=--import-mode=importlib", "-q", f"--junitxml={told}"]
        subprocess.run([*words, f"--basetemp={folder}/tests.tmp", f"@{listed}"], cwd=ROOT)


def count(told: Path) -> tuple[Counter[str], Counter[str], int]:
    """How many cases of each kind were tried (what is skipped is not), how many held; of how many tests they are."""
    tried, held, tests = Counter[str](), Counter[str](), set()
    for case in ElementTree.parse(told).iter("testcase"):
        kind = kind_of(f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}")
        outcomes = {child.tag for child in case}
        if kind and "skipped" not in outcomes:
            tried[kind] += 1
            tests.add((case.attrib["classname"], case.attrib["name"].partition("[")[0]))
            held[kind] += not outcomes & {"failure", "error"}
    return tried, held, len(tests)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", type=cli.boolean, default=False, metavar="true", help="name the cases, and try none")
    parser.add_argument("--told", type=Path, help="of a run of pytest that has been, with -m '' and --junitxml FILE")
    options = parser.parse_args()
    if options.list:
        print(*(f"{kind}\t{case}" for case, kind in collect().items()), sep="\n")
        return
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        told = options.told or Path(folder) / "told.xml"
        if not options.told:
            try_all(collect(), told)
        tried, held, tests = count(told)
    rows = [harness.Row(kind, [held[kind]], "cases held", tried[kind]) for kind in KINDS]
    rows.append(harness.Row("all that were tried", [sum(tried.values())], "cases", AIM))
    rows.append(harness.Row("the same, if the variants of a test count once", [tests], "cases", AIM))
    rows.append(harness.Row("of all, held", [sum(held.values())], "cases", sum(tried.values())))
    harness.save(
        "faults",
        "Bad input, faults and attacks",
        rows,
        clock="none: the tests of faults are run, and counted",
        notes=["What needs a program that this machine lacks is not counted. `--list true` names the cases."],
    )


if __name__ == "__main__":
    cli.run(main)
