"""local/voxceleb1.py, on small trees of empty files, and on a corpus of its layout where that is at hand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local import voxceleb1
from utils.cli import UserError
from utils.data_dir import check_prefixes
from utils.table import read_table

CORPORA = Path(os.environ.get("CORPORA", Path(__file__).parents[3] / "shared" / "corpora"))
DEV = ["id10001/aaa/00001", "id10001/aaa/00002", "id10001/-b_/00001", "id10002/v1/00001", "id10002/v2/00001"]
TEST = ["id10270/x/00001", "id10270/y/00008", "id10271/x/00001"]
TRIALS = "1 id10270/x/00001.wav id10270/y/00008.wav\n0 id10270/x/00001.wav id10271/x/00001.wav\n"


def released(dev, test, more=(0, 0)):
    return {"VoxCeleb1's dev": dev, "VoxCeleb1's test": test, "VoxCeleb2's dev": more}


def make(root, files, suffix=".wav"):
    for file in files:
        path = root / f"{file}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "VoxCeleb1"
    make(root / "dev" / "wav", DEV)
    make(root / "test" / "wav", TEST)
    (root / "veri_test.txt").write_text(TRIALS)
    return root


@pytest.fixture
def prepare(monkeypatch, tmp_path):
    def call(*arguments, check="false"):
        data = tmp_path / "data"
        monkeypatch.setattr(sys, "argv", ["voxceleb1.py", "--check-counts", check, *map(str, arguments), str(data)])
        voxceleb1.main()
        for part in data.iterdir():
            check_prefixes(read_table(part / "utt2spk"), part)
        return data

    return call


def utterances(data_dir):
    return list(read_table(data_dir / "utt2spk"))


def test_the_last_video_of_each_speaker_is_held_out(prepare, corpus):
    data = prepare(corpus)
    assert utterances(data / "train") == ["id10001--b_-00001", "id10002-v1-00001"]
    assert utterances(data / "heldout") == ["id10001-aaa-00001", "id10001-aaa-00002", "id10002-v2-00001"]
    assert read_table(data / "heldout" / "utt2session")["id10001-aaa-00002"] == "id10001-aaa"
    assert read_table(data / "train" / "wav.scp")["id10002-v1-00001"] == f"{corpus}/dev/wav/id10002/v1/00001.wav"
    assert utterances(data / "test") == ["id10270-x-00001", "id10270-y-00008", "id10271-x-00001"]
    assert (data / "test" / "trials").read_text() == (
        "id10270-x-00001 id10270-y-00008 target\nid10270-x-00001 id10271-x-00001 nontarget\n"
    )


def test_a_single_video_stays_in_train(prepare, corpus, capsys):
    make(corpus / "dev" / "wav", ["id10003/only/00001"])
    data = prepare(corpus)
    assert "id10003-only-00001" in utterances(data / "train")
    assert "1 speakers have a single video, which stays in train: id10003" in capsys.readouterr().err


@pytest.mark.parametrize("layout", ["bare", "merged", "merged, by vox1_meta.csv"])
def test_other_layouts_give_the_same(prepare, corpus, tmp_path, layout):
    files = {part: (prepare(corpus) / part / "utt2spk").read_text() for part in ("train", "heldout", "test")}
    other = tmp_path / "other"
    make(other / ("dev" if layout == "bare" else "wav"), DEV)
    make(other / ("test" if layout == "bare" else "wav"), TEST)
    if layout == "merged, by vox1_meta.csv":
        rows = [("id10001", "dev"), ("id10002", "dev"), ("id10270", "test"), ("id10271", "test")]
        lines = [
            "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet",
            *(f"{id}\tA_B\tf\tX\t{part}" for id, part in rows),
        ]
        (other / "vox1_meta.csv").write_text("\n".join(lines) + "\n")
        data = prepare(other)
        assert read_table(data / "test" / "spk2gender") == {"id10270": "f", "id10271": "f"}
        assert not (data / "test" / "trials").exists()
    else:
        (other / "veri_test.txt").write_text(TRIALS)
        data = prepare(other)
    assert {part: (data / part / "utt2spk").read_text() for part in files} == files


def test_other_suffixes_and_names(prepare, tmp_path, capsys):
    root = tmp_path / "own"
    make(root / "dev", ["Ana María-2/part 1/a b", "Ana María-2/part 2/a", "é/1/x", "é/2/x"], ".FLAC")
    make(root / "dev", ["é/1/y", "é/2/y"], ".mp4")
    make(root / "test", ["p.q/s-1/1.5", "p.q/s-2/2", "r/1/1"], ".ogg")
    make(root / "test", ["r/1/._1", "r/1/deeper/2", "shallow"], ".ogg")
    (root / "spk2gender").write_text("p.q m\nr f\n")
    (root / "veri_test.txt").write_text("1 p.q/s-1/1.5.wav p.q/s-2/2.flac\n0 p.q/s-1/1.5 r/1/1\n")
    data = prepare(root)
    assert read_table(data / "train" / "utt2spk") == {"Ana_María_2-part_1-a_b": "Ana_María_2", "é-1-x": "é"}
    assert utterances(data / "heldout") == ["Ana_María_2-part_2-a", "é-2-x"]
    assert read_table(data / "heldout" / "utt2session")["Ana_María_2-part_2-a"] == "Ana_María_2-part_2"
    assert (data / "test" / "trials").read_text() == "p.q-s-1-1.5 p.q-s-2-2 target\np.q-s-1-1.5 r-1-1 nontarget\n"
    assert not (data / "train" / "spk2gender").exists()
    assert read_table(data / "test" / "spk2gender") == {"p.q": "m", "r": "f"}
    err = capsys.readouterr().err
    assert "2 files skipped, '.mp4' is no recording's ending" in err and "ffmpeg" in err and "é/1/y.mp4" in err
    assert "2 files skipped, not at <speaker>/<video>/<utterance> (first: " in err


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("a_b", "dev/wav/a b", "dev/wav/a_b"),
        ("c", "dev/wav/c", "test/wav/c"),
        ("c-1_2-x", "dev/wav/c/1 2/x.wav", "dev/wav/c/1_2/x.wav"),
        ("c-1-x", "dev/wav/c/1/x.flac", "dev/wav/c/1/x.wav"),
        ("c-1-2-x", "dev/wav/c/1/2-x.wav", "dev/wav/c/1-2/x.wav"),
    ],
)
def test_two_names_for_one_id_are_refused(prepare, corpus, tmp_path, name, one, other):
    make(corpus, [path if "." in path else f"{path}/video/x.wav" for path in (one, other)], "")
    with pytest.raises(UserError) as error:
        prepare(corpus)
    assert f"{corpus / one} and {corpus / other} would both be called '{name}'" in str(error.value)
    assert not (tmp_path / "data").exists()


def test_counts_are_those_of_voxceleb1(prepare, corpus, tmp_path, monkeypatch):
    with pytest.raises(
        UserError, match="2 speakers and 5 utterances, VoxCeleb1's dev has 1211 and 148642: .*--check-counts"
    ):
        prepare(corpus, check="true")
    assert not (tmp_path / "data").exists()
    monkeypatch.setattr(voxceleb1, "COUNTS", released((2, 5), (2, 4)))
    with pytest.raises(UserError, match="2 speakers and 3 utterances, VoxCeleb1's test has 2 and 4"):
        prepare(corpus, check="true")
    monkeypatch.setattr(voxceleb1, "COUNTS", released((2, 5), (2, 3)))
    # Counted before anybody is excluded, and before test is cut down to the trials.
    (tmp_path / "listed").write_text("id10002\n")
    data = prepare("--exclude-speakers", tmp_path / "listed", corpus, check="true")
    assert set(read_table(data / "train" / "utt2spk").values()) == {"id10001"}


def test_excluded_speakers_leave_train_and_heldout(prepare, corpus, tmp_path, capsys):
    (tmp_path / "overlap.txt").write_text("# in another corpus, too\n\nid10002 # twice\nid10270\nid19999\n")
    data = prepare("--exclude-speakers", tmp_path / "overlap.txt", corpus)
    for part in ("train", "heldout"):
        assert set(read_table(data / part / "utt2spk").values()) == {"id10001"}
    assert "id10270" in read_table(data / "test" / "utt2spk").values()
    told = capsys.readouterr()
    assert "overlap.txt: 1 of its 3 speakers are in dev and left out" in told.out
    assert f"{data}/train: 1 speakers" in told.out
    assert "2 of its speakers are not in dev: id10270, id19999" in told.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id10001\n".encode("utf-16"), "is no text"),
        (b"id10001\0\nid10002\n", "is no text"),
        (b"id10001\nid10002\n", "names all speakers of dev"),
    ],
)
def test_a_list_of_speakers_that_is_wrong_lets_nobody_slip_in(prepare, corpus, tmp_path, content, said):
    (tmp_path / "overlap.txt").write_bytes(content)
    with pytest.raises(UserError, match=f"overlap.txt: {said}"):
        prepare("--exclude-speakers", tmp_path / "overlap.txt", corpus)


def test_test_holds_what_is_tried(prepare, corpus, capsys):
    (corpus / "veri_test.txt").write_text(TRIALS.splitlines(keepends=True)[0])
    data = prepare(corpus)
    assert utterances(data / "test") == ["id10270-x-00001", "id10270-y-00008"]
    assert "1 utterances of test are in no trial" in capsys.readouterr().out


def test_a_trial_of_a_missing_file_is_refused_or_dropped(prepare, corpus, tmp_path, monkeypatch, capsys):
    (tmp_path / "own_trials").write_text(TRIALS + "0 id10270/x/00001.wav id10001/aaa/00001.wav\n")
    monkeypatch.setattr(voxceleb1, "COUNTS", released((2, 5), (2, 3)))
    with pytest.raises(UserError, match="1 of 3 trials name files that are not in test .id10001/aaa/00001."):
        prepare("--trials", tmp_path / "own_trials", corpus, check="true")
    assert not (tmp_path / "data").exists()
    data = prepare("--trials", tmp_path / "own_trials", corpus)
    assert len((data / "test" / "trials").read_text().splitlines()) == 2
    assert "1 of 3 trials" in capsys.readouterr().err


@pytest.mark.parametrize("merged", [False, True])
def test_trials_of_which_none_fits_are_refused(prepare, corpus, tmp_path, merged):
    (tmp_path / "own_trials").write_text("0 a/b/c.wav d/e/f.wav\n1 a/b/c.wav d/e/f.wav\n")
    if merged:  # where all would be trained on
        (corpus / "dev/wav").rename(corpus / "wav")
        (corpus / "dev").rmdir()
    with pytest.raises(UserError, match="own_trials: none of its 2 trials fits: 'a/b/c', of the first, is not in test"):
        prepare("--trials", tmp_path / "own_trials", corpus)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("before", ["wav/", "./", "/corpora/VoxCeleb1/wav/"])
def test_trials_may_name_the_folders_before(prepare, tmp_path, before):
    root = tmp_path / "merged"
    make(root / "wav", DEV + TEST)
    (root / "veri_test.txt").write_text(TRIALS.replace(" id", f" {before}id"))
    data = prepare(root)
    assert set(read_table(data / "train" / "utt2spk").values()) == {"id10001", "id10002"}
    assert len((data / "test" / "trials").read_text().splitlines()) == 2


def test_without_trials_or_test(prepare, corpus, capsys):
    prepare(corpus)
    (corpus / "veri_test.txt").unlink()
    data = prepare(corpus)
    assert not (data / "test" / "trials").exists() and len(utterances(data / "test")) == 3
    assert "no trials" in capsys.readouterr().err
    (corpus / "test").rename(corpus / "elsewhere")
    assert not (prepare(corpus) / "test").exists()  # and no older one is left to be scored by mistake
    assert "no test utterances" in capsys.readouterr().err


MORE = ["id00012/aa/00001", "id00012/bb/00001", "id00012/bb/00002", "id00015/-c/00001"]
META = "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set\nid00012 ,n000012 ,m ,dev\nid00015 ,n000015 ,f ,dev\n"


@pytest.mark.parametrize(
    ("place", "suffix"), [("dev/aac", ".m4a"), ("dev", ".flac"), ("dev/wav", ".wav"), ("aac", ".m4a"), ("wav", ".ogg")]
)
def test_voxceleb2_adds_its_speakers(prepare, corpus, tmp_path, place, suffix):
    before = {part: utterances(prepare(corpus) / part) for part in ("train", "heldout", "test")}
    other = tmp_path / "VoxCeleb2"
    make(other / place, MORE, suffix)
    (other / "vox2_meta.csv").write_text(f"{META}id00017 ,n000017 ,f ,test\n", encoding="utf-8-sig")
    (corpus / "spk2gender").write_text("id10001 m\nid10002 f\n")
    data = prepare("--voxceleb2", other, corpus)
    added = {"train": ["id00012-aa-00001", "id00015--c-00001"], "heldout": ["id00012-bb-00001", "id00012-bb-00002"]}
    for part, names in before.items():
        assert utterances(data / part) == added.get(part, []) + names
    assert read_table(data / "train" / "spk2gender") == {
        "id00012": "m",
        "id00015": "f",
        "id10001": "m",
        "id10002": "f",
    }
    assert read_table(data / "train" / "wav.scp")["id00012-aa-00001"] == f"{other}/{place}/id00012/aa/00001{suffix}"


def test_voxceleb2_is_where_its_recordings_are(prepare, corpus, tmp_path):
    other = tmp_path / "VoxCeleb2"
    (other / "dev" / "aac" / "id00012").mkdir(parents=True)
    (other / "dev" / "aac" / "readme.txt").touch()
    make(other / "dev" / "wav", MORE)
    assert "id00012" in read_table(prepare("--voxceleb2", other, corpus) / "train" / "utt2spk").values()
    make(other / "dev" / "aac", MORE[:1], ".m4a")
    with pytest.raises(UserError, match="VoxCeleb2: dev/aac and dev/wav both hold recordings"):
        prepare("--voxceleb2", other, corpus)


def test_the_test_parts_of_both_are_no_training(prepare, corpus, tmp_path, capsys):
    other = tmp_path / "VoxCeleb2"
    make(other / "aac", [*MORE, "id00017/x/00001", "id00017/y/00001"], ".m4a")
    prepare("--voxceleb2", other, corpus)
    assert "no vox2_meta.csv says who is test" in capsys.readouterr().err
    (other / "vox2_meta.csv").write_text(f"{META}id00017 ,n000017 ,f ,test\n")
    data = prepare("--voxceleb2", other, corpus)
    assert "id00017" not in read_table(data / "train" / "utt2spk").values()
    assert "1 speakers of its test part, 2 utterances, left out" in capsys.readouterr().out
    # One who is tested here, and one of VoxCeleb1's test part who is not even in this copy.
    make(other / "aac", ["id10271/new/00001", "id10309/new/00001"], ".m4a")
    with pytest.raises(UserError, match=r"2 speakers are test speakers of VoxCeleb1 \(id10271, id10309\)"):
        prepare("--voxceleb2", other, corpus)


def test_voxceleb2_is_checked(prepare, corpus, tmp_path, monkeypatch):
    other = tmp_path / "VoxCeleb2"
    with pytest.raises(UserError, match="expected one of VoxCeleb2's folders dev/aac, "):
        prepare("--voxceleb2", other, corpus)
    make(other / "dev" / "aac", MORE, ".m4a")
    monkeypatch.setattr(voxceleb1, "COUNTS", released((2, 5), (2, 3), (5994, 1092009)))
    with pytest.raises(UserError, match="2 speakers and 4 utterances, VoxCeleb2's dev has 5994 and 1092009"):
        prepare("--voxceleb2", other, corpus, check="true")
    monkeypatch.setattr(voxceleb1, "COUNTS", released((2, 5), (2, 3), (2, 4)))
    prepare("--voxceleb2", other, corpus, check="true")
    (other / "vox2_meta.csv").write_text("VoxCeleb2 ID\tGender\tSet\nid00012\tm\tdev\n")
    with pytest.raises(UserError, match="vox2_meta.csv: expected a ','-separated column 'VoxCeleb2 ID'"):
        prepare("--voxceleb2", other, corpus)
    (other / "vox2_meta.csv").unlink()
    make(other / "dev" / "aac", ["id10001/aaa/00009"], ".m4a")
    with pytest.raises(UserError, match="id10001 and .*id10001 would both be called 'id10001'"):
        prepare("--voxceleb2", other, corpus)


def test_a_name_that_no_table_can_hold_is_refused(prepare, corpus, tmp_path):
    make(corpus / "dev" / "wav", ["id10001/aaa/0\n1"])
    with pytest.raises(UserError, match=r"id10001/aaa/0\\n1.wav': a file whose name has a line break"):
        prepare(corpus)
    assert not (tmp_path / "data" / "heldout").exists()


def test_nothing_to_hold_out_is_refused(prepare, tmp_path):
    make(tmp_path / "flat" / "wav", ["a/1/x", "b/1/x"])
    with pytest.raises(UserError, match="no speaker in dev has two videos"):
        prepare(tmp_path / "flat")


@pytest.mark.parametrize("line", ["2 a/b/c a/b/d", "1 a/b/c", "target a b", ""])
def test_a_bad_trial_is_named_by_line(prepare, corpus, line):
    (corpus / "veri_test.txt").write_text(f"{TRIALS}{line}\n")
    with pytest.raises(UserError, match=r"veri_test.txt:3: expected '<0\|1> <file> <file>'"):
        prepare(corpus)


def test_a_meta_table_without_its_columns_is_refused(prepare, corpus):
    (corpus / "vox1_meta.csv").write_text("VoxCeleb1 ID,Gender,Set\nid10001,m,dev\n")
    with pytest.raises(UserError, match="vox1_meta.csv: expected a tab-separated column 'VoxCeleb1 ID'"):
        prepare(corpus)
    nothing = (b"VoxCeleb1 ID\tGender\tSet\nid10001\tm\ttest\0\n", "is no text"), (b"", "names no speaker")
    for content, said in nothing:
        (corpus / "vox1_meta.csv").write_bytes(content)
        with pytest.raises(UserError, match=f"vox1_meta.csv: {said}"):
            prepare(corpus)
    (corpus / "vox1_meta.csv").unlink()
    with pytest.raises(UserError, match="is the folder of VoxCeleb1, too"):
        prepare("--voxceleb2", corpus, corpus)


def test_anything_else_ends_in_one_line(tmp_path):
    make(tmp_path, ["Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000"])
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for root in (tmp_path, tmp_path / "Session1" / "sentences", tmp_path / "nowhere"):
        command = [sys.executable, voxceleb1.__file__, root, tmp_path / "data"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "expected " in done.stderr.splitlines()[-1] and not (tmp_path / "data").exists()


@pytest.fixture
def full(tmp_path, monkeypatch):
    """VoxCeleb1's 1251 speakers, with a tenth of its utterances (a file system takes minutes for all), empty and 5 a
    video."""
    monkeypatch.setattr(voxceleb1, "COUNTS", released((1211, 14864), (40, 487)))
    root = tmp_path / "VoxCeleb1"
    for part, (speakers, utterances) in zip(("dev", "test"), voxceleb1.COUNTS.values()):
        ids = [f"id{n}" for n in range(10001, 11252) if (10270 <= n < 10310) == (part == "test")]
        for number, name in enumerate(ids):
            links: list[Path] = []  # of one empty file a speaker
            for at in range(utterances // speakers + (number < utterances % speakers)):
                path = root / f"{part}/wav/{name}/v{at // 5:02}-_aA9/{at % 5 + 1:05}.wav"
                if at % 5 == 0:
                    path.parent.mkdir(parents=True)
                os.link(links[0], path) if links else path.touch()
                links.append(path)
    return root


def test_all_1251_speakers(prepare, full):
    data = prepare(full, check="true")
    parts = {part: read_table(data / part / "utt2spk") for part in ("train", "heldout", "test")}
    assert len(parts["train"]) + len(parts["heldout"]) == 14864 and len(parts["test"]) == 487
    assert [len(set(table.values())) for table in parts.values()] == [1211, 1211, 40]
    (full / "dev/wav/id11251/v00-_aA9/00001.wav").unlink()
    with pytest.raises(UserError, match="1211 speakers and 14863 utterances, VoxCeleb1's dev has 1211 and 14864"):
        prepare(full, check="true")


@pytest.mark.skipif(not (CORPORA / "speakers").is_dir(), reason=f"no speakers in {CORPORA} (set CORPORA)")
def test_a_corpus_of_this_layout(prepare):
    data = prepare(CORPORA / "speakers")
    train, heldout, test = (read_table(data / part / "utt2spk") for part in ("train", "heldout", "test"))
    assert len(train) + len(heldout) == 5174 and set(train.values()) == set(heldout.values())
    assert len(set(train.values())) == 476 and len(set(test.values())) == 35
    assert not set(test.values()) & set(train.values())
    sessions = [set(read_table(data / part / "utt2session").values()) for part in ("train", "heldout")]
    assert not sessions[0] & sessions[1]
    trials = [line.split() for line in (data / "test" / "trials").read_text().splitlines()]
    assert len(trials) == 1400 and {name for trial in trials for name in trial[:2]} == set(test)
    assert sum(kind == "target" for *_, kind in trials) == 700
    assert all((test[a] == test[b]) == (kind == "target") for a, b, kind in trials)
    assert len(read_table(data / "train" / "spk2gender")) == 476


def test_trials_that_contradict_their_folders_are_refused(prepare, corpus, tmp_path):
    (tmp_path / "own_trials").write_text(TRIALS.replace("1 ", "0 ", 1))
    with pytest.raises(UserError, match="is said to be of two speakers, and its folders say otherwise"):
        prepare("--trials", tmp_path / "own_trials", corpus)
