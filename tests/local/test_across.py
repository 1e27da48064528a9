"""local/across.py: who trains and who is tested when corpora are set against each other."""

import av
import numpy as np
import pytest
import soundfile
import yaml

from utils import folds
from utils.data_dir import Utterance, write_data_dir
from utils.table import read_table

CORPORA = {"big": 8, "small": 4, "pair": 2}  # corpus → speakers
RUNS = {"big": 4, "small": 4, "pair": 0}


@pytest.fixture
def data(tmp_path):
    """Three corpora in one data dir, the last of too few speakers for runs of its own."""
    rows, lines = [], []
    for corpus, count in CORPORA.items():
        names = [f"{corpus}_s{k}" for k in range(count)]
        rows += [
            Utterance(f"{name}-{i}", tmp_path / f"{name}-{i}.wav", name, name, "", ["ang", "sad"][i % 2])
            for name in names
            for i in range(4)
        ]
        size = count // (RUNS[corpus] or 1)
        groups = [names[k * size : (k + 1) * size] for k in range(RUNS[corpus])]
        for k in range(len(groups)):
            for other, group in enumerate(groups):
                part = "test" if other == k else "valid" if other == (k + 1) % len(groups) else "train"
                lines += [(f"{corpus}:run{k}", part, name) for name in group]
    of = [f"{row.name} {row.name.split('_')[0]}" for row in sorted(rows, key=lambda row: row.name)]
    write_data_dir(tmp_path / "all", rows, lines, {"utt2corpus": of})
    return tmp_path / "all"


def test_protocols(data, tmp_path, type_in):
    said = type_in("local/across.py", "protocols", data, tmp_path / "protocols").stdout
    assert set(said.split()) == {
        "within_big", "within_small", "from_big", "from_small", "from_pair", "left_out", "together",
    }  # fmt: skip
    everybody = {f"{corpus}_s{k}" for corpus, count in CORPORA.items() for k in range(count)}
    for protocol in said.split():
        place = tmp_path / "protocols" / protocol
        runs = folds.of_data_dir(place)  # refuses what leaks, and who is tested twice
        corpus = protocol.partition("_")[2]
        tested = {who for parts in runs.values() for who in parts["test"]}
        for run, parts in runs.items():
            trained = {who.split("_")[0] for who in parts["train"]}
            if protocol.startswith("within"):
                assert trained == {corpus}
            elif protocol.startswith("from"):
                assert trained == {corpus} and tested == {who for who in everybody if not who.startswith(corpus)}
            elif protocol == "left_out":
                assert trained == CORPORA.keys() - {run} and {who.split("_")[0] for who in parts["test"]} == {run}
            else:
                assert trained == set(CORPORA)
        if protocol == "together":
            assert tested == {who for who in everybody if not who.startswith("pair")}
        if protocol == "left_out":
            assert tested == everybody
        assert set(read_table(place / "utt2corpus")) == set(read_table(place / "utt2spk"))


def of_speakers(place, lines=(), together=1, **counts):
    """A data dir of corpora, corpus → speakers, of whom so many `together` share a session; lines: of runs."""
    rows = [
        Utterance(
            f"{corpus}_s{k}-{i}", place / f"{corpus}{k}{i}.wav", f"{corpus}_s{k}", f"{corpus}_d{k // together}", "", one
        )
        for corpus, count in counts.items()
        for k in range(count)
        for i, one in enumerate(["ang", "sad"])
    ]
    of = sorted(f"{row.name} {row.name.split('_')[0]}" for row in rows)
    write_data_dir(place, rows, lines, {"utt2corpus": of})
    return place


def test_corpora_of_too_few_speakers_for_runs_of_their_own(tmp_path, type_in):
    pairs = of_speakers(tmp_path / "pairs", a=2, b=2)
    assert type_in("local/across.py", "protocols", pairs, tmp_path / "p").stdout.split() == [
        "left_out",
        "from_a",
        "from_b",
    ]
    solo = of_speakers(tmp_path / "solo", a=2, b=1)
    assert type_in("local/across.py", "protocols", solo, tmp_path / "q").stdout.split() == ["left_out", "from_a"]
    for place in (tmp_path / "p/left_out", tmp_path / "q/left_out", tmp_path / "q/from_a"):
        folds.of_data_dir(place)  # refuses a run without training
    alone = of_speakers(tmp_path / "alone", a=1, b=1)
    said = type_in("local/across.py", "protocols", alone, tmp_path / "r", code=1).stderr
    assert "no corpus has two speakers" in said and not (tmp_path / "r").exists()


def dialogs(place, **counts):
    """Corpora whose speakers 2k and 2k + 1 share a session, each run leaving one of them out: corpus → speakers."""
    lines = [
        (f"{corpus}:s{k}", "test" if other == k else "valid" if other == k ^ 1 else "train", f"{corpus}_s{other}")
        for corpus, count in counts.items()
        for k in range(count)
        for other in range(count)
    ]
    return of_speakers(place, lines, together=2, **counts)


def test_speakers_who_share_a_session_stay_together(tmp_path, type_in):
    data = dialogs(tmp_path / "all", long=6, short=4)
    said = type_in("local/across.py", "protocols", data, tmp_path / "p").stdout.split()
    assert {"from_long", "from_short", "left_out", "together"} <= set(said)
    for protocol in said:
        runs = folds.of_data_dir(tmp_path / "p" / protocol)  # refuses a session in train and in another part
        if protocol == "from_long":
            assert runs["run01"]["valid"] == ["long_s0", "long_s1"]
        if protocol == "together":
            assert sorted(who for parts in runs.values() for who in parts["test"]) == sorted(
                f"{corpus}_s{k}" for corpus, count in {"long": 6, "short": 4}.items() for k in range(count)
            )


def test_protocols_are_kept_where_nothing_changed_and_go_where_they_are_no_longer(tmp_path, type_in):
    data = of_speakers(tmp_path / "all", a=3, b=3)
    first = set(type_in("local/across.py", "protocols", data, tmp_path / "p").stdout.split())
    (tmp_path / "p/from_a/packed").mkdir()
    (tmp_path / "p/mine").mkdir()
    type_in("local/across.py", "protocols", data, tmp_path / "p")
    assert (tmp_path / "p/from_a/packed").is_dir() and first >= {"from_a", "from_b"}
    data = of_speakers(tmp_path / "all", a=3, b=1)
    then = set(type_in("local/across.py", "protocols", data, tmp_path / "p").stdout.split())
    assert "from_b" not in then and not (tmp_path / "p/from_b").exists() and not (tmp_path / "p/from_a/packed").exists()
    assert (tmp_path / "p/mine").is_dir()


def test_a_recording_that_two_corpora_share_is_named(data, tmp_path, type_in):
    (data / "wav.scp").write_text((data / "wav.scp").read_text().replace("pair_s1-2.wav", "big_s3-0.wav"))
    said = type_in("local/across.py", "protocols", data, tmp_path / "protocols", code=1).stderr
    assert f"{data}: corpora: 'big_s3-0' (big) and 'pair_s1-2' (pair) are the same recording" in said
    assert not (tmp_path / "protocols").exists()


def test_one_corpus_is_too_few(data, tmp_path, type_in):
    names = read_table(data / "utt2corpus")
    (data / "utt2corpus").write_text("".join(f"{name} same\n" for name in names))
    said = type_in("local/across.py", "protocols", data, tmp_path / "protocols", code=1).stderr
    assert "names one corpus, and two are needed" in said and not (tmp_path / "protocols").exists()


def test_the_edge_is_the_poorest_recordings(data, tmp_path, type_in):
    for number, path in enumerate(read_table(data / "wav.scp").values()):
        soundfile.write(path, np.zeros(100), 11025 if number == 7 else 16000)
    assert type_in("local/across.py", "edge", data).stdout == f"{int(0.9 * 11025 / 2)}\n"


def test_the_edge_is_that_of_a_recording_that_ffmpeg_alone_reads(data, type_in):
    for number, path in enumerate(read_table(data / "wav.scp").values()):
        if number:
            soundfile.write(path, np.zeros(100), 16000)
            continue
        with av.open(path, "w", format="mp4") as file:
            stream = file.add_stream("aac", rate=8000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.rate = 8000
            file.mux([*stream.encode(frame), *stream.encode(None)])
    assert type_in("local/across.py", "edge", data).stdout == "3600\n"


def test_what_is_known_of_corpora_by_name_goes_to_a_models_card(type_in):
    said = yaml.safe_load(type_in("local/across.py", "about", "nemo", "mine").stdout)
    assert said == {
        "nemo": {
            "title": "nEMO", "language": "Polish", "licence": "CC BY-NC-SA 4.0",
            "address": "https://github.com/amu-cai/nEMO",
        }
    }  # fmt: skip
