"""Which run folders are to be probed, and the file `probes` in each (steps/evaluation/probes.py says what it holds)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from steps.evaluation.probes import probe_run, read_labelled, read_tables, write_probes
from utils import cli, folds, record, runs
from utils.archive import read_of, read_scp, scp_content
from utils.cores import on_all_cores
from utils.files import remove
from utils.hold import hold
from utils.table import read_table

SPACES = (runs.EMBEDDING, runs.MINUS)
TABLES = ("utt2spk", "utt2emo", "utt2session", "spk2gender")
VERSION = 1  # of the probes themselves
WIDEST = 1024  # values of a vector that is probed unasked: a probe's time grows with their third power


class Corpus:
    """What the data dir says of its utterances."""

    def __init__(self, data: Path) -> None:
        self.data, self.folds = data, folds.of_data_dir(data)
        self.content = {name: record.content(data / name) for name in TABLES if (data / name).is_file()}
        self.labels = read_tables(data)
        self.genders = read_table(data / "spk2gender") if "spk2gender" in self.content else {}

    def roles(self, run: str, place: Path) -> dict[str, list[str]]:
        """train, valid, test → speakers. Raises UserError for a run that the folds do not have."""
        if run not in self.folds:
            raise cli.UserError(f"{place}: the data dir's folds have no run {run}: was it trained on other data?")
        return self.folds[run]


class Folder(NamedTuple):
    """A folder to be probed."""

    place: Path  # where the file `probes` goes
    source: Path  # where the embeddings are
    run: str
    tested: set[str] | None = None  # the speakers that the run was scored on, where they are known

    @property
    def spaces(self) -> dict[str, Path]:
        return {space: path for space in SPACES if (path := self.source / f"{space}.scp").is_file()}


def width(folder: Folder) -> int:
    """Values of a vector in the widest of a folder's spaces."""
    first = {path: next(iter(read_scp(path).items()), None) for path in folder.spaces.values()}
    return max((read_of(path, *line).size for path, line in first.items() if line), default=0)


def outdated(folder: Folder, corpus: Corpus) -> bool:
    """Whether it is to be probed. Raises UserError as `origin_of` does."""
    origin, probes = origin_of(folder, corpus), folder.place / runs.PROBES
    if probes.is_file():
        origin.content[runs.PROBES] = record.content(probes)
    return bool(folder.spaces and record.outdated(folder.place, origin, probes))


def origin_of(folder: Folder, corpus: Corpus) -> record.Origin:
    """What the probes of a folder are made from. Raises UserError where it was trained on other data."""
    roles = corpus.roles(folder.run, folder.place)
    if folder.tested is not None and folder.tested != set(roles["test"]):
        raise cli.UserError(
            f"{folder.place}: its test speakers are not those of the data dir's folds; was it trained on another data "
            "dir?"
        )
    return record.Origin(
        "probe",
        VERSION,
        content={space: scp_content(path) for space, path in folder.spaces.items()}
        | {"roles": record.total(f"{part} {' '.join(sorted(names))}" for part, names in roles.items())}
        | corpus.content,
    )


def probe_folder(folder: Folder, corpus: Corpus) -> None:
    """Write <place>/probes."""
    threadpool_limits(1)  # of small matrices: several threads are slower, on a busy machine thirty times
    origin = origin_of(folder, corpus)
    with hold(folder.place):
        remove(origin.path(folder.place))  # so that no probes ever stand beside a record of others
        spaces = {space: read_labelled(path, corpus.labels) for space, path in folder.spaces.items()}
        for space, labelled in spaces.items():
            own = {name for name, speaker in corpus.labels["utt2spk"].items() if speaker in (folder.tested or ())}
            if lacking := own - set(labelled.utterances.tolist()):
                raise cli.UserError(
                    f"{folder.spaces[space]}: {len(lacking)} tested utterances have no embedding, first "
                    f"'{min(lacking)}'; remove the run and redo it"
                )
        probes = probe_run(spaces, corpus.roles(folder.run, folder.place), corpus.genders)
        write_probes(folder.place / runs.PROBES, probes)
        origin.content[runs.PROBES] = record.content(folder.place / runs.PROBES)  # what was changed is made again
        origin.write(folder.place)


def probe_folders(folders: Sequence[Folder], corpus: Corpus) -> None:
    """On all cores that this process may use."""
    done = on_all_cores(partial(probe_folder, corpus=corpus), folders)
    for _ in tqdm(done, "probing", len(folders), unit="run", disable=None, leave=False):
        pass
