"""Data dirs of copies: what they say, what stays the same, what is refused."""

import pytest

from utils import folds
from utils.cli import UserError
from utils.combine_data import combine
from utils.copies import read_changes
from utils.data_dir import Utterance, write_data_dir
from utils.make_folds import choose
from utils.parts import subset
from utils.table import read_table, write_lines, write_table
from utils.validate_data_dir import validate

KINDS = "speed reverb noise music babble telephone mulaw gain"


@pytest.fixture
def train(tmp_path):
    """5 speakers with 3 utterances each, in two sessions."""
    utterances = [
        Utterance(f"id{s}-v{i % 2}-{i}", tmp_path / f"a b/{s}_{i}.wav", f"id{s}", f"id{s}-v{i % 2}", "mf"[s % 2])
        for s in range(5)
        for i in range(3)
    ]
    write_data_dir(tmp_path / "train", utterances)
    write_table(tmp_path / "train/feats.scp", {utterance.name: "/x/feats.ark:1" for utterance in utterances})
    write_table(tmp_path / "train/utt2remark", {"id1-v0-0": "loud"})
    write_table(tmp_path / "train/spk2age", {"id2": "30"})
    return tmp_path / "train"


@pytest.fixture
def make(train, tmp_path, type_in):
    def make(*words, source=train, dest=tmp_path / "copies", code=0):
        return type_in("utils/augment_data_dir.py", *words, source, dest, code=code)

    return make


def test_copies_name_their_origin_and_what_is_done_to_them(make, train, tmp_path):
    done = make("--kinds", KINDS)
    assert done.stdout == f"{tmp_path}/copies: 135 copies of 15 utterances, 15 speakers\n"
    copies = tmp_path / "copies"
    assert validate(copies, feats=False) == 135
    changes, owners, origins = read_changes(copies), read_table(copies / "utt2spk"), read_table(copies / "utt2uniq")
    known = read_table(train / "utt2spk")
    places, original = read_table(copies / "wav.scp"), read_table(train / "wav.scp")
    for name, change in changes.items():
        first = origins[name]
        assert places[name] == original[first]
        if change.kind == "speed":
            assert name == f"sp{change.values['factor']:g}-{first}"
            assert owners[name] == f"sp{change.values['factor']:g}-{known[first]}"
        else:
            assert name == f"{first}-{change.kind}" and owners[name] == known[first]
        if change.kind == "babble":
            who = {known[utt] for sound in change.sounds() for utt, path in original.items() if path == sound.path}
            assert known[first] not in who
            assert 3 <= len(set(change.sounds())) == len(list(change.sounds())) <= 7
    assert read_table(copies / "utt2session")["sp1.1-id0-v1-1"] == "id0-v1"
    assert read_table(copies / "spk2gender")["sp0.9-id1"] == "f"
    assert set(read_table(copies / "spk2age")) == {"id2", "sp0.9-id2", "sp1.1-id2"}
    assert len(read_table(copies / "utt2remark")) == 9
    assert not (copies / "feats.scp").exists()


def test_of_several_corpora_voices_are_of_the_same_corpus_and_part(make, tmp_path):
    """Else who is left out with a corpus, or with a fifth of its speakers, would be heard in training."""
    owner = {f"id{s}-{i}": f"id{s}" for s in range(8) for i in range(4)}
    write_data_dir(tmp_path / "two", [Utterance(u, tmp_path / f"{u}.wav", who, who) for u, who in owner.items()])
    write_table(tmp_path / "two/utt2corpus", {u: "few" if who == "id7" else "many" for u, who in owner.items()})
    make("--kinds", "babble", "--voices", "[3, 3]", source=tmp_path / "two")
    beside = {"id0": "id5", "id5": "id0", "id1": "id6", "id6": "id1"}  # the other of its part; others are alone
    for copy, change in read_changes(tmp_path / "copies").items():
        origin = copy.removesuffix("-babble")
        voices = {sound.path.rpartition("/")[2].removesuffix(".wav") for sound in change.values["voices"]}
        assert {owner[voice] for voice in voices} == {beside.get(owner[origin], owner[origin])}
        assert len(voices) == 3 and origin not in voices
    refused = make("--kinds", "babble", "--voices", "[4, 4]", source=tmp_path / "two", code=1).stderr
    assert "babble of 4 voices needs as many utterances of other speakers, and there are 3" in refused


def test_choices_depend_on_seed_utterance_and_kind_alone(make, train, tmp_path):
    make("--kinds", KINDS, "--seed", "3")
    first = read_table(tmp_path / "copies/utt2augment")
    make("--kinds", "gain reverb noise", "--seed", "3", dest=tmp_path / "fewer")
    assert read_table(tmp_path / "fewer/utt2augment").items() <= first.items()
    subset(train, tmp_path / "part", ["id1-v0-0", "id3-v1-1"])
    make("--kinds", "music gain noise", "--seed", "3", source=tmp_path / "part", dest=tmp_path / "less")
    assert read_table(tmp_path / "less/utt2augment").items() <= first.items()
    make("--kinds", KINDS, "--seed", "4", dest=tmp_path / "other")
    other = read_table(tmp_path / "other/utt2augment")
    drawn = [name for name in first if name.rpartition("-")[2] in ("reverb", "noise", "music", "babble", "gain")]
    assert all(first[name] != other[name] for name in drawn)


def test_what_was_made_of_the_same_is_kept(make, train, tmp_path):
    make("--kinds", "gain")
    names = read_table(tmp_path / "copies/utt2spk")
    write_table(tmp_path / "copies/feats.scp", dict.fromkeys(names, "/x/feats.ark:1"))
    assert "up to date" in make("--kinds", "gain").stdout and (tmp_path / "copies/feats.scp").exists()
    write_table(train / "vad.scp", dict.fromkeys(read_table(train / "utt2spk"), "/x/vad.ark:1"))
    assert "up to date" in make("--kinds", "gain").stdout  # which says nothing of copies
    assert "15 copies" in make("--kinds", "gain", "--gain", "[-3, 3]").stdout


@pytest.mark.parametrize("table", ["wav.scp", "utt2uniq", "utt2augment", "utt2session", "utt2remark"])
def test_what_lost_lines_or_a_table_is_made_again(make, tmp_path, table):
    make("--kinds", "gain")
    before = (tmp_path / "copies" / table).read_text()
    if table == "utt2remark":
        (tmp_path / "copies" / table).unlink()
    else:
        write_lines(tmp_path / "copies" / table, before.splitlines()[:7])
    assert "15 copies of 15" in make("--kinds", "gain").stdout
    assert (tmp_path / "copies" / table).read_text() == before


def test_copies_of_which_some_recordings_were_unusable_are_kept(make, tmp_path):
    make("--kinds", "gain")
    names = sorted(read_table(tmp_path / "copies/utt2spk"))
    subset(tmp_path / "copies", tmp_path / "less", names[2:])
    lost = dict.fromkeys(names[:2], "empty")
    write_table(tmp_path / "less/lost", lost)
    for path in (tmp_path / "less").iterdir():
        path.replace(tmp_path / "copies" / path.name)
    assert "up to date" in make("--kinds", "gain").stdout


def test_where_it_was_killed_it_starts_again(make, tmp_path):
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies/.lock").write_text("augment_data_dir.py on somewhere, process 1\n")
    assert "15 copies" in make("--kinds", "gain").stdout
    (tmp_path / "own").mkdir()
    (tmp_path / "own/.kept").touch()  # might be anything
    assert "not a data dir" in make("--kinds", "gain", dest=tmp_path / "own", code=1).stderr
    assert (tmp_path / "own/.kept").exists()


def test_what_was_made_of_a_sound_is_no_copys(make, train, tmp_path):
    for name in ("feats.scp", "vad.scp", "descriptors.scp", "utt2dur", "utt2hash"):
        write_table(train / name, dict.fromkeys(read_table(train / "utt2spk"), "/x/some.ark:1"))
    make("--kinds", "gain")
    left = {path.name for path in (tmp_path / "copies").iterdir()}
    assert not left & {"feats.scp", "vad.scp", "descriptors.scp", "utt2dur", "utt2hash"} and "utt2uniq" in left


def test_folders_of_noise_and_rooms(make, tmp_path):
    for name in (
        "musan/noise/free/n1.wav",
        "musan/noise/free/n2.WAV",
        "musan/noise/README",
        "musan/music/m.flac",
        "rirs/simulated_rirs/smallroom/Room001/r1.wav",
        "rirs/real_rirs_isotropic_noises/array.wav",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    make("--kinds", "noise music reverb", "--musan", tmp_path / "musan", "--rirs", tmp_path / "rirs")
    changes = read_changes(tmp_path / "copies").values()
    found = {kind: {s.path for c in changes if c.kind == kind for s in c.sounds()} for kind in ("noise", "music")}
    found["reverb"] = {sound.path for change in changes if change.kind == "reverb" for sound in change.sounds()}
    assert found == {
        "noise": {f"{tmp_path}/musan/noise/free/n1.wav", f"{tmp_path}/musan/noise/free/n2.WAV"},
        "music": {f"{tmp_path}/musan/music/m.flac"},
        "reverb": {f"{tmp_path}/rirs/simulated_rirs/smallroom/Room001/r1.wav"},
    }
    assert "expected a folder with wav or flac" in make("--kinds", "noise", "--musan", tmp_path / "no", code=1).stderr


def test_combined_with_their_originals(make, train, tmp_path, capsys):
    """Copies stay copies, and a data dir made of the same stays, with what was made of it."""
    make("--kinds", "speed gain")
    write_table(tmp_path / "copies/feats.scp", dict.fromkeys(read_table(tmp_path / "copies/utt2spk"), "/x/c.ark:1"))
    assert combine(tmp_path / "both", [train, tmp_path / "copies"]) == 60
    assert capsys.readouterr().err == ""
    assert validate(tmp_path / "both") == 60
    assert read_changes(tmp_path / "both") == read_changes(tmp_path / "copies")
    origins = read_table(tmp_path / "both/utt2uniq")
    assert len(origins) == 60 and origins["id1-v0-0"] == origins["sp0.9-id1-v0-0"] == "id1-v0-0"
    (tmp_path / "both/packed").mkdir()
    combine(tmp_path / "both", [train, tmp_path / "copies"])
    assert (tmp_path / "both/packed").exists()
    write_table(train / "feats.scp", dict.fromkeys(read_table(train / "utt2spk"), "/y/feats.ark:1"))
    combine(tmp_path / "both", [train, tmp_path / "copies"])
    assert not (tmp_path / "both/packed").exists()


def test_segments(segmented, make, tmp_path):
    (segmented / "folds").unlink()
    make("--kinds", "speed babble", source=segmented)
    assert validate(tmp_path / "copies", feats=False) == 81
    stretches = read_table(tmp_path / "copies/segments")
    assert stretches["sp0.9-spk2-u3"] == stretches["spk2-u3-babble"] == "rec-spk2 3.0 3.9"
    assert all(sound.end for change in read_changes(tmp_path / "copies").values() for sound in change.sounds())
    assert (tmp_path / "copies/wav.scp").read_bytes() == (segmented / "wav.scp").read_bytes()


@pytest.mark.parametrize("name", ["folds", "trials", "utt2augment"])
def test_only_training_data_is_copied(make, train, tmp_path, name):
    write_lines(train / name, ["x"])
    assert f"({train}/{name}); copies are made of training data alone" in make("--kinds", "gain", code=1).stderr
    assert not (tmp_path / "copies").exists()


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "--kinds: expected some of speed reverb"),
        (["--kinds", "gian"], "there is no kind 'gian'; did you mean 'gain'?"),
        (["--kinds", "gain", "--gain", "[3, -3]"], "gain [3.0, -3.0]: two numbers from -100 to 100, the lower first"),
        (["--kinds", "gain", "--gain", "[101, 102]"], "gain [101.0, 102.0]: two numbers from -100 to 100"),
        (["--kinds", "speed", "--speeds", "[]"], "speeds, one at least"),
        (["--kinds", "speed", "--speeds", "[1]"], "but not 1"),
        (["--kinds", "babble", "--voices", "[13, 15]"], "needs as many utterances of other speakers, and there are 12"),
    ],
)
def test_what_cannot_be_made_is_refused(make, tmp_path, words, said):
    assert said in make(*words, code=1).stderr
    assert not (tmp_path / "copies").exists()


def test_a_name_that_is_taken_is_refused(make, train):
    more = {"utt2spk": "id0", "wav.scp": "/c/x.wav", "utt2session": "id0-v0", "feats.scp": "/x/feats.ark:9"}
    for name, value in more.items():
        write_table(train / name, read_table(train / name) | {"id0-v0-0-gain": value})
    assert "is called 'id0-v0-0-gain' as a copy would be" in make("--kinds", "gain", code=1).stderr


def test_no_run_tests_on_a_copy(make, train, tmp_path):
    make("--kinds", "gain")
    combine(tmp_path / "both", [train, tmp_path / "copies"])
    utt2spk = read_table(tmp_path / "both/utt2spk")
    lines, _ = choose("loso", utt2spk, read_table(tmp_path / "both/utt2session"), {}, {})
    write_lines(tmp_path / "both/folds", map(" ".join, lines))
    with pytest.raises(UserError, match="has changed copies .* for training alone"):
        folds.of_data_dir(tmp_path / "both")


def test_copies_of_one_origin_do_not_play_two_parts(tmp_path):
    """Whatever their files are: as where Kaldi made them."""
    write_data_dir(
        tmp_path / "data",
        [Utterance(f"{s}-1", tmp_path / f"{s}.wav", s, f"{s}-d") for s in ("a", "b", "c", "sp0.9-a")],
        [("r", "train", "a"), ("r", "valid", "b"), ("r", "test", "sp0.9-a")],
    )
    assert folds.of_data_dir(tmp_path / "data")
    write_table(tmp_path / "data/utt2uniq", {"a-1": "a-1", "b-1": "b-1", "c-1": "c-1", "sp0.9-a-1": "a-1"})
    with pytest.raises(UserError, match="'a-1' .train. and 'sp0.9-a-1' .test. are the same recording .* by utt2uniq"):
        folds.of_data_dir(tmp_path / "data")
    lines = [("r", "train", "a"), ("r", "train", "sp0.9-a"), ("r", "valid", "b"), ("r", "test", "c")]
    write_lines(tmp_path / "data/folds", map(" ".join, lines))
    assert folds.of_data_dir(tmp_path / "data")


def test_speeds_that_name_copies_alike_are_refused(make):
    said = make("--kinds", "speed", "--speeds", "[0.9, 0.9000000001]", code=1).stderr
    assert "two of them name a copy 'sp0.9-" in said


def test_copies_that_lost_what_says_how_they_were_changed_are_not_taken_for_clean(make, tmp_path):
    make("--kinds", "noise")
    (tmp_path / "copies/utt2augment").unlink()
    with pytest.raises(UserError, match="utt2augment: is missing, and the utterances are changed copies"):
        read_changes(tmp_path / "copies")
    make("--kinds", "noise")
    assert read_changes(tmp_path / "copies")
