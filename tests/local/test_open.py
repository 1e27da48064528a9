"""local/open.py: tables of recordings as people have them, and open corpora by name, become data dirs."""

import itertools
import json
import os
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from local.rows import Row, speaker_ids
from utils import audio_files, folds
from utils.data_dir import check_prefixes
from utils.table import read_table
from utils.validate_data_dir import validate

CORPORA = Path(os.environ.get("CORPORA", Path(__file__).parents[3] / "shared" / "corpora"))
SPEAKERS = [f"s{k}" for k in range(6)]
LABELS = {"angry": "ang", "happiness": "hap", "neutral": "neu", "Sad": "sad"}


def recordings(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def table(path, header, rows, delimiter=","):
    text = "\n".join(delimiter.join(map(str, row)) for row in [header, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))  # as from a spreadsheet
    return path


@pytest.fixture
def spoken(tmp_path):
    """6 speakers say a sentence in four emotions: [path, speaker, label]."""
    rows = [[f"wav/{who}_{label}.wav", who, label] for who in SPEAKERS for label in LABELS]
    recordings(tmp_path, [row[0] for row in rows])
    return rows


@pytest.fixture
def prepare(type_in, tmp_path):
    def call(*words, code=0):
        done = type_in("local/open.py", *words, tmp_path / "data/x", code=code)
        return done.stdout if code == 0 else done.stderr

    return call


def emotions(tmp_path):
    return Counter(read_table(tmp_path / "data/x/utt2emo").values())


def test_beside_others_a_class_may_be_theirs_alone(prepare, spoken, type_in, tmp_path):
    words = ["--table", table(tmp_path / "my.csv", ["path", "speaker", "emotion"], spoken)]
    said = prepare(*words, "--classes", "ang fea", code=1)
    assert "my.csv: --classes: 'fea' is none of: ang hap neu sad; name some of these, or --classes all" in said
    assert "'fea' is none of" in prepare(*words, "--classes", "fea cal", "--beside-others", "mine", code=1)
    beside = ["--classes", "ang fea", "--beside-others", "mine", tmp_path / "data/x"]
    assert "my.csv: has no class fea" in type_in("local/open.py", *words, *beside).stderr
    assert emotions(tmp_path) == {"ang": 6}


@pytest.mark.parametrize(
    ("name", "header", "delimiter"),
    [
        ("my.tsv", ["path", "speaker", "emotion"], "\t"),
        ("db.emotion.csv", ["file", "speaker", "emotion"], ","),
        ("metadata.csv", ["file_name", "speaker_id", "label"], ","),
        ("semicolons.csv", ["File Name", "Spk-ID", "Emotion_Label"], ";"),
        ("labels_consensus.csv", ["FileName", "SpkrID", "emotion"], ","),
    ],
)
def test_headers_of_many_kinds(prepare, spoken, tmp_path, name, header, delimiter):
    prepare("--table", table(tmp_path / name, header, spoken, delimiter))
    data = tmp_path / "data/x"
    assert validate(data, feats=False) == 24 and emotions(tmp_path) == dict.fromkeys(LABELS.values(), 6)
    assert read_table(data / "utt2spk")["s0-s0_Sad"] == "s0"
    assert read_table(data / "wav.scp")["s0-s0_Sad"] == str(tmp_path / "wav/s0_Sad.wav")
    assert len(folds.of_data_dir(data)) == 6


def test_jsonl_of_emobox_needs_a_speaker(prepare, spoken, tmp_path):
    lines = [{"key": f"x-{k}", "wav": f"down/{path}", "emo": label} for k, (path, _, label) in enumerate(spoken)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = prepare("--table", tmp_path / "x.jsonl", code=1)
    assert "no column is the speaker (speaker, speakerid, speakers, spk, …)" in said and "--speaker" in said
    assert "there are: key, wav, emo" in said and said.count("\n") == 1 and not (tmp_path / "data").exists()
    prepare("--table", tmp_path / "x.jsonl", "--speaker", r"(s\d)_")
    assert set(read_table(tmp_path / "data/x/utt2spk").values()) == set(SPEAKERS)
    assert "expected a regular expression with one group" in prepare(
        "--table", tmp_path / "x.jsonl", "--speaker", "(s", code=1
    )


def test_segments_of_audformat(prepare, tmp_path):
    """Two recordings of a dialog each; an end that is missing is the recording's own."""
    (tmp_path / "audio").mkdir()
    rows = []
    for dialog in range(3):
        soundfile.write(tmp_path / f"audio/d{dialog}.wav", np.zeros(16000 * 4), 16000)
        for k, end in enumerate(["0 days 00:00:01.500000", "0 days 00:00:03", ""]):
            start = ["0 days", "0 days 00:00:01.500000", "0 days 00:00:03"][k]
            rows.append(
                [f"audio/d{dialog}.wav", start, end, f"a{dialog}" if k % 2 else f"b{dialog}", ["ang", "sad"][k % 2]]
            )
    prepare("--table", table(tmp_path / "x.csv", ["file", "start", "end", "speaker", "emotion"], rows))
    data = tmp_path / "data/x"
    assert validate(data, feats=False) == 9 and len(read_table(data / "wav.scp")) == 3
    segments = read_table(data / "segments")
    assert segments["b0-d0-0003000-0004000"].split()[1:] == ["3.000", "4.000"]
    assert read_table(data / "utt2session")["b0-d0-0003000-0004000"] == "audio_d0"  # two speakers share it
    for parts in folds.of_data_dir(data).values():
        assert not {who[1] for who in parts["train"]} & {who[1] for who in parts["test"]}
    rows[0][1] = "0 days 00:00:02"
    said = prepare("--table", table(tmp_path / "x.csv", ["file", "start", "end", "speaker", "emotion"], rows), code=1)
    assert "x.csv:2: begins at 2.0 s, and ends at 1.5 s" in said


def test_msp_podcast(prepare, tmp_path):
    """Letters; no agreement and unknown speakers are left out and counted; the makers' parts."""
    rows = []
    for split, people in (("Train", "123"), ("Development", "45"), ("Test1", "67")):
        for who, letter in itertools.product(people, "AHSNXO"):
            rows.append(
                [f"MSP-PODCAST_{who}_{letter}.wav", letter, 2.2, who, "Female" if int(who) % 2 else "Male", split]
            )
    rows += [["MSP-PODCAST_9_A.wav", "A", 2, "Unknown", "Unknown", "Train"]]
    rows += [["MSP-PODCAST_8_A.wav", "A", 2, "8", "Male", "Test2"]]
    recordings(tmp_path / "Audios", [row[0] for row in rows])
    header = ["FileName", "EmoClass", "EmoAct", "SpkrID", "Gender", "Split_Set"]
    path = table(tmp_path / "Labels/labels_consensus.csv", header, rows)
    said = prepare("--table", path, "--dir", tmp_path / "Audios")
    assert "those of the table" in said and emotions(tmp_path) == dict.fromkeys(["ang", "hap", "sad", "neu"], 7)
    assert folds.read(tmp_path / "data/x/folds") == {
        "run01": {"train": list("123"), "valid": list("45"), "test": list("67")}
    }
    assert read_table(tmp_path / "data/x/spk2gender")["1"] == "f"
    prepare("--table", path, "--dir", tmp_path / "Audios", "--folds", "3", "--classes", "ang sad")
    assert "8" in read_table(tmp_path / "data/x/spk2gender")
    assert len(folds.read(tmp_path / "data/x/folds")) == 3 and set(emotions(tmp_path)) == {"ang", "sad"}


def test_labels_are_mapped_without_code(prepare, spoken, tmp_path):
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], spoken)
    prepare("--table", path, "--map", "ANGRY=neg sad=neg neutral=pos")
    assert emotions(tmp_path) == {"neg": 12, "pos": 6}
    (tmp_path / "map.yaml").write_text("angry: a\nhappiness: b\n")
    prepare("--table", path, "--map", tmp_path / "map.yaml")
    assert emotions(tmp_path) == {"a": 6, "b": 6}
    assert "'angry' is not <label>=<class>" in prepare("--table", path, "--map", "angry sad=x", code=1)
    numbers = [[*row[:2], k % 4] for k, row in enumerate(spoken)]
    path = table(tmp_path / "n.csv", ["path", "speaker", "label"], numbers)
    assert "labels are numbers; say which class each means: --map" in prepare("--table", path, code=1)
    assert "--map '0=… 1=… 2=… 3=…'" in prepare("--table", path, code=1)
    assert "--map no.yaml: there is no such file" in prepare("--table", path, "--map", "no.yaml", code=1)
    scale = table(
        tmp_path / "s.csv", ["path", "speaker", "label"], [[*row[:2], k / 7] for k, row in enumerate(spoken * 2)]
    )
    assert "values of a scale, and no classes" in prepare("--table", scale, code=1)
    prepare("--table", path, "--map", "0=ang 1=hap")
    assert emotions(tmp_path) == {"ang": 6, "hap": 6}


def test_groups_of_the_table(prepare, spoken, tmp_path):
    rows = [[*row, int(row[1][1]) % 3] for row in spoken]
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion", "fold"], rows)
    assert "those of the table" in prepare("--table", path)
    assert folds.read(tmp_path / "data/x/folds")["run01"]["test"] == ["s0", "s3"]
    rows[0][3] = 2
    said = prepare("--table", table(tmp_path / "x.csv", ["path", "speaker", "emotion", "fold"], rows), code=1)
    assert "speaker 's0' stands in fold '0' and in '2'" in said and "--folds 5" in said
    prepare("--table", path, "--folds", "loso")
    assert len(folds.read(tmp_path / "data/x/folds")) == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows + [["wav/gone.wav", "s0", "sad"]] * 3, "3 of 27 recordings are not in"),
        (lambda rows: rows + [["wav/s0_Sad.wav", "s0", "angry"]], "are one recording with two labels or speakers"),
        (lambda rows: rows + [["wav/s0_Sad.wav", "s1", "Sad"]], "are one recording with two labels or speakers"),
        (lambda rows: rows + [["wav/s0_Sad.wav"]], "x.csv:26: 1 fields, and the header has 3"),
        (lambda rows: [[path, who.replace("s", "s "[int(who[1]) % 2] + "_"), e] for path, who, e in rows], ""),
        (
            lambda rows: [*rows, ["wav/s 0.wav", "s 0", "sad"], ["wav/s_0.wav", "s_0", "sad"]],
            "would both be called 's_0'",
        ),
        (lambda rows: [], "has no rows"),
    ],
)
def test_what_is_wrong_with_a_table_ends_in_one_line(prepare, spoken, tmp_path, change, said):
    recordings(tmp_path, ["wav/s 0.wav", "wav/s_0.wav"])
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], change(spoken))
    if said:
        message = prepare("--table", path, code=1)
        assert said in message and message.count("\n") == 1 and not (tmp_path / "data").exists()
    else:
        prepare("--table", path)


def test_a_recording_by_its_name_alone(prepare, spoken, tmp_path):
    rows = [[Path(path).stem, who, label] for path, who, label in spoken]
    prepare("--table", table(tmp_path / "x.csv", ["file_id", "speaker", "emotion"], rows))
    assert read_table(tmp_path / "data/x/wav.scp")["s0-s0_Sad"] == str(tmp_path / "wav/s0_Sad.wav")
    recordings(tmp_path, ["other/s0_Sad.flac"])
    said = prepare("--table", tmp_path / "x.csv", code=1)
    assert "'s0_Sad' may be" in said and "write more of the path" in said


def test_another_speakers_file_of_the_same_name_is_no_recording_of_hers(prepare, tmp_path):
    rows = [[f"{who}/{k}.wav", who, label] for who in SPEAKERS for k, label in enumerate(LABELS)]
    recordings(tmp_path, [row[0] for row in rows if row[0] != "s0/1.wav"])
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows)
    prepare("--table", path)
    wavs = read_table(tmp_path / "data/x/wav.scp")
    assert len(wavs) == 23 and all(f"/{name.partition('-')[0]}/" in wav for name, wav in wavs.items())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_table_in_utf_16_is_named_as_such(type_in, spoken, tmp_path, encoding):
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], spoken)
    path.write_text(path.read_text(encoding="utf-8-sig"), encoding=encoding)
    said = type_in("local/open.py", "--table", path, tmp_path / "x", code=1).stderr
    assert re.search("x.csv: is no.* save it as UTF-8", said)


def test_a_folder_without_recordings_is_looked_through_once(tmp_path, monkeypatch):
    looked: list[Path] = []
    monkeypatch.setattr(audio_files, "files_below", lambda folder: looked.append(folder) or iter(()))
    assert audio_files.locate([f"a/{k}.wav" for k in range(20_000)], tmp_path) == {} and looked == [tmp_path]


def test_a_name_that_no_system_takes_is_one_row_that_is_not_found(type_in, spoken, tmp_path):
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], [*spoken, ["x" * 300 + ".wav", "s0", "sad"]])
    done = type_in("local/open.py", "--table", path, tmp_path / "x")
    assert "1 left out: recording not found" in done.stdout + done.stderr


def test_names_that_all_speakers_share_are_found_at_once(tmp_path):
    below = [tmp_path / f"deep/s{k}/{n}.wav" for k in range(40) for n in range(40)]
    recordings(tmp_path, [str(path.relative_to(tmp_path)) for path in below])
    written = [rf"C:\corpus\s{k}\{n}.wav" for k in range(40) for n in range(40)]  # as Windows writes them
    assert list(audio_files.locate(written, tmp_path).values()) == below


@pytest.mark.parametrize("broken", ["#REF!", "#NAME?", "#DIV/0!"])
def test_cells_whose_formula_is_broken_are_no_label_and_no_speaker(type_in, spoken, tmp_path, broken):
    rows = [*spoken[2:], [*spoken[0][:2], broken], [spoken[1][0], broken, spoken[1][2]]]
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows)
    path.write_text("sep=,\n" + path.read_text(encoding="utf-8-sig"))  # as Excel has it
    said = type_in("local/open.py", "--table", path, tmp_path / "x")
    assert f"label '{broken}'" in said.stdout + said.stderr and "speaker not known" in said.stdout + said.stderr
    assert not set(read_table(tmp_path / "x/utt2emo").values()) & {broken.lower()}


def test_slips_of_labels_are_named(type_in, spoken, tmp_path):
    rows = [*spoken[1:], [*spoken[0][:2], "angyr"]]
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows)
    said = type_in("local/open.py", "--table", path, tmp_path / "x").stderr
    assert "label 'angyr' is a class of its own; did you mean 'angry'?" in said
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], [*spoken[1:], [*spoken[0][:2], "freude"]])
    assert (
        "did you mean" not in type_in("local/open.py", "--table", path, tmp_path / "x").stderr
    )  # "fru", of frustrated
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows)
    said = type_in("local/open.py", "--table", path, "--map", "angry=ang hapy=hap sad=sad", tmp_path / "x").stderr
    assert "--map: no row has the label 'hapy'" in said


def test_stretches_that_overlap_under_two_labels_are_named(type_in, tmp_path):
    recordings(tmp_path, [f"{who}.wav" for who in SPEAKERS])
    rows = [[f"{who}.wav", k, k + 1, who, ["ang", "sad"][k % 2]] for who in SPEAKERS for k in range(4)]
    rows.append(["s0.wav", 0.1, 1.1, "s0", "sad"])
    header = ["file", "start", "end", "speaker", "emotion"]
    said = type_in("local/open.py", "--table", table(tmp_path / "x.csv", header, rows), tmp_path / "x").stderr
    assert said.count("overlap by more than half") == 1 and "x.csv:26 and" in said or "x.csv:2 and" in said


def test_beside_other_corpora_names_are_its_own(prepare, spoken, tmp_path):
    prepare("--table", table(tmp_path / "x.csv", ["path", "speaker", "emotion"], spoken), "--beside-others", "my-own")
    data = tmp_path / "data/x"
    utt2spk = read_table(data / "utt2spk")
    check_prefixes(utt2spk, data)
    assert utt2spk["my_own_s0-s0_Sad"] == "my_own_s0" and set(read_table(data / "utt2corpus").values()) == {"my-own"}
    assert "my-own:s0" in folds.read(data / "folds")


def test_corpora_with_and_without_stretches_go_together(type_in, spoken, tmp_path):
    for number, who in enumerate(SPEAKERS):
        soundfile.write(tmp_path / f"{who}.wav", np.zeros(16000 * 2), 16000)
        for label in LABELS:
            soundfile.write(tmp_path / f"wav/{who}_{label}.wav", np.zeros(8000 + number), 16000)
    cut = [[f"{who}.wav", k, k + 1, who, ["angry", "Sad"][k]] for who in SPEAKERS for k in range(2)]
    tables = {
        "cut": table(tmp_path / "cut.csv", ["file", "start", "end", "speaker", "emotion"], cut),
        "whole": table(tmp_path / "whole.csv", ["path", "speaker", "emotion"], spoken),
    }
    for name, path in tables.items():
        words = ["--table", path, "--beside-others", name, "--segments", "true", tmp_path / "data" / name]
        type_in("local/open.py", *words)
    type_in("utils/combine_data.py", tmp_path / "data/all", tmp_path / "data/cut", tmp_path / "data/whole")
    assert validate(tmp_path / "data/all", feats=False) == 36


def test_two_speakers_are_too_few_for_folds(prepare, spoken, tmp_path, capsys):
    rows = [row for row in spoken if row[1] in ("s0", "s1")]
    prepare("--table", table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows))
    assert not (tmp_path / "data/x/folds").exists()
    assert "needs three speakers" in prepare("--table", tmp_path / "x.csv", "--folds", "loso", code=1)


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory):
    """The 1440 speech files and some of the songs."""
    root = tmp_path_factory.mktemp("ravdess")
    for actor in range(1, 25):
        names = [
            f"Actor_{actor:02}/03-01-0{emotion}-0{intensity}-0{statement}-0{repetition}-{actor:02}.wav"
            for emotion, intensity, statement, repetition in itertools.product(range(1, 9), (1, 2), (1, 2), (1, 2))
            if emotion > 1 or intensity == 1  # nobody is strongly neutral
        ]
        song = f"Actor_{actor:02}/03-02-03-01-01-01-{actor:02}.wav"
        recordings(root, [*names, song, f"Actor_{actor:02}/._03-01-03-01-01-01-{actor:02}.wav"])
    return root


def check_ravdess(data):
    utt2spk, classes = read_table(data / "utt2spk"), read_table(data / "utt2emo")
    assert Counter(classes.values()) == {"neu": 96, "hap": 192, "ang": 192, "sad": 192}
    assert set(Counter(utt2spk.values()).values()) == {28} and len(set(utt2spk.values())) == 24
    assert classes["Actor_18-03-01-05-01-02-01-18"] == "ang" and classes["Actor_01-03-01-01-01-01-01-01"] == "neu"
    assert classes["Actor_02-03-01-03-02-02-02-02"] == "hap" and classes["Actor_02-03-01-04-02-02-02-02"] == "sad"
    genders = read_table(data / "spk2gender")
    assert genders["Actor_01"] == "m" and genders["Actor_24"] == "f" and Counter(genders.values()) == {"m": 12, "f": 12}
    assert read_table(data / "utt2session") == utt2spk
    assert set(read_table(data / "utt2sentence").values()) == {"01", "02"}
    check_prefixes(utt2spk, data)
    groups = ["01 02 03 04", "05 06 07 08", "09 10 11 12", "13 14 15 16", "17 18 19 20", "21 22 23 24"]
    for number, (run, parts) in enumerate(folds.of_data_dir(data).items()):
        assert run == f"run{number + 1:02}" and len(parts["train"]) == 16
        assert parts["test"] == [f"Actor_{actor}" for actor in groups[number].split()]
        assert parts["valid"] == [f"Actor_{actor}" for actor in groups[(number + 1) % 6].split()]


def test_ravdess_by_its_name(prepare, ravdess, tmp_path):
    prepare("--corpus", "ravdess", "--dir", ravdess)
    check_ravdess(tmp_path / "data/x")
    prepare("--corpus", "ravdess", "--dir", ravdess, "--classes", "cal dis sur fea", "--folds", "4")
    assert emotions(tmp_path) == {"cal": 192, "dis": 192, "sur": 192, "fea": 192}
    assert len(folds.read(tmp_path / "data/x/folds")) == 4
    said = prepare("--corpus", "ravdess", "--dir", ravdess, "--classes", "neu joy", code=1)
    assert "--classes: 'joy' is none of: ang cal dis fea hap neu sad sur" in said


def test_a_missing_utterance_is_refused_unless_told(prepare, ravdess, tmp_path):
    missing = ravdess / "Actor_07" / "03-01-04-01-01-01-07.wav"
    missing.unlink()
    try:
        said = prepare("--corpus", "ravdess", "--dir", ravdess, code=1)
        assert "191 utterances are sad instead of 192 (--check-counts false takes what is there)" in said
        assert not (tmp_path / "data").exists()
        prepare("--corpus", "ravdess", "--dir", ravdess, "--check-counts", "false")
        assert len(read_table(tmp_path / "data/x/utt2spk")) == 671
    finally:
        missing.touch()


def test_a_tree_that_holds_itself_is_taken_once(type_in, tmp_path):
    for place in ("TESS", "TESS/TESS"):
        recordings(
            tmp_path / place, [f"{who}AF_angry/{who}AF_{word}_angry.wav" for who in "OY" for word in ("back", "bar")]
        )
    words = ["--corpus", "tess", "--dir", tmp_path / "TESS", "--check-counts", "false", tmp_path / "x"]
    assert "4 left out: stands twice, in two folders" in type_in("local/open.py", *words).stderr
    assert len(read_table(tmp_path / "x/utt2spk")) == 4


def test_wrong_names_and_folders(prepare, tmp_path):
    assert "'ravdes' is no emotional corpus of local/open; did you mean 'ravdess'?" in prepare(
        "--corpus", "ravdes", "--dir", tmp_path, code=1
    )
    assert "needs --dir" in prepare("--corpus", "ravdess", code=1)
    assert "no recording is named as in RAVDESS" in prepare("--corpus", "ravdess", "--dir", tmp_path, code=1)
    assert "no such folder" in prepare("--corpus", "ravdess", "--dir", tmp_path / "gone", code=1)
    assert "'musan' is no emotional corpus" in prepare("--corpus", "musan", "--dir", tmp_path, code=1)
    assert "gone.csv" in prepare("--table", tmp_path / "gone.csv", code=1)


def test_the_list_says_licence_size_and_address(type_in):
    said = type_in("local/open.py", "--corpus", "list").stdout
    assert "ravdess      RAVDESS" in said and "CC BY-NC-SA 4.0" in said and "https://zenodo.org/records/1188976" in said


@pytest.mark.skipif(not (CORPORA / "ravdess").is_dir(), reason=f"no RAVDESS in {CORPORA} (set CORPORA)")
def test_ravdess_itself(prepare, tmp_path):
    prepare("--corpus", "ravdess", "--dir", CORPORA / "ravdess")
    check_ravdess(tmp_path / "data/x")


@pytest.mark.skipif(not (CORPORA / "crema-d").is_dir(), reason=f"no CREMA-D in {CORPORA} (set CORPORA)")
def test_crema_d_itself(prepare, tmp_path):
    prepare("--corpus", "crema-d", "--dir", CORPORA / "crema-d", "--check-counts", "false")
    data = tmp_path / "data/x"
    assert emotions(tmp_path) == {"ang": 559, "hap": 558, "neu": 556, "sad": 558}
    assert read_table(data / "utt2heard")["1002-1002_TIE_SAD_XX"] == "fea:sad"
    assert {len(parts["test"]) for parts in folds.of_data_dir(data).values()} == {14}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Jose\u0301", "José"),
        ("s\u200b1", "s1"),
        ("Anna  S", "Anna S"),
        ("\x1b[31mBen", "[31mBen"),
        ("J\u00adane", "Jane"),
    ],
)
def test_a_person_or_a_class_in_two_spellings_that_look_alike_is_one(prepare, spoken, tmp_path, first, second):
    rows = [
        [path, {"s1": first if k % 2 else second}.get(who, who), label] for k, (path, who, label) in enumerate(spoken)
    ]
    prepare("--table", table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows))
    assert len(set(read_table(tmp_path / "data/x/utt2spk").values())) == len(SPEAKERS)
    rows = [
        [path, who, {"Sad": first if k % 3 else second}.get(label, label)]
        for k, (path, who, label) in enumerate(spoken)
    ]
    prepare("--table", table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows))
    assert len(emotions(tmp_path)) == 4
    prepare("--table", tmp_path / "x.csv", "--map", f"{second.split()[0]}=one angry=ang" if " " not in second else "")
    assert " " in second or emotions(tmp_path) == {"one": 6, "ang": 6}


def test_genders_that_contradict_each_other_or_are_not_understood_are_said(type_in, spoken, tmp_path):
    def prepared(gender):
        rows = [[*row, gender(k % 4, row[1])] for k, row in enumerate(spoken)]
        path = table(tmp_path / "x.csv", ["path", "speaker", "emotion", "gender"], rows)
        said = type_in("local/open.py", "--table", path, tmp_path / "x").stderr
        genders = tmp_path / "x/spk2gender"
        return said, read_table(genders) if genders.is_file() else {}

    said, genders = prepared(lambda k, who: "m" if who < "s3" else "Female")
    assert not said and genders == {who: "m" if who < "s3" else "f" for who in SPEAKERS}
    assert prepared(lambda k, who: "m" if k == 0 else "") == ("", dict.fromkeys(SPEAKERS, "m"))
    said, genders = prepared(lambda k, who: "f" if who == "s2" and k == 1 else "m")
    assert "speaker 's2' is female in" in said and "x.csv:11 and male in" in said and not genders
    said, genders = prepared(lambda k, who: "1")
    assert "x.csv:2: gender '1' is none of f, female, m, male (24 such rows)" in said and not genders


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("angry:\nhappiness: hap\n", "'angry' has no class"),
        ("angry: ~\n", "'angry' has no class"),
        ("angry: [a]\n", "'angry' has no class"),
        ("angry: {}\n", "'angry' has no class"),
        ("angry: a b\n", "a class is one word"),
        ("angry: '-'\n", "a class is one word"),
        (f"angry: {'z' * 51}\n", "a class is one word of at most 50"),
        ("Angry: a\nangry: b\n", "label 'angry' means 'a' and 'b'"),
        ("angry: a\nangry: b\n", "'angry' stands twice"),
        ("- angry\n", "expected 'key: value' lines"),
        ("a: &a [x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c]\n", "'a' has no class"),
    ],
)
def test_a_map_of_nonsense_is_refused(prepare, spoken, tmp_path, yaml, said):
    (tmp_path / "map.yaml").write_text(yaml)
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion"], spoken)
    message = prepare("--table", path, "--map", tmp_path / "map.yaml", code=1)
    assert said in message and message.count("\n") == 1 and len(message) < 400


def test_a_map_takes_words_as_they_are_written(prepare, spoken, tmp_path):
    (tmp_path / "map.yaml").write_text("angry: yes\nneutral: 010\nsad: 1_000\n")
    prepare(
        "--table", table(tmp_path / "x.csv", ["path", "speaker", "emotion"], spoken), "--map", tmp_path / "map.yaml"
    )
    assert emotions(tmp_path) == {"yes": 6, "010": 6, "1_000": 6}
    message = prepare("--table", tmp_path / "x.csv", "--map", "angry=a ANGRY=b", code=1)
    assert "label 'angry' means 'a' and 'b'" in message


@pytest.mark.parametrize(
    ("header", "more", "said"),
    [
        ("begin end", ["0", "inf"], "'inf' is no time"),
        ("begin end", ["0", "0_9"], "'0_9' is no time"),
        ("begin end", ["0", "1e300"], "'1e300' is no time"),
        ("begin end", ["0x1", "2"], "'0x1' is no time"),
        ("begin end", ["0", f"{10**400}:00:00"], "is no time"),
        ("begin end", ["0", "1e-9"], "begins at 0.0 s, and ends at 1e-09 s"),
        ("Speaker", ["x"], "columns 'speaker' and 'Speaker' say the same"),
        ("fold", lambda row: [row[1] if row[1] < "s4" else ""], "speaker 's4' has no fold"),
    ],
)
def test_cells_that_mean_nothing_are_refused_in_one_line(prepare, spoken, tmp_path, header, more, said):
    rows = [[*row, *(more(row) if callable(more) else more)] for row in spoken]
    path = table(tmp_path / "x.csv", ["path", "speaker", "emotion", *header.split()], rows)
    message = prepare("--table", path, code=1)
    assert said in message and message.count("\n") == 1 and not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (1, ".", "speaker '.' cannot be an id"),
        (1, "z" * 101, "cannot be an id, which has at most 100 characters"),
        (2, "z" * 51, "is no class: it has 51 characters"),
    ],
)
def test_names_that_no_file_or_table_can_bear_are_refused_at_once(prepare, spoken, tmp_path, column, value, said):
    spoken[5][column] = value
    message = prepare("--table", table(tmp_path / "x.csv", ["path", "speaker", "emotion"], spoken), code=1)
    assert said in message and "x.csv:7" in message and len(message) < 300


def test_a_dash_is_no_label_and_no_speaker_and_a_path_of_any_length_is_one_that_is_not_found(type_in, spoken, tmp_path):
    rows = [*spoken[:-1], [spoken[-1][0], "s5", "-"]]
    rows += [[path.replace("wav/", "wav//"), who, label] for path, who, label in spoken]
    rows[-1][1], rows[-2][0] = "-", "x" * 5000
    for number, word in enumerate(["NA", "null", "<NA>", "#N/A"]):
        rows[-3 - number][1] = word  # of the rows that stand twice
        rows[-7 - number][2] = word
    said = type_in(
        "local/open.py", "--table", table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows), tmp_path / "x"
    )
    for reason in ("1 left out: label '-'", "5 left out: speaker not known", "1 left out: recording not found"):
        assert reason in said.stderr
    for word in ("NA", "null", "<NA>", "#N/A"):
        assert f"1 left out: label '{word}'" in said.stderr


def test_one_stretch_written_in_two_ways_stands_twice_and_many_overlaps_are_one_line(type_in, spoken, tmp_path):
    rows = [[*row, "0", "0.5"] for row in spoken] + [[*spoken[0], "0.0", "0.50"], [*spoken[0], "", "00:00:00.5"]]
    header = ["path", "speaker", "emotion", "begin", "end"]
    said = type_in("local/open.py", "--table", table(tmp_path / "x.csv", header, rows), tmp_path / "x").stderr
    assert "2 left out: stands twice" in said and said.count("\n") == 1
    rows = [[spoken[0][0], f"p{k}", "angry", k / 100, k / 100 + 1] for k in range(50)]
    rows += [[path, f"o{k}", "sad", 0, 1] for k, (path, *_) in enumerate(spoken[1:])]
    said = type_in("local/open.py", "--table", table(tmp_path / "x.csv", header, rows), tmp_path / "x").stderr
    assert "x.csv:2 and" in said and "and 48 more pairs, overlap by more than half" in said and said.count("\n") == 1


def test_speakers_of_a_hundred_thousand_rows_take_no_longer_a_row():
    rows = [Row("x", "p", f"speaker{k}", "ang") for k in range(100_000)]
    begun = time.process_time()
    assert len(speaker_ids(rows)) == len(rows) and time.process_time() - begun < 5


def test_a_line_of_json_ends_where_json_ends_lines(prepare, spoken, tmp_path):
    rows = [{"path": path, "speaker": who, "emotion": label, "text": "one\u2028two\x85"} for path, who, label in spoken]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in rows))
    prepare("--table", tmp_path / "x.jsonl")
    assert sum(emotions(tmp_path).values()) == len(spoken)


def test_what_json_can_hold_and_a_table_not_is_named(prepare, spoken, tmp_path):
    path = tmp_path / "x.jsonl"
    for text, said in (
        (
            '{"path": "a", "speaker": "s", "emotion": "\\ud800angry"}',
            "x.jsonl:1: '\\ud800angry' holds half a character",
        ),
        ("[" * 100_000, "x.jsonl:1: is not JSON"),
    ):
        path.write_text(text)
        message = prepare("--table", path, code=1)
        assert said in message and message.count("\n") == 1


def test_recordings_that_are_not_where_the_table_says_are_named(type_in, spoken, tmp_path):
    """By their folder and name they may be those of another session."""
    rows = [[f"elsewhere/{path}", who, label] for path, who, label in spoken]
    header = ["path", "speaker", "emotion"]
    said = type_in("local/open.py", "--table", table(tmp_path / "x.csv", header, rows), tmp_path / "x").stderr
    assert f"{len(rows)} recordings are not where the table says" in said and f"'elsewhere/{spoken[0][0]}' from" in said


@pytest.mark.parametrize("nothing", ["nan", "NA", "<NA>", "None"])
def test_a_session_that_is_missing_is_no_session(type_in, spoken, tmp_path, nothing):
    header = ["path", "speaker", "emotion", "session", "sentence"]
    rows = [[*row, nothing, nothing] for row in spoken]
    assert "share sessions" not in type_in(
        "local/open.py", "--table", table(tmp_path / "x.csv", header, rows), tmp_path / "x"
    ).stdout  # fmt: skip
    assert not (tmp_path / "x/utt2sentence").exists()


@pytest.mark.parametrize("other", ["nan", "", "1e0"])
def test_numbers_are_no_labels_even_where_some_are_missing(type_in, spoken, tmp_path, other):
    rows = [[path, who, str(k % 3)] for k, (path, who, _) in enumerate(spoken)]
    rows[-1][2] = other
    words = [
        "local/open.py",
        "--table",
        table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows),
        tmp_path / "x",
    ]
    assert "labels are numbers; say which class each means: --map" in type_in(*words, code=1).stderr


def test_one_recording_under_two_spellings_of_its_path_is_one(type_in, spoken, tmp_path):
    rows = [*spoken, [f"../{tmp_path.name}/{spoken[0][0]}", *spoken[0][1:]]]
    words = [
        "local/open.py",
        "--table",
        table(tmp_path / "x.csv", ["path", "speaker", "emotion"], rows),
        tmp_path / "x",
    ]
    assert "1 left out: stands twice" in type_in(*words).stderr
