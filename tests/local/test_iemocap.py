"""local/iemocap.py, on a tree with as many dialogs, utterances and labels as IEMOCAP has, and empty sound files."""

import errno
import itertools
import os
import random
import sys
from collections import Counter
from contextlib import contextmanager

import pytest

from local import iemocap
from utils import folds
from utils.cli import UserError
from utils.data_dir import check_prefixes
from utils.table import read_table

IMPRO = {"neu": 1099, "hap": 284, "exc": 663, "ang": 289, "sad": 608, "fru": 971, "xxx": 870}  # 4784
SCRIPT = {"neu": 609, "hap": 311, "exc": 378, "ang": 814, "sad": 476, "fru": 878, "xxx": 1637, "sur": 152}  # 5255
BY_SPEAKER = {
    "1F": 217,
    "1M": 205,
    "2F": 185,
    "2M": 208,
    "3F": 264,
    "3M": 274,
    "4F": 149,
    "4M": 221,
    "5F": 298,
    "5M": 259,
}
IRREGULAR = ["Ses03M_impro05a", "Ses03M_impro05b", "Ses03M_impro08a", "Ses03M_impro08b", "Ses05M_script01_1b"]


def dialogs(session: int) -> tuple[list[str], list[str]]:
    """16 improvised (80 in all) and 14 or, in session 5, 15 scripted ones (71)."""
    improvised = [f"{who}_impro{number:02}" for who in "FM" for number in range(1, 9)]
    scripted = [
        f"{who}_script{part}" for who in "FM" for part in ("01_1", "01_2", "01_3", "02_1", "02_2", "03_1", "03_2")
    ]
    if session == 3:
        improvised = improvised[:8] + [
            f"M_impro{part}" for part in ("01", "02", "03", "04", "05a", "05b", "08a", "08b")
        ]
    if session == 5:
        scripted.append("M_script01_1b")
    return [f"Ses0{session}{name}" for name in improvised], [f"Ses0{session}{name}" for name in scripted]


def cast() -> dict[str, tuple[str, str]]:
    """utterance → (speaker, label) of the whole corpus; 13 utterances in each irregular dialog."""
    rng = random.Random(0)

    def shuffled(counts, only):
        labels = [label for label, count in counts.items() if (label in ("neu", "hap", "ang", "sad")) == only]
        labels = [label for label in labels for _ in range(counts[label])]
        rng.shuffle(labels)
        return labels

    selected, others = iter(shuffled(IMPRO, True)), shuffled(IMPRO, False)
    scripted = shuffled(SCRIPT, True) + shuffled(SCRIPT, False)
    corpus = {}
    for number, (speaker, count) in enumerate(BY_SPEAKER.items()):
        labels = [list(itertools.islice(selected, count)) + others[number::10], scripted[number::10]]
        for names, mine in zip(dialogs(int(speaker[0])), labels):
            odd = [name for name in names if name in IRREGULAR for _ in range(7 if speaker[1] == "F" else 6)]
            plain = itertools.cycle(name for name in names if name not in IRREGULAR)
            turns = Counter()
            for dialog, label in zip(itertools.chain(odd, plain), mine):
                corpus[f"{dialog}_{speaker[1]}{turns[dialog]:03}"] = f"Ses0{speaker}", label
                turns[dialog] += 1
    return corpus


def write_tree(root, corpus):
    by_dialog = {}
    for name, (_, label) in sorted(corpus.items()):
        by_dialog.setdefault(name.rsplit("_", 1)[0], []).append((name, label))
    for dialog, turns in by_dialog.items():
        session = root / f"Session{dialog[4]}"
        labels, wavs = session / "dialog" / "EmoEvaluation", session / "sentences" / "wav" / dialog
        (labels / "Attribute").mkdir(parents=True, exist_ok=True)
        wavs.mkdir(parents=True)
        blocks = [
            f"[6.2901 - 8.2357]\t{name}\t{label}\t[2.5000, 2.5000, 2.5000]\nC-E2:\tNeutral;\t()\nA-E3:\tval 2;\t()\n"
            for name, label in turns
        ]
        text = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n" + "\n".join(blocks)
        (labels / f"{dialog}.txt").write_bytes(text.encode() + b"C-F1:\tOther;\t(caf\xe9)\n")
        (labels / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07[0.0 - 1.0]\tnothing\tneu\t[1, 1, 1]\n")
        (labels / "Attribute" / f"{dialog}_e3.txt").write_text(f"[0.0 - 1.0]\t{turns[0][0]}\tfea\t[1, 1, 1]\n")
        for name, _ in turns:
            (wavs / f"{name}.wav").touch()
        (wavs / f"._{turns[0][0]}.wav").touch()


@pytest.fixture(scope="session")
def truth():
    return cast()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, truth):
    root = tmp_path_factory.mktemp("iemocap") / "IEMOCAP_full_release"
    write_tree(root, truth)
    return root


@pytest.fixture
def prepare(monkeypatch, tmp_path):
    """Calls the program with options and a corpus; returns the data dir."""

    def call(*arguments):
        data = tmp_path / "data" / "iemocap"
        monkeypatch.setattr(sys, "argv", ["iemocap.py", *map(str, arguments), str(data)])
        iemocap.main()
        return data

    return call


@contextmanager
def relabelled(corpus, **labels):
    """The corpus with other labels for some utterances; None takes the line out."""
    saved = {}
    for name, label in labels.items():
        path = corpus / f"Session{name[4]}" / "dialog" / "EmoEvaluation" / f"{name.rsplit('_', 1)[0]}.txt"
        saved.setdefault(path, path.read_bytes())
        lines = path.read_bytes().splitlines(keepends=True)
        for number, line in enumerate(lines):
            if b"\t%s\t" % name.encode() in line:
                fields = line.split(b"\t")
                lines[number] = b"" if label is None else b"\t".join([*fields[:2], label.encode(), *fields[3:]])
        path.write_bytes(b"".join(lines))
    try:
        yield
    finally:
        for path, content in saved.items():
            path.write_bytes(content)


def spoken(truth, speaker, label):
    """Some improvised utterance of `speaker` with `label`."""
    return next(name for name, told in truth.items() if told == (speaker, label) and "_impro" in name)


def test_the_default_set(prepare, corpus, truth, capsys):
    assert len(truth) == 10039
    data = prepare(corpus)
    emotions, utt2spk = read_table(data / "utt2emo"), read_table(data / "utt2spk")
    assert Counter(emotions.values()) == {"neu": 1099, "hap": 284, "ang": 289, "sad": 608}
    assert Counter(utt2spk.values()) == {f"Ses0{speaker}": count for speaker, count in BY_SPEAKER.items()}
    names = {utt: utt.split("-", 1)[1] for utt in utt2spk}
    assert {name: (utt2spk[utt], emotions[utt]) for utt, name in names.items()}.items() <= truth.items()
    sessions, wavs = read_table(data / "utt2session"), read_table(data / "wav.scp")
    assert all(sessions[utt] == name.rsplit("_", 1)[0] for utt, name in names.items())
    assert all(wavs[utt].endswith(f"/sentences/wav/{sessions[utt]}/{name}.wav") for utt, name in names.items())
    assert read_table(data / "spk2gender") == {f"Ses0{speaker}": speaker[1].lower() for speaker in BY_SPEAKER}
    check_prefixes(utt2spk, data)
    out = capsys.readouterr().out
    assert "2280 utterances, 10 speakers, 80 dialogs" in out and "exc 663, fru 971, xxx 870" in out


def test_ten_runs_test_every_speaker_once_beside_the_other_of_the_session(prepare, corpus):
    data = prepare(corpus)
    runs = folds.read(data / "folds")
    folds.check(runs, read_table(data / "utt2spk"), read_table(data / "utt2session"))
    assert {run: parts["test"] for run, parts in runs.items()} == {f"Ses0{who}": [f"Ses0{who}"] for who in BY_SPEAKER}
    assert runs["Ses03M"]["valid"] == ["Ses03F"] and runs["Ses03F"]["valid"] == ["Ses03M"]
    assert runs["Ses01M"]["train"] == [f"Ses0{session}{who}" for session in (2, 3, 4, 5) for who in "FM"]
    assert all(len(parts["train"]) == 8 for parts in runs.values())


def test_five_runs_leave_one_session_out_each(prepare, corpus):
    data = prepare("--folds", "session", corpus)
    runs = folds.of_data_dir(data)
    assert {run: parts["test"] for run, parts in runs.items()} == {
        f"Ses0{session}": [f"Ses0{session}F", f"Ses0{session}M"] for session in range(1, 6)
    }
    assert runs["Ses05"]["valid"] == ["Ses01F", "Ses01M"] and all(len(parts["train"]) == 6 for parts in runs.values())


CHOICES = list(itertools.product(("hap", "merge", "replace"), ("impro", "script", "all")))
CORE = {"impro": (1099, 284, 663, 289, 608), "script": (609, 311, 378, 814, 476), "all": (1708, 595, 1041, 1103, 1084)}


@pytest.mark.parametrize(("happy", "parts"), CHOICES)
def test_every_choice_of_happy_and_parts(prepare, corpus, truth, happy, parts):
    data = prepare("--happy", happy, "--parts", parts, corpus)
    neutral, hap, exc, angry, sad = CORE[parts]
    counts = {"neu": neutral, "hap": {"hap": hap, "merge": hap + exc, "replace": exc}[happy], "ang": angry, "sad": sad}
    emotions, utt2spk = read_table(data / "utt2emo"), read_table(data / "utt2spk")
    assert Counter(emotions.values()) == counts
    if (happy, parts) == ("merge", "all"):
        assert len(emotions) == 5531
    assert {name.split("_")[1][:6].rstrip("0123456789") for name in emotions} == (
        {"impro", "script"} if parts == "all" else {parts}
    )
    assert all(truth[utt.split("-", 1)[1]][0] == speaker for utt, speaker in utt2spk.items())
    folds.check(folds.read(data / "folds"), utt2spk, read_table(data / "utt2session"))


@pytest.mark.parametrize(("happy", "parts"), CHOICES)
def test_a_count_off_by_one_is_refused_in_every_choice(prepare, corpus, truth, tmp_path, happy, parts):
    """By class; and by speaker too, where improvised dialogs are in: how the others fall on speakers is not known."""
    shape = "_script" if parts == "script" else "_impro"
    name = next(name for name, told in truth.items() if told == ("Ses02M", "ang") and shape in name)
    with relabelled(corpus, **{name: "xxx"}), pytest.raises(UserError) as error:
        prepare("--happy", happy, "--parts", parts, corpus)
    angry = CORE[parts][3]
    assert f"ang {angry - 1} instead of {angry}" in str(error.value)
    assert ("Ses02M 207 instead of 208" in str(error.value)) == (parts != "script")
    assert not (tmp_path / "data").exists()


def test_the_speaker_of_the_65_irregular_names(prepare, corpus, truth):
    odd = {name: speaker for name, (speaker, _) in truth.items() if name.rsplit("_", 1)[0] in IRREGULAR}
    assert len(odd) == 65 and odd["Ses03M_impro05a_F000"] == "Ses03F" and odd["Ses05M_script01_1b_M002"] == "Ses05M"
    # Whatever their label, they are to be in: give all of them one that is selected.
    with relabelled(corpus, **dict.fromkeys(odd, "sad")):
        data = prepare("--check-counts", "false", "--parts", "all", corpus)
    utt2spk = read_table(data / "utt2spk")
    assert {f"{speaker}-{name}": speaker for name, speaker in odd.items()}.items() <= utt2spk.items()


def test_one_label_off_is_refused_by_class_and_speaker(prepare, corpus, truth, tmp_path):
    name = spoken(truth, "Ses04F", "neu")
    with relabelled(corpus, **{name: "fru"}):
        with pytest.raises(UserError, match=r"neu 1098 instead of 1099; Ses04F 148 instead of 149 .*--check-counts"):
            prepare(corpus)
        assert not (tmp_path / "data").exists()
        assert len(read_table(prepare("--check-counts", "false", corpus) / "utt2spk")) == 2279


def test_a_label_that_moves_to_another_speaker_is_refused(prepare, corpus, truth):
    swapped = {spoken(truth, "Ses01F", "sad"): "xxx", spoken(truth, "Ses02M", "xxx"): "sad"}
    with relabelled(corpus, **swapped), pytest.raises(UserError) as error:
        prepare(corpus)
    assert "known: Ses01F 216 instead of 217; Ses02M 209 instead of 208 (" in str(error.value)


def test_a_label_of_no_selected_class_counts_too(prepare, corpus, truth):
    with (
        relabelled(corpus, **{spoken(truth, "Ses01F", "exc"): "xxx"}),
        pytest.raises(UserError, match="exc 662 instead of 663"),
    ):
        prepare(corpus)


def test_sound_without_label_and_label_without_sound_are_named(prepare, corpus, truth, capsys):
    unlabelled, silent = spoken(truth, "Ses02F", "xxx"), spoken(truth, "Ses05M", "neu")
    wav = corpus / "Session5" / "sentences" / "wav" / silent.rsplit("_", 1)[0] / f"{silent}.wav"
    with relabelled(corpus, **{unlabelled: None}):
        wav.unlink()
        try:
            with pytest.raises(UserError) as error:
                prepare(corpus)
            data = prepare("--check-counts", "false", corpus)
        finally:
            wav.touch()
    assert f"1 wav files without a label (first: {unlabelled})" in str(error.value)
    assert f"1 labels without a wav file (first: {silent})" in str(error.value)
    assert f"1 labels without a wav file (first: {silent})" in capsys.readouterr().err
    assert f"Ses05M-{silent}" not in read_table(data / "utt2spk")


def test_names_and_lines_of_another_form_are_named(prepare, tmp_path, capsys):
    turns = {f"Ses0{s}F_impro01_{who}000": (f"Ses0{s}{who}", "neu") for s in (1, 2) for who in "FM"}
    write_tree(tmp_path / "small", turns)
    labels = tmp_path / "small" / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    labels.write_text(
        labels.read_text("latin-1") + "[1 - 2] Ses01F_impro01_F001 neu\n[1.0 - 2.0]\tSes1F_1_F0\tneu\t[]\n"
    )
    data = prepare("--check-counts", "false", tmp_path / "small")
    assert len(read_table(data / "utt2spk")) == 4
    err = capsys.readouterr().err
    assert "1 label lines that cannot be read (first: " in err and "Ses01F_impro01.txt:11)" in err
    assert "1 utterances with a name of another form (first: Ses1F_1_F0)" in err
    assert "3 folders missing (first: Session3)" in err


def test_folds_need_two_sessions_of_two(prepare, tmp_path):
    turns = {f"Ses01F_impro01_{who}000": (f"Ses01{who}", "neu") for who in "FM"}
    write_tree(tmp_path / "small", turns)
    with pytest.raises(UserError, match="two sessions or more .* Ses01F Ses01M"):
        prepare("--check-counts", "false", tmp_path / "small")


def test_a_pipe_among_the_labels_is_named_and_not_waited_for(prepare, corpus, capsys):
    pipe = corpus / "Session1/dialog/EmoEvaluation/x.txt"
    os.mkfifo(pipe)
    try:
        with pytest.raises(UserError, match="1 files of labels that are no plain files .first: .*/x.txt."):
            prepare(corpus)
        assert len(read_table(prepare("--check-counts", "false", corpus) / "utt2spk")) == 2280
    finally:
        pipe.unlink()
    assert "EmoEvaluation/x.txt" in capsys.readouterr().err


def test_the_folder_above_the_release_will_do_and_others_will_not(prepare, corpus):
    assert len(read_table(prepare(corpus.parent) / "utt2spk")) == 2280
    with pytest.raises(UserError, match="expected IEMOCAP's folders Session1 to Session5 here"):
        prepare(corpus / "Session1")


@pytest.mark.parametrize("closed", ["sentences/wav", "dialog/EmoEvaluation", "sentences/wav/Ses01F_impro01"])
def test_a_folder_that_cannot_be_read_is_named_and_nothing_is_written(prepare, corpus, monkeypatch, tmp_path, closed):
    folder, scandir = corpus / "Session1" / closed, os.scandir

    def refuse(path="."):
        if os.fspath(path) == str(folder):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match=closed):
        prepare("--check-counts", "false", corpus)
    assert not (tmp_path / "data/utt2spk").exists()


def test_sound_in_another_dialogs_folder_is_not_taken_for_an_utterances(prepare, corpus, capsys):
    right = sorted((corpus / "Session1/sentences/wav/Ses01F_impro01").glob("Ses*.wav"))[0]
    wrong = corpus / "Session2/sentences/wav/x" / right.name
    wrong.parent.mkdir()
    wrong.write_bytes(b"RIFF")
    try:
        with pytest.raises(UserError, match="1 wav files in the folder of another dialog"):
            prepare(corpus)
        wavs = read_table(prepare("--check-counts", "false", corpus) / "wav.scp")
        assert str(wrong) not in wavs.values() and "in the folder of another dialog" in capsys.readouterr().err
    finally:
        wrong.unlink()
        wrong.parent.rmdir()
