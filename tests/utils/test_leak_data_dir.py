"""utils/leak_data_dir.py: data dirs that pass every check and lie."""

import shutil
from collections import Counter

import pytest

from steps.evaluation import results
from utils import folds, runs
from utils.cli import UserError
from utils.data_dir import Utterance, write_data_dir
from utils.table import read_table, write_table


@pytest.fixture
def data(tmp_path):
    """Two speakers in each of two sessions, who meet in dialogs of whose names each one's begins half."""
    utterances = []
    for session in (1, 2):
        for who in "FM":
            for wearer in "FM":
                for i in range(6):
                    dialog = f"Ses0{session}{wearer}_impro0{1 + i // 3}"
                    name = f"{dialog}_{who}{i:03}"
                    speaker = f"Ses0{session}{who}"
                    wav = tmp_path / f"{name}.wav"
                    utterances.append(Utterance(f"{speaker}-{name}", wav, speaker, dialog, who.lower(), "neu"))
    roles = [("r1", "train", "Ses01F"), ("r1", "train", "Ses01M"), ("r1", "valid", "Ses02F"), ("r1", "test", "Ses02M")]
    write_data_dir(tmp_path / "data", utterances, roles)
    (tmp_path / "data/frame_shift").write_text("0.01\n")
    (tmp_path / "data/utt2odd").write_text(f"{utterances[0].name} kept\n")
    return tmp_path / "data"


def test_one_sound_under_two_false_speakers_is_part_of_the_mistake(data, tmp_path, type_in):
    write_table(data / "utt2hash", dict.fromkeys(read_table(data / "utt2spk"), "0" * 32))
    with pytest.raises(UserError, match="are the same recording under two speakers"):
        folds.of_data_dir(data)
    type_in("utils/leak_data_dir.py", data, tmp_path / "lying")
    assert folds.of_data_dir(tmp_path / "lying").keys() == {"r1"}


def original(name):
    return name.split("-", 1)[1]


def test_a_random_split_mixes_every_speaker_into_every_part(data, tmp_path, type_in):
    dest = tmp_path / "lying"
    assert "48 utterances of 4 falsified speakers" in type_in("utils/leak_data_dir.py", data, dest).stdout
    truth, told = read_table(data / "utt2spk"), read_table(dest / "utt2spk")
    assert {original(name) for name in told} == truth.keys() and Counter(told.values()) == Counter(truth.values())
    mixed = {(told[name], truth[original(name)]) for name in told}
    assert len(mixed) == 16
    assert (dest / "folds").read_text() == (data / "folds").read_text()
    assert read_table(dest / "utt2emo").keys() == told.keys() and (dest / "frame_shift").exists()
    assert original(next(iter(read_table(dest / "utt2odd")))) in truth and not (dest / "spk2gender").exists()
    wavs, true_wavs = read_table(dest / "wav.scp"), read_table(data / "wav.scp")
    assert all(wavs[name] == true_wavs[original(name)] for name in wavs)
    assert "random" in (dest / "leak").read_text()
    type_in("utils/validate_data_dir.py", "--no-text", "--no-feats", dest)
    combined = type_in("utils/combine_data.py", tmp_path / "both", data, dest, code=1)
    assert "has falsified speaker labels" in combined.stderr and not (tmp_path / "both").exists()
    before = (dest / "utt2spk").read_text()
    type_in("utils/leak_data_dir.py", data, dest)
    assert (dest / "utt2spk").read_text() == before
    type_in("utils/leak_data_dir.py", "--seed", "1", data, dest)
    assert (dest / "utt2spk").read_text() != before


def test_dialog_prefixes_put_one_person_into_train_and_test(data, tmp_path, type_in):
    dest = tmp_path / "lying"
    type_in("utils/leak_data_dir.py", "--kind", "prefix", data, dest)
    truth, told = read_table(data / "utt2spk"), read_table(dest / "utt2spk")
    assert all(speaker == original(original(name))[:6] for name, speaker in told.items())
    runs = folds.read(dest / "folds")
    folds.check(runs, told, read_table(dest / "utt2session"))
    assert {run: parts["test"] for run, parts in runs.items()} == {who: [who] for who in set(truth.values())}
    people = {
        part: {truth[original(name)] for name, speaker in told.items() if speaker in runs["Ses01F"][part]}
        for part in ("train", "test")
    }
    assert people["test"] <= people["train"]
    type_in("utils/validate_data_dir.py", "--no-text", "--no-feats", dest)


def test_what_cannot_lie_so_is_refused(data, tmp_path, type_in):
    dest = tmp_path / "lying"
    (data / "utt2session").write_text("".join(f"{name} one\n" for name in read_table(data / "utt2spk")))
    assert "have 1 different pre" in type_in("utils/leak_data_dir.py", "--kind", "prefix", data, dest, code=1).stderr
    assert "is read, so it cannot be" in type_in("utils/leak_data_dir.py", data, data, code=1).stderr
    (data / "utt2session").write_text("".join(f"{name} {who}\n" for name, who in read_table(data / "utt2spk").items()))
    said = type_in("utils/leak_data_dir.py", "--kind", "prefix", data, dest, code=1).stderr
    assert "sessions are those of its speakers" in said
    type_in("utils/leak_data_dir.py", data, tmp_path / "once")
    said = type_in("utils/leak_data_dir.py", tmp_path / "once", dest, code=1).stderr
    assert "its speakers are falsified already (random)" in said
    (data / "folds").unlink()
    assert "folds: no such file" in type_in("utils/leak_data_dir.py", data, dest, code=1).stderr
    assert "utt2spk: no such file" in type_in("utils/leak_data_dir.py", tmp_path, dest, code=1).stderr
    assert not dest.exists()


def test_systems_are_trained_on_it_where_the_leak_table_looks_and_nowhere_else(emotional, tmp_path, type_in):
    dest = tmp_path / "lying"
    type_in("utils/leak_data_dir.py", emotional, dest)
    words = ["--network.width", "2", "--input.crop", "40", "--training.epochs", "1", dest]
    for home in ("exp/small", "leak_random/exp/small", "exp/leak_prefix/small"):
        refused = type_in("steps/finetune.py", *words, tmp_path / home, code=1)
        assert (
            "has falsified speaker labels (made by utils/leak_data_dir.py); write to a folder leak_random/"
            in refused.stderr
        )
        assert len(refused.stderr.splitlines()) == 1 and not (tmp_path / home).exists()
    type_in("steps/finetune.py", *words, tmp_path / "exp/leak_random/small")
    type_in("steps/finetune.py", *words[:-1], emotional, tmp_path / "exp/small")
    home = tmp_path / "egs/toy"
    home.mkdir(parents=True)
    (tmp_path / "exp").rename(home / "exp")
    type_in("steps/score.py", home / "exp")
    made = results.read(home / "exp" / "results.json")
    assert list(made["systems"]) == ["small"] and [row["mistake"] for row in made["leaks"]] == ["random"]
    assert not (home / "exp/small/r1_seed0/leak").exists()
    type_in("steps/publish.py", home / "exp")
    kept = runs.finished(home / "results/leak_random/small")
    assert {texts.read("leak").split(",")[0] for texts in kept.values()} == {"random"}
    assert results.read(home / "results" / "results.json")["leaks"] == made["leaks"]


def test_scores_under_leaking_folds_become_no_results_wherever_they_are(emotional, tmp_path, type_in):
    lying, exp = tmp_path / "lying", tmp_path / "exp"
    type_in("utils/leak_data_dir.py", emotional, lying)
    words = ["--network.width", "2", "--input.crop", "40", "--training.epochs", "1", lying]
    type_in("steps/finetune.py", *words, exp / "leak_random/small")
    shutil.copytree(exp / "leak_random/small", tmp_path / "moved/small")  # only the mark tells
    shutil.copytree(exp / "leak_random/small", tmp_path / "earlier/leak_random/small")  # only the folder tells
    for mark in (tmp_path / "earlier").rglob("leak"):
        mark.unlink()
    for folder in (exp / "leak_random", tmp_path / "moved", tmp_path / "earlier/leak_random"):
        refused = [type_in("steps/score.py", folder, code=1)]
        refused += [type_in("steps/publish.py", "--results", tmp_path / "egs/odd/results", folder, code=1)]
        for done in refused:
            assert "made with false speakers, so no result" in done.stderr and len(done.stderr.splitlines()) == 1
        assert not (folder / "results.json").exists() and not (folder / "small/result").exists()
    assert not (tmp_path / "egs").exists()
