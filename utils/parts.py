"""Data dirs made of the lines of another: a subset of its utterances, or parts that cover them all."""

from __future__ import annotations

import shutil
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from utils.cli import UserError, warn
from utils.data_dir import COMPLETE, keyed_on, replacing, speakers, spk2utt, tables
from utils.files import whole
from utils.record import Origin, content, outdated
from utils.table import aligned, key_of, read_lines, read_table, write_lines, write_table


def subset(data: Path, dest: Path | str, utterances: Iterable[str]) -> None:
    """Make the data dir `dest`, in the place of an older one, of some utterances of `data` and all that is said of
    them. Raises UserError for an utterance that `data` does not have, or none at all."""
    utt2spk = read_table(data / "utt2spk")
    home = dict.fromkeys(utterances, 0)
    if not home:
        raise UserError(f"{data}: no utterance is left for {dest}, so it is not written")
    if strangers := home.keys() - utt2spk.keys():
        raise UserError(f"{data}/utt2spk: no utterance '{min(strangers)}'")
    with replacing(dest, data) as temporary:
        _deal(data, utt2spk, home, [temporary])


def split(data: Path, nj: int, per_utt: bool = False) -> list[Path]:
    """Split `data` into data dirs DATA/split<nj>/1, 2, … of about equally many utterances; returns their paths. Sorted
    speakers stay together and follow each other; with `per_utt` utterances do, in DATA/split<nj>utt. `nj` is lowered,
    with a notice, to the number of speakers (utterances). A split made from the same files is kept."""
    origin = Origin("split", 1, content={path.name: content(path) for path in tables(data)})
    utt2spk = read_table(data / "utt2spk")
    if nj < 1 or not utt2spk:
        raise UserError(f"{data}: cannot split {len(utt2spk)} utterances into {nj} parts")
    units = [(utt,) for utt in sorted(utt2spk)] if per_utt else list(speakers(utt2spk).values())
    if nj > len(units):
        warn(f"{data}: {nj} parts lowered to {len(units)}, one for each {'utterance' if per_utt else 'speaker'}")
        nj = len(units)
    root = data / f"split{nj}{'utt' if per_utt else ''}"
    parts = [root / str(number + 1) for number in range(nj)]
    if outdated(root, origin, *parts):  # jobs of another step may be reading the parts: they stay where nothing changed
        cuts = _cuts([len(unit) for unit in units], nj)
        home = {utt: part for part in range(nj) for unit in units[cuts[part] : cuts[part + 1]] for utt in unit}
        with whole(root) as temporary:
            _deal(data, utt2spk, home, [temporary / part.name for part in parts])
            origin.write(temporary)
    return parts


def _cuts(sizes: Sequence[int], parts: int) -> list[int]:
    """Where to cut a row of units into `parts` runs, none empty, each cut as near as may be to its equal share:
    part i is units[cuts[i]:cuts[i + 1]]."""
    ends = [0, *accumulate(sizes)]
    cuts = [0]
    for part in range(1, parts):
        share = ends[-1] * part / parts
        cut = bisect_right(ends, share)
        cut -= share - ends[cut - 1] <= ends[cut] - share
        cuts.append(min(max(cut, cuts[-1] + 1), len(sizes) - (parts - part)))
    return [*cuts, len(sizes)]


def _deal(data: Path, utt2spk: Mapping[str, str], home: Mapping[str, int], parts: Sequence[Path]) -> None:
    """Make the folders `parts`: number i with what `data` says of the utterances whose `home` is i. Each table is read
    once, and its lines keep their order. A table that does not cover its utterances is named on standard error."""
    segments = read_table(data / "segments") if (data / "segments").is_file() else {}
    starts = [f"{utterance} " for utterance in utt2spk]
    for folder in parts:
        folder.mkdir(parents=True)
    places: list[list[int]] = [[] for _ in parts]  # of each part: where its utterances stand in utt2spk
    homes: dict[str, dict[str, set[int]]] = {"speaker": {}, "recording": {}}  # what a table is keyed on → key → parts
    for place, (utterance, speaker) in enumerate(utt2spk.items()):
        if (part := home.get(utterance)) is not None:
            places[part].append(place)
            homes["speaker"].setdefault(speaker, set()).add(part)
            if utterance in segments:
                homes["recording"].setdefault(segments[utterance].split(None, 1)[0], set()).add(part)
    for path in tables(data):
        kind = keyed_on(path.name, bool(segments))
        if path.name == "spk2utt":
            continue
        if not kind:
            for folder in parts:
                shutil.copy(path, folder)
            continue
        lines = read_lines(path)
        if kind == "utterance" and aligned(lines, starts):
            dealt = [[lines[place] for place in mine] for mine in places]
        else:
            if kind not in homes:
                homes[kind] = {utterance: {part} for utterance, part in home.items()}
            dealt = [[] for _ in parts]
            for line in lines:
                for part in homes[kind].get(key_of(line, path.name), ()):
                    dealt[part].append(line)
            count, expected = sum(map(len, dealt)), sum(map(len, homes[kind].values()))
            everything = len(home) == len(utt2spk)
            if path.name in COMPLETE and (count != expected or (everything and len(lines) > len(homes[kind]))):
                found = max(count, len(lines)) if everything else count
                warn(f"{path}: {found} lines for {expected} {kind}s: utils/fix_data_dir.py {data} mends that")
            elif not count:
                warn(f"{path}: none of its lines is about a {kind} that is kept")
        for folder, mine in zip(parts, dealt):
            if mine or path.name != "folds":  # an empty fold list would be none
                write_lines(folder / path.name, mine)
    for folder in parts:
        write_table(folder / "spk2utt", spk2utt(read_table(folder / "utt2spk")))
