"""A data dir with every kind of table, for the tests of what handles data dirs."""

import pytest

from utils.data_dir import Utterance, keyed_on, spk2utt, tables, write_data_dir
from utils.make_folds import rotate
from utils.table import read_lines, read_table, write_table

GENDERS = {f"spk{number}": "mf"[number % 2] for number in range(6)}


@pytest.fixture
def data(tmp_path):
    """6 speakers with 2 to 7 utterances (27), two sessions each, 3 runs; tables known and unknown, of every key."""
    utterances = [
        Utterance(f"{spk}-u{k}", f"/c/{spk}/{k}.wav", spk, f"{spk}-d{k % 2}", gender, ["ang", "hap"][k % 2])
        for number, (spk, gender) in enumerate(GENDERS.items())
        for k in range(2 + number)
    ]
    path = tmp_path / "data" / "train"
    write_data_dir(path, utterances, rotate([["spk0", "spk1"], ["spk2", "spk3"], ["spk4", "spk5"]]))
    names = [utterance.name for utterance in utterances]
    for table in ("feats.scp", "vad.scp"):
        write_table(path / table, {name: f"/x/{table}.ark:{k}" for k, name in enumerate(names)})
    write_table(path / "utt2dur", {name: f"{9 - k / 10:.1f}" for k, name in enumerate(names)})
    write_table(path / "utt2num_frames", {name: str(900 - 10 * k) for k, name in enumerate(names)})
    write_table(path / "utt2remark", {name: f"no {k}" for k, name in enumerate(names) if k % 2})  # never heard of
    write_table(path / "spk2age", {"spk1": "30", "spk4": "40"})
    write_table(path / "cmvn.scp", {spk: f"/x/cmvn.ark:{spk}" for spk in GENDERS})
    (path / "frame_shift").write_text("0.01\n")
    (path / "notes").write_text("spk1 is a file of no known key\n")
    return path


@pytest.fixture
def segmented(data):
    """The same, each speaker's utterances cut from one recording."""
    utterances = [line.split()[0] for line in (data / "utt2spk").read_text().splitlines()]
    write_table(data / "segments", {name: f"rec-{name[:4]} {name[-1]}.0 {name[-1]}.9" for name in utterances})
    write_table(data / "wav.scp", {f"rec-{spk}": f"/c/{spk}.wav" for spk in GENDERS})
    write_table(data / "reco2dur", {f"rec-{spk}": "20.0" for spk in GENDERS})
    return data


@pytest.fixture
def expect_subset():
    """Checks that a data dir is the given part of another."""

    def expect(data, part, utterances):
        """`part` says of `utterances` all that `data` says, and nothing else, in every table."""
        utt2spk = read_table(data / "utt2spk")
        speakers = {utt2spk[name] for name in utterances}
        kept = {"utterance": set(utterances), "speaker": speakers, "recording": set(utterances)}
        if segments := (data / "segments").exists():
            kept["recording"] = {
                value.split()[0] for name, value in read_table(data / "segments").items() if name in utterances
            }
        for path in tables(data):
            lines = read_lines(path)
            if path.name == "spk2utt":
                lines = [
                    f"{spk} {names}" for spk, names in spk2utt({name: utt2spk[name] for name in utterances}).items()
                ]
            elif kind := keyed_on(path.name, segments):
                lines = [line for line in lines if line.split()[2 if path.name == "folds" else 0] in kept[kind]]
            assert read_lines(part / path.name) == lines, path.name
        assert {path.name for path in tables(part)} == {path.name for path in tables(data)}

    return expect
