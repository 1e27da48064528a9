#!/usr/bin/env python3
"""Generate a small corpus of synthetic speech in the layout, and with the traps, of VoxCeleb1 or of IEMOCAP.

What is learnt from it says that the recipe works, and nothing about people.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

import local  # noqa: F401  # isort: skip (before what takes long: it says why)

import numpy as np
import soundfile

from local.synthesis import RATE, Turn, speak_all, stream
from utils.cli import UserError, boolean, path_of, run
from utils.files import whole
from utils.record import Origin, outdated

# Said in every emotion alike.
SENTENCES = """
Not yet.
All of it.
I think so.
I really don't know.
Go and ask your sister.
It is on the kitchen table.
We can go there tomorrow.
He called again this morning.
That is what they told me.
The keys were in my pocket.
I was there the whole time.
She wants to move to the coast.
We should have taken the train.
Nobody said anything about Monday.
There are two letters on your desk.
You can leave it by the back door.
I have to be at work before seven.
My brother is coming over for dinner.
They changed the number on the house.
Tell me again where you parked the car.
I will talk to her about it after lunch.
The bus comes past here at a quarter to nine.
He bought the green one, and then he sold it.
We have been waiting here since early morning.
You said the same thing when we were in Denver.
The woman at the counter gave me another form to sign.
Somebody left a bag of apples on the kitchen floor.
I looked in every room, and it was in the garden.
They are going to paint the whole building white this summer.
If you see my father, tell him the doctor called about Friday.
I put the money in the drawer, and now the drawer is open.
The man next door told me that he saw you walking down by the river.
We drove all night, and when we got there everybody was already asleep.
She told me that the meeting is on Thursday, and that I should bring the papers.
When I was a child we lived above a bakery, and I could smell the bread every morning.
You take the second road on the left, and then it is the yellow house behind the school.
I went back to the office to get my coat, and the two of them were still sitting there.
""".strip().splitlines()

# Shares of a speaker's utterances: most neutral, fewest happy, as in IEMOCAP; everybody has every class.
SHARES = {"neu": 15, "sad": 11, "ang": 8, "hap": 6, "fru": 3, "exc": 3, "xxx": 2}
RARE = ("sur", "oth", "fea", "dis")  # one of them each speaker
CATEGORIES = {"neu": "Neutral", "sad": "Sadness", "ang": "Anger", "hap": "Happiness", "fru": "Frustration"}
CATEGORIES |= {"exc": "Excited", "sur": "Surprise", "oth": "Other", "fea": "Fear", "dis": "Disgust"}
RATINGS = {"sad": (2, 2, 2), "ang": (2, 4, 4), "hap": (4, 3, 3), "fru": (2, 3, 3), "exc": (4, 4, 3)}  # V, A, D
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02\xff\xfe\x80\n"  # what a Mac leaves behind
NOTE = "SYNTHETIC"  # the file that says whose corpus this is: such a folder may be replaced

Plan = dict[str, tuple[str, list[Turn]]]  # speaker → gender, what he or she says


def voxceleb1(root: Path, seed: int, speakers: int, utterances: int) -> Plan:
    """Plan `speakers` speakers for dev and a quarter as many for test, three utterances a video; write the trials
    (all targets across videos, as many non-targets) and vox1_meta.csv below `root`."""
    rng = stream(seed, "voxceleb1")
    ids = [(f"id{10001 + n}", "dev") for n in range(speakers)]
    ids += [(f"id{10270 + n}", "test") for n in range(max(3, speakers // 4))]
    plan: Plan = {}
    meta = ["VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"]
    for number, (name, part) in enumerate(ids):
        gender = "mf"[number % 2]
        meta.append(f"{name}\tSynthetic_{number:04}\t{gender}\tNowhere\t{part}")
        plan[name] = gender, []
        for first in range(0, utterances, 3):
            video = base64.urlsafe_b64encode(rng.bytes(9)).decode()[:11]
            for index in range(min(3, utterances - first)):
                text = ""
                while not 11 <= len(text.split()) <= 15:  # 3 to 6 s
                    text = " ".join(rng.choice(SENTENCES, 2))
                path = f"{part}/wav/{name}/{video}/{index + 1:05}.wav"
                plan[name][1].append(Turn(path, text, str(rng.choice(["neu", "neu", "sad", "ang", "hap"])), video))
    (root / "vox1_meta.csv").write_text("\n".join(meta) + "\n")

    tested = [turn for name, part in ids if part == "test" for turn in plan[name][1]]
    pairs = [(a.path[9:], b.path[9:]) for a, b in itertools.combinations(tested, 2) if a.room != b.room]
    target = [pair for pair in pairs if pair[0][:7] == pair[1][:7]]
    others = [pair for pair in pairs if pair[0][:7] != pair[1][:7]]
    other = [others[n] for n in rng.choice(len(others), len(target), replace=False)]
    lines = [f"{1 - n} {a} {b}\n" for both in zip(target, other) for n, (a, b) in enumerate(both)]
    (root / "veri_test.txt").write_text("".join(lines))
    return plan


def dialogs(session: int) -> tuple[list[str], list[str]]:
    """The improvised and the scripted dialogs of a session; the first F or M wore the markers. Names as irregular as
    IEMOCAP's own."""
    parts = ["05a", "05b", "08a", "08b"] if session == 3 else ["05", "08"]
    improvised = ["F_impro01", "F_impro04", *(f"M_impro{part}" for part in parts)]
    scripted = ["F_script01_1", "M_script02_2", *(["M_script01_1b"] if session == 5 else [])]
    return [f"Ses0{session}{name}" for name in improvised], [f"Ses0{session}{name}" for name in scripted]


def deal(rng: np.random.Generator, utterances: int) -> list[str]:
    """About `utterances` labels for one speaker, every class of SHARES among them, in random order."""
    total = 1 + sum(SHARES.values())
    labels = [label for label, share in SHARES.items() for _ in range(max(1, round(share * utterances / total)))]
    return list(rng.permutation([*labels, rng.choice(RARE)]))


def iemocap(root: Path, seed: int, utterances: int) -> tuple[Plan, dict[str, list[tuple[str, str]]]]:
    """Plan two speakers in each of five sessions, `utterances` improvised ones each and a quarter as many scripted.
    Returns the plan and, by dialog, its turns in order as (name, label)."""
    rng = stream(seed, "iemocap")
    plan: Plan = {}
    spoken: dict[str, list[tuple[str, str]]] = {}
    for session in range(1, 6):
        for names, count in zip(dialogs(session), (None, max(3, utterances // 4))):
            dealt = {gender: deal(rng, utterances)[:count] for gender in "FM"}
            for number, dialog in enumerate(names):
                mine = [(gender, label) for gender in "FM" for label in dealt[gender][number :: len(names)]]
                counts = {"F": itertools.count(), "M": itertools.count()}
                spoken[dialog] = []
                for gender, label in rng.permutation(mine):
                    turn = f"{dialog}_{gender}{next(counts[gender]):03}"
                    spoken[dialog].append((turn, str(label)))
                    path = f"Session{session}/sentences/wav/{dialog}/{turn}.wav"
                    emotion = str(label) if label != "xxx" else str(rng.choice(["neu", "fru", "sad"]))
                    _, turns = plan.setdefault(f"Ses0{session}{gender}", (gender.lower(), []))
                    turns.append(Turn(path, str(rng.choice(SENTENCES)), emotion, f"Session{session}"))
    return plan, spoken


def write_labels(root: Path, seed: int, spoken: dict[str, list[tuple[str, str]]]) -> None:
    """Write dialog/EmoEvaluation of every session, once the sound is there: it knows how long the turns are."""
    for dialog, turns in spoken.items():
        session = root / f"Session{dialog[4]}"
        labels = session / "dialog" / "EmoEvaluation"
        for folder in ("Attribute", "Categorical", "Self-evaluation"):
            (labels / folder).mkdir(parents=True, exist_ok=True)
        rng = stream(seed, dialog)
        blocks, categories, attributes, end = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"], [], [], 0.0
        for turn, label in turns:
            start = end + rng.uniform(0.2, 2)
            end = start + soundfile.info(session / "sentences" / "wav" / dialog / f"{turn}.wav").frames / RATE
            votes = ["neu", "fru", "sad"] if label == "xxx" else [label, label, str(rng.choice(list(CATEGORIES)))]
            rated = np.clip(np.array(RATINGS.get(label, (3, 3, 3))) + rng.integers(-1, 2, (2, 3)), 1, 5)
            mean = ", ".join(f"{value:.4f}" for value in rated.mean(axis=0))
            lines = [f"[{start:.4f} - {end:.4f}]\t{turn}\t{label}\t[{mean}]"]
            lines += [f"C-{who}:\t{CATEGORIES[vote]};\t()" for who, vote in zip(("E2", "E3", "F1"), votes)]
            lines += [f"A-{who}:\tval {v}; act {a}; dom  {d};\t()" for who, (v, a, d) in zip(("E3", "E4"), rated)]
            blocks.append("\n".join(lines) + "\n")
            categories.append(f"{turn} :{CATEGORIES[votes[0]]}; ()\n")
            attributes.append(f"{turn} :act {rated[0, 1]}; :val {rated[0, 0]}; :dom {rated[0, 2]}; ()\n")
        (labels / f"{dialog}.txt").write_text("\n".join(blocks) + "\n")
        (labels / f"._{dialog}.txt").write_bytes(APPLE_DOUBLE)
        (labels / "Attribute" / f"{dialog}_e3_atr.txt").write_text("".join(attributes))
        (labels / "Categorical" / f"{dialog}_e2_cat.txt").write_text("".join(categories))
        (labels / "Self-evaluation" / f"{dialog}_f1_cat.txt").write_text("".join(categories))
        (session / "sentences" / "wav" / dialog / f"._{turns[0][0]}.wav").write_bytes(APPLE_DOUBLE)


def generate(
    corpus: str,
    folder: Path,
    seed: int = 0,
    nj: int = 2,
    speakers: int = 48,
    utterances: int = 0,
    strength: float = 1.5,
    redo: bool = False,
) -> None:
    """Make `folder`, whole or not at all. `utterances` (of each speaker) 0: 12 for voxceleb1, 48 for iemocap. What was
    made from the same numbers stays as it is, unless `redo`."""
    folder = folder.resolve()
    numbers = {"corpus": corpus, "seed": seed, "speakers": speakers, "utterances": utterances, "strength": strength}
    origin = Origin("mini", 1, numbers)
    if not redo and not outdated(folder, origin, folder / NOTE):
        print(f"mini.py: {folder}: is there, made from the same numbers")
        return
    ours = (folder / NOTE).is_file() or folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not ours:
        raise UserError(f"{folder}: is there, and local/mini.py did not make it: name a new folder")
    with whole(folder) as root:
        root.mkdir()
        spoken: dict[str, list[tuple[str, str]]] = {}
        if corpus == "voxceleb1":
            plan = voxceleb1(root, seed, speakers, utterances or 12)
        else:
            plan, spoken = iemocap(root, seed, utterances or 48)
        shown = time.monotonic()
        for done in speak_all(root, plan, seed, strength, nj):
            if time.monotonic() - shown > 5:
                shown = time.monotonic()
                print(f"mini.py: {corpus}: {done} of {len(plan)} speakers", flush=True)
        write_labels(root, seed, spoken)
        (root / NOTE).write_text(f"Synthetic speech by local/mini.py: {corpus}, seed {seed}, strength {strength:g}\n")
        origin.write(root)
    count = sum(len(turns) for _, turns in plan.values())
    print(f"mini.py: {corpus}: {count} utterances of {len(plan)} speakers in {folder}")


def number(kind: type, lowest: float, highest: float) -> Callable[[str], float]:
    """An argparse `type=`: a number of that kind, between the two."""

    def parse(text: str) -> float:
        if not lowest <= kind(text) <= highest:
            raise argparse.ArgumentTypeError(f"'{text}' is not between {lowest} and {highest}")
        return kind(text)

    parse.__name__ = kind.__name__  # for argparse's own message
    return parse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=number(int, 0, 2**32 - 1), default=0, help="another seed, another corpus [0]")
    parser.add_argument("--nj", type=number(int, 1, 1024), default=2, help="processes; the sound is the same [2]")
    parser.add_argument("--speakers", type=number(int, 2, 269), default=48, help="of VoxCeleb1's dev [48]")
    parser.add_argument("--utterances", type=number(int, 4, 999), default=0, help="a speaker [12; IEMOCAP: 48]")
    parser.add_argument("--strength", type=number(float, 0, 5), default=1.5, help="of the emotions; 0: none [1.5]")
    parser.add_argument("--redo", type=boolean, default=False, metavar="true|false", help="make again what is there")
    parser.add_argument("corpus", choices=("voxceleb1", "iemocap"))
    parser.add_argument("folder", type=path_of, help="where; for IEMOCAP, it will hold Session1 to Session5")
    generate(**vars(parser.parse_args()))


if __name__ == "__main__":
    run(main)
