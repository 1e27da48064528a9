#!/usr/bin/env python3
"""Kill -9 at random moments, over and over, and compare what comes out in the end byte for byte with what comes out
undisturbed: of a pre-training and a fine-tuning alone (one thread, a checkpoint behind every step), and of two whole
recipes, from the corpus to the table, on generated speech.

  python bench/kill.py [--kills 100] [--recipe-kills 20] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import harness

ROOT = Path(__file__).resolve().parent.parent
PRETRAIN = "network: {width: 2}\ninput: {crop: 60}\ntraining: {epochs: 2, batch: 8, bn_group: 4}\n"
FINETUNE = "network: {width: 2}\ninput: {crop: 60}\ntraining: {epochs: 3, batch: 16}\n"
KEPT = ["results.json", "result", "scores*", "model.safetensors", "embedding.ark", "history.tsv"]


def contents(folder: Path) -> dict[str, bytes]:
    """What counts in the end, by path."""
    found = {path for pattern in KEPT for path in folder.rglob(pattern) if path.is_file()}
    return {str(path.relative_to(folder)): content(path) for path in sorted(found)}


def content(path: Path) -> bytes:
    """A file's; of results.json without what says when and where, and how long it took."""
    if path.name != "results.json":
        return path.read_bytes()
    results = json.loads(path.read_text(encoding="utf-8"))
    for system in results["systems"].values():
        for key in ("cost", "conditions", "commands"):
            del system[key]
    return json.dumps(results).encode()


def until_finished(
    start: Callable[[], Callable[[float | None], bool]], kills: int, longest: float, rng: random.Random
) -> int:
    """Start it again and again, and kill it after up to `longest` seconds, `kills` times or until it is finished
    earlier; then let it finish. Returns how often it was killed."""
    for killed in range(kills):
        if start()(rng.uniform(0, longest)):
            return killed
    if not start()(None):
        sys.exit("bench/kill.py: it did not finish")
    return kills


def forked(work: Callable[[], None]) -> Callable[[float | None], bool]:
    """Start `work` in a fork; the function that is returned waits for its end, or for so many seconds and kills it."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        work()
        os._exit(0)
    return lambda seconds: ended(child, seconds)


def ended(child: int, seconds: float | None) -> bool:
    deadline = time.monotonic() + (seconds if seconds is not None else 1e9)
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status:
                sys.exit(f"bench/kill.py: it ended with status {os.waitstatus_to_exitcode(status)}")
            return True
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def called(command: list[str], work: Path) -> Callable[[float | None], bool]:
    """The same for a program, which is killed with all processes of its session; what it had started elsewhere ends by
    itself."""
    log = open(work / "log", "ab")  # noqa: SIM115
    process = subprocess.Popen(command, cwd=work, stdout=log, stderr=log, start_new_session=True)

    def wait(seconds: float | None) -> bool:
        try:
            if process.wait(seconds):
                sys.exit(f"bench/kill.py: {command[0]} failed; see {work}/log")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
        return True

    return wait


def repeated(
    name: str, start: Callable[[], Callable[[float | None], bool]], out: Path, kills: int, seed: int, *others: Path
) -> harness.Row:
    """The undisturbed outcome in `out`, then others, from the beginning (without the folders `others` too), with
    `kills` kills in all."""
    rng, began = random.Random(seed), time.monotonic()
    start()(None)
    longest, whole, same, done = time.monotonic() - began, contents(out), [], 0
    while done < kills:
        for folder in (out, *others):
            shutil.rmtree(folder)
        killed = until_finished(start, kills - done, longest / 3, rng)
        done += killed
        if killed:
            other = contents(out)
            differ = sorted(path for path in whole.keys() | other.keys() if whole.get(path) != other.get(path))
            same.append(float(not differ))
            print("".join(f"{name}: {path} differs\n" for path in differ), end="")
        print(f"{name}: {done} of {kills} kills, {int(sum(same))} of {len(same)} outcomes identical", flush=True)
    return harness.Row(f"{name}: {done} kills, {len(whole)} files identical", [min(same, default=1.0)], "", reach=1)


def trainings(work: Path, kills: int, seed: int) -> list[harness.Row]:
    """Pre-training and fine-tuning in this process's forks."""
    import torch

    from steps.frontend.utterances import read_corpus
    from steps.systems.system import Config
    from steps.systems.train_run import train_run
    from steps.training import loop, pretraining
    from steps.training import speakers as speakers_training
    from utils import config, folds

    torch.set_num_threads(1)
    loop.SAVE_EVERY = 0.0
    data, speakers = work / "data/iemocap/iemocap", work / "data/voxceleb1"
    learning = config.load(pretraining.Config, work / "conf/voxceleb1/pretrain.yaml")
    system = config.load(Config, work / "conf/iemocap/finetune.yaml")
    run = folds.read(data / "folds")["Ses01F"]

    def pre_train() -> None:
        speakers_training.pretrain(speakers / "train", speakers / "heldout", work / "alone/pretrain", learning)

    def fine_tune() -> None:
        corpus = read_corpus(data, system.input, torch.device("cpu"))
        train_run(corpus, run, work / "alone/finetune", 0, system, "")

    return [
        repeated("pre-training", lambda: forked(pre_train), work / "alone/pretrain", kills // 2, seed),
        repeated("fine-tuning", lambda: forked(fine_tune), work / "alone/finetune", kills - kills // 2, seed + 1),
    ]


def recipe(work: Path) -> list[str]:
    """Corpora and configuration in `work`; the command of both recipes on them, one after the other."""
    for corpus, words in (("voxceleb1", ["--speakers", "4", "--utterances", "4"]), ("iemocap", ["--utterances", "6"])):
        subprocess.run([ROOT / "local/mini.py", *words, corpus, work / "corpora" / corpus], check=True)
        (work / "conf" / corpus).mkdir(parents=True)
        (work / "conf" / corpus / "fbank.yaml").symlink_to(ROOT / "egs/iemocap/conf/fbank.yaml")
    (work / "conf/voxceleb1/pretrain.yaml").write_text(PRETRAIN)
    (work / "conf/iemocap/finetune.yaml").write_text(FINETUNE)
    for path in (ROOT / "egs/iemocap/conf").iterdir():
        if path.name not in ("fbank.yaml", "finetune.yaml"):
            (work / "conf/iemocap" / path.name).symlink_to(path)
    common = "--check-counts false --nj 2 --conf conf/{0} --data data/{0} --exp exp/{0}"
    speakers = f"{ROOT}/egs/voxceleb1/run.sh --voxceleb1 corpora/voxceleb1 {common.format('voxceleb1')}"
    emotion = f"{ROOT}/egs/iemocap/run.sh --iemocap corpora/iemocap {common.format('iemocap')} --runs 'Ses01F Ses03M'"
    emotion += " --systems 'resnet18_pretrain_ad vgg5' --pretrained exp/voxceleb1/resnet18 --train-nj 2"
    return ["bash", "-ec", f"{speakers}\n{emotion}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of trainings")
    parser.add_argument("--recipe-kills", type=int, default=20, help="of recipes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    os.environ |= {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="kill") as folder:
        work = Path(folder)
        command = recipe(work)
        rows = [
            repeated(
                "two recipes",
                lambda: called(command, work),
                work / "exp",
                options.recipe_kills,
                options.seed,
                work / "data",
            )
        ]
        rows += trainings(work, options.kills, options.seed)
    harness.save(
        "kill",
        "Killed at random moments, and called again",
        rows,
        clock="none: 1 where every outcome equals the undisturbed one, byte for byte",
        notes=["Compared: scores, tables, weights, embeddings, histories. A recipe is killed with its whole session."],
        load=load,
    )


if __name__ == "__main__":
    main()
