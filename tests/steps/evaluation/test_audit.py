"""Each trap is planted in a clean corpus, and found there; the clean one gives nothing."""

import json

import numpy as np
import pytest

from steps.evaluation import audit, corpus, corpus_guesses
from steps.evaluation.corpus_checks import look
from utils.cli import UserError
from utils.recordings import Sound, write_sounds
from utils.table import write_table

CLASSES = ["ang", "hap", "neu", "sad"]
SPEAKERS = [f"s{number}" for number in range(8)]


class Clean:
    """8 speakers say 6 sentences in 4 classes; a table may be spoilt before the audit."""

    def __init__(self, folder):
        self.data, rng = folder / "data", np.random.default_rng(0)
        rows = [(s, c, sentence) for s in SPEAKERS for c in CLASSES for sentence in range(6)]
        self.names = [f"{s}-{c}{sentence}" for s, c, sentence in rows]
        self.speaker = dict(zip(self.names, (row[0] for row in rows)))
        self.emotion = dict(zip(self.names, (row[1] for row in rows)))
        self.sentence = {name: f"t{row[2]}" for name, row in zip(self.names, rows)}
        self.session = dict(self.speaker)
        self.hash = {name: f"{number:032x}" for number, name in enumerate(self.names)}
        self.duration = {name: float(rng.uniform(2, 4)) for name in self.names}
        self.sound = {name: Sound(16000, 1, "WAV/PCM_16", rng.normal(-25, 3), -5.0, 0.0) for name in self.names}
        self.acoustics = {name: (8000.0, rng.uniform(0.2, 0.5), rng.normal(-70, 4)) for name in self.names}
        self.others, self.runs = {}, {}
        for k in range(4):
            test, valid = SPEAKERS[2 * k : 2 * k + 2], SPEAKERS[(2 * k + 2) % 8 : (2 * k + 2) % 8 + 2]
            train = [one for one in SPEAKERS if one not in test + valid]
            self.runs[f"run{k}"] = {"train": train, "valid": valid, "test": test}

    def change(self, table, where, value):
        """Set a table's value, or what a function makes of the old one, for utterances whose name fits."""
        for name in self.names:
            if where(name):
                old = getattr(self, table)[name]
                getattr(self, table)[name] = value(old, name) if callable(value) else value

    def rename(self, old, new):
        """Another speaker-id."""
        for table in (self.speaker, self.session):
            table |= {name: new for name, value in table.items() if value == old}
        for parts in self.runs.values():
            parts |= {part: [new if one == old else one for one in own] for part, own in parts.items()}

    def findings(self, whole=False):
        self.data.mkdir(parents=True)
        tables = {
            "utt2spk": self.speaker,
            "utt2emo": self.emotion,
            "utt2session": self.session,
            "utt2sentence": self.sentence,
            "utt2hash": self.hash,
            "utt2dur": {name: f"{value:.3f}" for name, value in self.duration.items()},
            "wav.scp": {name: f"/wav/{name}.wav" for name in self.names},
        }
        for name, table in tables.items():
            write_table(self.data / name, table)
        write_sounds(self.data / "utt2sound", self.sound)
        lines = [f"{run} {part} {one}\n" for run, parts in self.runs.items() for part in parts for one in parts[part]]
        (self.data / "folds").write_text("".join(lines))
        for name, text in self.others.items():
            (self.data / name).write_text(text)
        found = audit.audit(corpus.read(self.data, self.acoustics))
        return found if whole else {row["what"]: row for row in found["findings"]}


@pytest.fixture
def clean(tmp_path):
    return Clean(tmp_path)


def of(*classes):
    return lambda name: any(f"-{one}" in name for one in classes)


def test_a_clean_corpus_gives_nothing(clean):
    found = clean.findings(whole=True)
    assert found["findings"] == []
    assert found["counts"]["utterances"] == 192 and found["counts"]["sentences"] == 6 and found["counts"]["runs"] == 4
    assert found["classes"]["ang"]["utterances"] == 48 and found["speakers"]["s3"] == dict.fromkeys(CLASSES, 6)
    assert found["same"].keys() == {"rate", "channels", "format", "bandwidth", "clipped"}
    assert found["guesses"].keys() == {"speaker", "sentence", "noise", "duration", "level", "nonspeech"}
    assert found["absent"] == ["utt2heard", "spk2gender"]


def test_speakers_of_one_class_are_an_error(clean):
    """As in one public corpus: 26 of 29 speakers show a single class."""
    keep = dict(zip(SPEAKERS, CLASSES * 2))
    clean.names = [name for name in clean.names if clean.emotion[name] == keep[clean.speaker[name]]]
    for table in ("speaker", "emotion", "sentence", "session", "hash", "duration", "sound"):
        setattr(clean, table, {name: getattr(clean, table)[name] for name in clean.names})
    row = clean.findings()["speaker"]
    assert row["severity"] == "error" and row["value"] == 100 and row["count"] == row["of"] == 8
    assert row["p"] < 0.05 and row["effect"] == {"wf1": 100, "ua": 100} and row["first"][0] == "s0 (ang)"


def test_a_speaker_of_rare_classes_alone_is_no_speaker_to_guess_by(clean, monkeypatch):
    """Without the rare class, one speaker is left, and nobody can be left out."""
    monkeypatch.setattr(corpus_guesses, "RARE", 0.5)
    keep = {"s0": ("ang", "hap"), "s1": ("sad",)}
    names = [name for name in clean.names if clean.emotion[name] in keep.get(clean.speaker[name], ())]
    clean.names = [name for name in names if not name.startswith("s1") or name.endswith("0")]
    clean.runs = {"run0": {"train": ["s0"], "valid": ["s1"], "test": []}}
    for table in ("speaker", "emotion", "sentence", "session", "hash", "duration", "sound"):
        setattr(clean, table, {name: getattr(clean, table)[name] for name in clean.names})
    assert "duration" not in clean.findings(whole=True)["guesses"]


def test_sentences_of_one_class_are_an_error_and_some_of_them_a_warning(clean, tmp_path):
    clean.change("sentence", lambda name: True, lambda old, name: name[3:])
    row = clean.findings()["sentence"]
    assert row["severity"] == "error" and row["count"] == row["of"] == 24 and row["unit"] == "sentences"
    some = Clean(tmp_path / "some")
    some.change("sentence", of("ang0", "ang1", "hap0", "hap1", "sad0"), lambda old, name: name[3:])
    row = some.findings()["sentence"]
    assert row["severity"] == "warning" and row["count"] == 6 and 0.1 < row["gain"] < 0.8


def test_a_session_is_told_only_where_it_is_not_a_speaker(clean, tmp_path):
    clean.change("session", lambda name: True, lambda old, name: f"{old}{name[3:6]}")
    assert clean.findings()["session"]["severity"] == "error"
    assert "session" not in Clean(tmp_path / "again").findings(whole=True)["guesses"]


@pytest.mark.parametrize("what", ["rate", "channels", "format", "bandwidth", "noise"])
def test_a_class_recorded_otherwise_is_an_error_and_so_are_all_of_them(clean, tmp_path, what):
    values = {
        "rate": [16000, 44100, 48000, 8000],
        "channels": [1, 2, 3, 4],
        "format": ["WAV/PCM_16", "FLAC/PCM_16", "OGG/OPUS", "MP3/MPEG"],
        "bandwidth": [8000.0, 4000.0, 5500.0, 6000.0],
        "noise": [-70.0, -40.0, -50.0, -90.0],
    }[what]

    def otherwise(old, name):
        value = values[CLASSES.index(name[3:6])]
        if what in Sound._fields:
            return old._replace(**{what: value})
        at = {"bandwidth": 0, "noise": 2}[what]
        return (*old[:at], value, *old[at + 1 :])

    def spoil(corpus, classes):
        corpus.change("sound" if what in Sound._fields else "acoustics", of(*classes), otherwise)

    spoil(clean, ["hap"])
    found = clean.findings(whole=True)
    (row,) = found["findings"]
    assert row["what"] == what and row["severity"] == "error" and row["chance"] == 25 and row["p"] < 0.05
    assert (
        row["gain"] == 1 and row["value"] < 80 and row["effect"]["ua"] == row["value"]
    )  # of one class against the rest
    half = Clean(tmp_path / "half")
    spoil(half, ["hap0", "hap1", "hap2"])
    assert half.findings()[what]["severity"] == "warning"
    every = Clean(tmp_path / "every")
    spoil(every, CLASSES)
    row = every.findings()[what]
    assert row["severity"] == "error" and row["value"] == 100


def test_a_rate_that_a_few_speakers_share_is_no_finding(clean):
    clean.change("sound", lambda name: name[:2] in ("s1", "s4"), lambda old, name: old._replace(rate=44100))
    assert not clean.findings()


def test_true_cues_of_emotion_are_a_note_and_strong_ones_a_warning(clean, tmp_path):
    clean.change("sound", of("ang"), lambda old, name: old._replace(level=old.level + 12))
    clean.change("duration", of("sad"), lambda old, name: old + 1)
    found = clean.findings()
    assert {what: row["severity"] for what, row in found.items()} == {"level": "note", "duration": "note"}
    strong = Clean(tmp_path / "strong")
    strong.change("duration", lambda name: True, lambda old, name: old + 3 * CLASSES.index(name[3:6]))
    assert strong.findings()["duration"]["severity"] == "warning"


def test_the_same_sound_twice(clean):
    pairs = {"s0-ang0": "s0-ang1", "s1-ang0": "s1-hap0", "s4-sad0": "s5-sad0", "s2-neu0": "s6-neu3"}
    for one, other in pairs.items():
        clean.hash[one] = clean.hash[other]
    for parts in clean.runs.values():  # s4 and s5 are always together
        assert len({("s4" in own, "s5" in own) for own in parts.values()} - {(False, False)}) == 1
    found = clean.findings()
    assert {what: row["severity"] for what, row in found.items()} == {
        "same_sound": "note",
        "same_sound_labels": "warning",
        "same_sound_speakers": "warning",
        "same_sound_parts": "error",
    }
    assert found["same_sound_labels"]["first"] == ["s1-ang0 = s1-hap0"] and found["same_sound"]["count"] == 2
    assert found["same_sound_parts"]["first"] == ["s2-neu0 = s6-neu3"]


def test_classes_that_cannot_be_trained_or_tested(clean):
    clean.change("emotion", lambda name: name in ("s0-sad0", "s0-sad1", "s0-sad2"), "joy")
    found = clean.findings()
    assert found["class_of_one_speaker"]["severity"] == "error"
    assert found["class_of_one_speaker"]["first"] == ["joy (s0)"]
    assert found["class_of_few"]["severity"] == "warning" and found["class_of_few"]["first"] == ["joy (3)"]
    assert found["train_lacks_class"]["severity"] == "error"
    assert found["train_lacks_class"]["first"] == ["run0 (joy)", "run3 (joy)"]
    assert found["valid_lacks_class"]["severity"] == found["test_lacks_class"]["severity"] == "warning"
    assert found["test_lacks_class"]["count"] == 3


def test_folds_that_leak_are_an_error(clean):
    clean.change("session", lambda name: name[:2] in ("s0", "s4"), "together")
    (row,) = clean.findings().values()
    assert row["what"] == "folds_leak" and row["severity"] == "error" and "'together' is shared" in row["first"][0]


@pytest.mark.parametrize(
    ("what", "table", "value"),
    [
        ("clipped_recordings", "sound", lambda old, name: old._replace(clipped=0.01)),
        ("silent_recordings", "sound", lambda old, name: old._replace(level=-70.0)),
        ("silent_recordings", "acoustics", lambda old, name: (8000.0, 1.0, -70.0)),
        ("short_recordings", "duration", lambda old, name: 0.3),
        ("long_recordings", "duration", lambda old, name: 31.0),
    ],
)
def test_recordings_that_are_hardly_speech_are_named_and_many_a_warning(clean, tmp_path, what, table, value):
    clean.change(table, of("hap3"), value)
    row = clean.findings()[what]
    assert row["severity"] == "note" and row["count"] == 8 and row["first"][0] == "s0-hap3"
    many = Clean(tmp_path / "many")
    many.change(table, of("hap3", "sad2"), value)
    assert many.findings()[what]["severity"] == "warning"


def test_recordings_that_were_lost_stay_known(clean):
    clean.others["lost"] = "s0-ang9 silent: all samples are equal [/wav/s0-ang9.wav]\n"
    row = clean.findings()["lost_recordings"]
    assert row["of"] == 193 and row["first"] == ["s0-ang9 (silent: all samples are equal)"]


def test_recordings_that_were_lost_and_are_in_the_tables_count_once(clean):
    clean.others["lost"] = "s0-ang0 silent: all samples are equal [/wav/s0-ang0.wav]\n"
    assert clean.findings()["lost_recordings"]["of"] == 192


def test_names_that_mislead_are_told_all_at_once(clean):
    clean.rename("s7", "S6")
    clean.rename("s5", "ѕ4")  # a Cyrillic letter
    clean.rename("s2", "sа")  # beside a Latin one
    clean.change("emotion", of("hap0", "hap1"), "Hap")
    clean.others["spk2gender"] = "s0 f\ns0 m\ns1 f\n"
    found = clean.findings()
    assert found["speakers_alike"]["first"] == ["S6 s6", "s4 ѕ4"]
    assert found["classes_alike"]["first"] == ["Hap hap"]
    assert found["two_genders"]["first"] == ["s0 (f m)"]
    assert found["name_without_speaker"]["severity"] == "error" and found["name_without_speaker"]["count"] == 72
    assert found["name_of_two_alphabets"]["first"] == ["sа"]


@pytest.mark.parametrize(("one", "other"), [("spk1", "SPK1"), ("Anna", "Аnna"), ("José", "Jose"), ("a\u200bb", "ab")])
def test_names_look_alike(one, other):
    assert look(one) == look(other) and look(one) != look(f"{one}x")


def test_what_raters_heard_stands_beside_and_a_tie_counts_its_share(clean):
    heard = {name: clean.emotion[name] for name in clean.names}
    heard |= {name: "neu" for name in clean.names if of("ang0", "ang1", "ang2")(name)}
    heard |= {name: "hap:neu" for name in clean.names if of("hap")(name)}
    clean.others["utt2heard"] = "".join(f"{name} {value}\n" for name, value in sorted(heard.items()))
    found = clean.findings(whole=True)
    (row,) = found["findings"]
    assert row["what"] == "heard" and row["severity"] == "note" and row["value"] == pytest.approx(75)
    assert {one: own["heard"] for one, own in found["classes"].items()} == {
        "ang": 50, "hap": 50, "neu": 100, "sad": 100,
    }  # fmt: skip


def test_less_is_known_without_features(clean):
    clean.acoustics = {}
    clean.change("sentence", lambda name: True, lambda old, name: name[3:])
    assert clean.findings()["sentence"]["severity"] == "error"
    for name in ("utt2sound", "utt2hash", "utt2dur"):
        (clean.data / name).unlink()
    found = audit.audit(corpus.read(clean.data, {}))
    assert found["guesses"].keys() == {"speaker", "sentence"} and "utt2sound" in found["absent"]
    assert "features" in found["absent"] and found["counts"]["seconds"] is None


def test_what_is_no_corpus_is_refused_in_a_line(clean, tmp_path):
    with pytest.raises(UserError, match="utt2emo: no such file; an audit is of a data dir with emotions"):
        corpus.read(tmp_path, {})
    clean.findings()
    write_table(clean.data / "utt2emo", dict.fromkeys(clean.names[1:], "ang"))
    with pytest.raises(UserError, match="1 utterances missing, first 's0-ang0'"):
        corpus.read(clean.data, {})


def test_an_audit_that_was_changed_is_refused(clean):
    clean.findings()
    found = audit.audit(corpus.read(clean.data, {}))
    path = clean.data / "audit.json"
    audit.write(clean.data, found)
    assert audit.read(clean.data) == json.loads(path.read_text())
    whole = path.read_text()
    for was, now in (('"findings"', '"fnd"'), ('"absent"', '"abzent"'), ('"utterances"', '"n"'), ("false", "true")):
        path.write_text(whole.replace(was, now))
        with pytest.raises(UserError, match="audit.json: was changed after steps/audit.py wrote it"):
            audit.read(clean.data)
    for other, said in (("{}", "changed"), ("[]", "format 2"), ("{", "not JSON"), ('{"format": 1}', "format 2")):
        path.write_text(other)
        with pytest.raises(UserError, match=f"audit.json: .*{said}.*steps/audit.py makes it anew"):
            audit.read(clean.data)
    path.unlink()
    assert audit.read(clean.data) == {}
    path.mkdir()
    with pytest.raises(UserError, match="audit.json: is not a file"):
        audit.read(clean.data)
