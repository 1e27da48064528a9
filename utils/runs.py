"""The run folder: exp/<system>/<run>_seed<k>/, what its files are called, which runs are finished, and which of them
were made under false folds.

What is kept of a system, results/<system>.tar.xz, holds the same folders with their text files, and is read in the same
way: `tar -xf` gives them back."""

from __future__ import annotations

import io
import lzma
import os
import re
import tarfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from utils.cli import UserError
from utils.files import whole
from utils.yaml_file import MOST as VALUES
from utils.yaml_file import unfolded

SCORES = "scores"  # posteriors for the test speakers, written last: where it is, the run is finished
VALID = "scores.valid"  # for the validation speakers
LAST = "scores.last"  # for the test speakers, of the last epoch instead of the selected one
ORACLE = "scores.oracle"  # of the epoch that is best on the test speakers: what that mistake is worth
CONFIG = "config.yaml"
ENVIRONMENT = "environment.yaml"
RECORD = ".made_from.finetune"  # of what it was made; an archive keeps none
MODEL = "model.safetensors"
CHECKPOINT = "checkpoint.pt"
HISTORY = "history.tsv"  # losses and validation results, a line an epoch
PROBES = "probes"  # how much the embeddings carry
EMBEDDING = "embedding"  # .ark and .scp: what the classifier sees
MINUS = "embedding_minus"  # what has been put aside: F⁻
RESULT = "result"  # of the system, beside its runs: the line that a Kaldi user greps

PRETRAINED = "pretrained"  # the "system" whose folder holds what is known of the extractor before any fine-tuning
ARCHIVE = ".tar.xz"
KEPT = (CONFIG, ENVIRONMENT, HISTORY, PROBES, "leak", VALID, LAST, ORACLE, SCORES)  # in an archive, in this order

MOST = 1 << 30  # bytes that an archive may unfold to

LEAK = "leak"  # marks a data dir with falsified speakers, and each run trained on it; its first word is the kind
LEAKING = "leak_"  # and the kind: the folder that such systems are in, beside the honest ones


class Run(NamedTuple):
    """One system, trained on one run of the fold list with one seed."""

    system: str  # "" where there is one only, whose folder is known
    run: str
    seed: int

    def folder(self, exp: Path) -> Path:
        return exp / self.system / f"{self.run}_seed{self.seed}"


def pretrained_for(seed: int, folder: Path) -> Path:
    """The folder of the pre-trained model that a seed starts from: <folder>/seed<k> where that holds one, so that seeds
    may differ in their pre-training, too; else `folder`. Raises UserError where seed<k> is there without a model."""
    own = folder / f"seed{seed}"
    if not os.path.lexists(own):
        return folder
    if not (own / MODEL).is_file():
        raise UserError(f"{own / MODEL}: no such model, and seed {seed} starts from it; put it there, or remove {own}")
    return own


def parse(name: str) -> tuple[str, int] | None:
    """Run and seed of a run folder's name; None for other names."""
    match = re.fullmatch(r"(.+)_seed(0|[1-9][0-9]*)", name)  # one name for one number
    return (match[1], int(match[2])) if match else None


@dataclass
class Texts:
    """The text files of one run, wherever they are kept."""

    place: Path  # the run folder, or where it would be beside the archive: what messages name
    contents: Mapping[str, str] | None = None  # file → content, of an archive; None: they are in `place`

    def read(self, name: str) -> str | None:
        """The content of a file; None where it is not there."""
        if self.contents is not None:
            return self.contents.get(name)
        path = self.place / name
        if path.is_dir():
            raise UserError(f"{path}: is a folder, and a file is read there; remove it, and make it again")
        try:
            return path.read_text(encoding="utf-8") if path.is_file() else None
        except UnicodeDecodeError:
            raise UserError(f"{path}: is no text in UTF-8; make it again") from None

    def mapping(self, name: str) -> dict[str, Any]:
        """A YAML file; {} where it is not there. Raises UserError for what is no mapping."""
        try:
            return dict(_yaml(self.read(name) or "") or {})
        except (yaml.YAMLError, TypeError, ValueError, RecursionError):
            raise UserError(f"{self.place / name}: is not YAML of 'key: value' lines") from None


@lru_cache(maxsize=256)
def _yaml(text: str) -> Any:
    content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if unfolded(content, {}) > VALUES:
        raise ValueError("a bomb of aliases")
    return content


def systems(exp: Path) -> list[str]:
    """The systems in `exp` that have a finished run, or an archive."""
    names = [] if not exp.is_dir() else [name for name in os.listdir(exp) if not name.startswith(".")]
    trained = {name for name in names if places(exp / name, SCORES)}
    archives = {name.removesuffix(ARCHIVE) for name in names if name.endswith(ARCHIVE)}
    return sorted(trained | archives - {PRETRAINED})


def places(system: Path, last: str) -> list[Path]:
    """The run folders of a system that have the file `last`. Raises OSError for one that may not be read, which a
    pattern would pass over."""
    if not system.is_dir():
        return []
    runs = [system / name for name in sorted(os.listdir(system)) if parse(name) and (system / name).is_dir()]
    return [place for place in runs if last in os.listdir(place)]


def finished(system: Path, last: str = SCORES) -> dict[tuple[str, int], Texts]:
    """(run, seed) → the files of every finished run of a system, those that have the file `last`; of its folder or,
    where there is none, its archive."""
    if system.is_dir():
        runs = {key: Texts(place) for place in places(system, last) if (key := parse(place.name))}
    else:
        runs = archived(system)
    return {key: texts for key, texts in runs.items() if texts.read(last) is not None}


def archived(system: Path) -> dict[tuple[str, int], Texts]:
    """(run, seed) → the files of every run in a system's archive; {} where there is none."""
    archive = system.with_name(f"{system.name}{ARCHIVE}")
    if archive.is_dir():
        raise UserError(f"{archive}: is a folder, and no archive of runs: remove it, and steps/publish.py makes it")
    return unpack(archive, system) if archive.is_file() else {}


def pack(system: Path, archive: Path, last: str = SCORES, labels: bool = True) -> int:
    """Keep the text files of a system's finished runs in `archive`, the same bytes for the same files; returns how many
    runs. Without `labels`, score files hold "-" for them: those of a licensed corpus are not ours to give away."""
    runs = finished(system, last)
    with whole(archive) as temporary, tarfile.open(temporary, "w:xz", format=tarfile.PAX_FORMAT) as tar:
        for name in KEPT:  # like beside like is smallest
            for (run, seed), texts in sorted(runs.items()):
                if (text := texts.read(name)) is not None:
                    if name.startswith(SCORES) and not labels:
                        header, _, lines = text.partition("\n")
                        text = f"{header}\n" + re.sub(r"^(\S+ \S+) \S+", r"\1 -", lines, flags=re.MULTILINE)
                    member = tarfile.TarInfo(f"{run}_seed{seed}/{name}")
                    content = text.encode("utf-8")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return len(runs)


def unpack(archive: Path, system: Path) -> dict[tuple[str, int], Texts]:
    """(run, seed) → the files of each run in `archive`, read and never extracted. Raises UserError for what is no
    archive of runs."""
    contents: dict[tuple[str, int], dict[str, str]] = {}
    try:
        with lzma.open(archive) as packed:  # to its end, where its sums are
            content = packed.read(MOST + 1)
            if len(content) > MOST or packed.read(1):
                raise ValueError(f"it unfolds to more than {MOST} bytes")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                folder, _, name = member.name.partition("/")
                if (key := parse(folder)) and name in KEPT:
                    own = contents.setdefault(key, {})
                    if name in own or not (file := member.isfile() and tar.extractfile(member)):
                        raise ValueError(f"{member.name} stands twice, or is no file")
                    own[name] = file.read().decode("utf-8")
    except (tarfile.TarError, lzma.LZMAError, EOFError, KeyError, ValueError, OSError) as error:
        raise UserError(f"{archive}: is not an archive of runs ({error}); steps/publish.py makes it") from None
    if not contents:
        raise UserError(f"{archive}: is not an archive of runs (it holds none); steps/publish.py makes it")
    return {(run, seed): Texts(system / f"{run}_seed{seed}", files) for (run, seed), files in sorted(contents.items())}


def leak(data: Path) -> str:
    """How the speakers of a data dir are falsified (utils/leak_data_dir.py); "" where they are true."""
    mark = Texts(data).read(LEAK)
    return "" if mark is None else (mark.split() or ["unnamed"])[0].rstrip(",")


def check_home(data: Path, exp: Path) -> None:
    """Raises UserError where systems trained on falsified speakers would stand in `exp` as if they were honest."""
    if (kind := leak(data)) and not exp.resolve().name.startswith(f"{LEAKING}{kind}"):
        raise UserError(
            f"{data} has falsified speaker labels (made by utils/leak_data_dir.py); write to a folder {LEAKING}{kind}/"
        )


def pass_on_leak(data: Path, folder: Path) -> None:
    """Mark the folder of a run as the data dir is marked."""
    if (mark := Texts(data).read(LEAK)) is not None:
        with whole(folder / LEAK) as temporary:
            temporary.write_text(mark, encoding="utf-8")


def check_honest(system: Path, runs: Iterable[Texts]) -> None:
    """Raises UserError where a system, <exp>/<system>, or one of its `runs` was made under false folds."""
    place = system.resolve()
    marked = [texts.place for texts in runs if texts.read(LEAK) is not None]
    if marked or place.name.startswith(LEAKING) or place.parent.name.startswith(LEAKING):
        raise UserError(
            f"{(marked or [system])[0]}: made with false speakers, so no result; the leak table shows it from a folder "
            f"{LEAKING}<kind> beside the honest systems"
        )


def complete_seeds(keys: Collection[tuple[str, int]], runs: Collection[str]) -> list[int]:
    """The seeds with which all of `runs` are among the finished ones, `keys`."""
    done: dict[int, set[str]] = {}
    for run, seed in keys:
        done.setdefault(seed, set()).add(run)
    return sorted(seed for seed, names in done.items() if names >= set(runs))
