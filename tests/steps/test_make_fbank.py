"""steps/make_fbank.py as users see it."""

import json
import os
import shutil
from pathlib import Path

import kaldi_native_io
import numpy as np
import pytest
import soundfile

from steps.frontend import features
from steps.frontend.features import Features
from utils.archive import read_array
from utils.cli import UserError
from utils.data_dir import Utterance, write_data_dir
from utils.recordings import read_sounds
from utils.table import read_table, write_table

RATE = 16000


def speech(seconds, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    voice = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 15)) * (1 + np.sin(2 * np.pi * 3 * time))
    return 0.1 * voice + 0.001 * rng.normal(size=len(time))


@pytest.fixture
def corpus(tmp_path):
    utterances = []
    for s in range(3):
        for i in range(4):
            path = tmp_path / f"wav/s{s}_{i}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, speech(1 + 0.1 * i, seed=10 * s + i), RATE)
            utterances.append(Utterance(f"s{s}-{i}", path, f"s{s}", f"s{s}-d", "f", "neu"))
    write_data_dir(tmp_path / "data", utterances)
    return tmp_path / "data"


def test_features_and_decisions_are_of_equal_length_and_another_reader_reads_them(corpus, type_in):
    type_in("steps/make_fbank.py", "--nj", "2", corpus)
    frames = {name: int(count) for name, count in read_table(corpus / "utt2num_frames").items()}
    assert frames["s0-0"] == 97 and len(frames) == 12
    assert (corpus / "frame_shift").read_text() == "0.01\n" and read_table(corpus / "utt2dur")["s0-3"] == "1.300"
    with kaldi_native_io.SequentialFloatMatrixReader(f"scp:{corpus}/feats.scp") as reader:
        matrices = {name: np.array(matrix) for name, matrix in reader}
    with kaldi_native_io.SequentialFloatVectorReader(f"scp:{corpus}/vad.scp") as reader:
        decisions = {name: np.array(vector) for name, vector in reader}
    assert {name: matrix.shape for name, matrix in matrices.items()} == {n: (t, 41) for n, t in frames.items()}
    assert {name: len(vector) for name, vector in decisions.items()} == frames
    assert {value for vector in decisions.values() for value in vector} <= {0.0, 1.0}
    entry = read_table(corpus / "feats.scp")["s1-2"]
    np.testing.assert_allclose(read_array(entry), matrices["s1-2"], atol=1e-3)


def test_the_number_of_jobs_changes_nothing(corpus, tmp_path, type_in):
    found = []
    for nj in ("1", "3"):
        type_in(
            "steps/make_fbank.py", "--redo", "true", "--nj", nj, corpus, tmp_path / f"log{nj}", tmp_path / f"fbank{nj}"
        )
        found.append({name: read_array(entry).tobytes() for name, entry in read_table(corpus / "feats.scp").items()})
        assert len(list((tmp_path / f"log{nj}").glob("*.log"))) == int(nj)
    assert found[0] == found[1]


def test_unusable_recordings_are_counted_named_and_left_out(corpus, tmp_path, type_in, jobs_here):
    (tmp_path / "wav/s0_0.wav").write_bytes(b"")
    soundfile.write(tmp_path / "wav/s1_1.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "wav/s2_2.wav", np.stack([speech(1)] * 2, axis=1), RATE)
    done = type_in("steps/make_fbank.py", "--nj", "2", "--max_lost", "0.2", corpus)
    assert (
        "2 of 12 utterances left out (" in done.stderr and "1 empty file" in done.stderr and "1 silent" in done.stderr
    )
    assert read_table(corpus / "utt2spk").keys() == read_table(corpus / "feats.scp").keys()
    assert read_table(corpus / "lost").keys() == {"s0-0", "s1-1"} and len(read_table(corpus / "utt2emo")) == 10
    type_in("utils/validate_data_dir.py", "--no-text", corpus)


def test_what_was_lost_is_not_forgotten_when_it_is_made_again_or_killed(corpus, tmp_path, type_in, jobs_here):
    (tmp_path / "wav/s0_0.wav").write_bytes(b"")
    shutil.copytree(corpus, tmp_path / "before")
    words = ["steps/make_fbank.py", "--max_lost", "0.2", corpus]
    type_in(*words)
    type_in(*words, "--redo", "true")
    assert read_table(corpus / "lost").keys() == {"s0-0"} and len(read_table(corpus / "utt2spk")) == 11
    for name in ("wav.scp", "utt2emo"):  # killed in the middle of taking it out, and before its record
        shutil.copy(tmp_path / "before" / name, corpus)
    Path(corpus / ".made_from.make_fbank").unlink()
    assert "1 of 12 utterances left out" in type_in(*words).stderr
    assert read_table(corpus / "lost").keys() == {"s0-0"} and len(read_table(corpus / "wav.scp")) == 11
    type_in("utils/validate_data_dir.py", "--no-text", corpus)


def test_too_many_of_them_stop_the_work(corpus, tmp_path, type_in, jobs_here):
    (tmp_path / "wav/s0_0.wav").write_bytes(b"")
    done = type_in("steps/make_fbank.py", corpus, code=1)
    assert "more than max_lost 0.05" in done.stderr and not (corpus / "feats.scp").exists()
    assert len(read_table(corpus / "utt2spk")) == 12


def test_a_corpus_that_vanishes_half_way_loses_no_recording(corpus, tmp_path, type_in, capfd):
    """Its disk goes while features are made, and is there again for the next call."""
    words = ["steps/make_fbank.py", "--max_lost", "0.9", "--nj", "2", corpus]
    wavs = read_table(corpus / "wav.scp")
    (tmp_path / "unmounted").mkdir()
    for name in sorted(wavs)[6:]:
        Path(wavs[name]).rename(tmp_path / "unmounted" / Path(wavs[name]).name)
        wavs[name] = str(tmp_path / "disk" / Path(wavs[name]).name)
    write_table(corpus / "wav.scp", wavs)
    type_in(*words, code=1)
    said = capfd.readouterr().err
    assert "/disk/s1_2.wav: no such file, and " in said and "is the corpus there, and whole?" in said
    assert len(read_table(corpus / "utt2spk")) == 12 and not (corpus / "feats.scp").exists()
    (tmp_path / "unmounted").rename(tmp_path / "disk")
    type_in(*words)
    assert len(read_table(corpus / "feats.scp")) == 12 and not (corpus / "lost").exists()
    assert "made before" in "".join(log.read_text() for log in corpus.glob("log/*.log"))


def test_folders_may_be_called_as_the_number_of_a_job_is(corpus, tmp_path, type_in, jobs_here):
    place = tmp_path / "JOB"
    corpus.rename(place)
    type_in("steps/make_fbank.py", "--nj", "2", place, tmp_path / "JOB-17", tmp_path / "x/JOB/fbank")
    assert (place / "feats.scp").is_file() and len(list((tmp_path / "JOB-17").glob("*.log"))) == 2
    assert not {"1", "2"} & {path.name for path in tmp_path.iterdir()}


def test_options_reach_the_jobs(corpus, type_in):
    type_in("steps/make_fbank.py", "--nj", "1", "--fbank.num_mel_bins", "23", corpus)
    assert read_array(read_table(corpus / "feats.scp")["s0-0"]).shape == (97, 23)


@pytest.mark.parametrize("entry", ["cat x |", "|cat x:3", "nowhere.ark:5", "x"])
def test_an_entry_is_a_place_in_a_file_and_never_a_command(entry):
    with pytest.raises(UserError):
        read_array(entry)


def test_a_pickle_in_an_archive_is_not_read(tmp_path):
    (tmp_path / "a.ark").write_bytes(b"x PKLcos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(UserError, match="no binary Kaldi matrix"):
        read_array(f"{tmp_path}/a.ark:2")


def test_a_call_that_is_refused_loses_no_features(corpus, type_in, jobs_here):
    type_in("steps/make_fbank.py", corpus)
    type_in("steps/make_fbank.py", "--nj", "0", corpus, code=1)
    type_in("steps/make_fbank.py", "--vad_mode", "9", corpus, code=1)
    for runner in ("nosuch", '"', ""):
        type_in("steps/make_fbank.py", "--redo", "true", "--cmd", runner, corpus, code=1)
    assert len(read_table(corpus / "feats.scp")) == 12 and (corpus / "frame_shift").exists()


def test_features_are_kept_while_they_are_true_and_made_again_when_not(corpus, tmp_path, type_in, jobs_here):
    words = ["steps/make_fbank.py", "--nj", "2", corpus, tmp_path / "log", tmp_path / "fbank"]
    type_in(*words)
    made = (corpus / "utt2num_frames").stat().st_mtime_ns
    assert "features are there and up to date" in type_in(*words).stdout
    assert (corpus / "utt2num_frames").stat().st_mtime_ns == made
    assert "(vad_mode was 2, is 3)" in type_in(*words[:1], "--vad_mode", "3", *words[1:]).stdout
    assert "(vad_mode was 3, is 2)" in type_in(*words).stdout
    wav = next(iter(read_table(corpus / "wav.scp").values()))
    os.utime(wav, ns=(1, 1))  # another recording, for all that is known
    assert "(recordings changed)" in type_in(*words).stdout
    ark = sorted((tmp_path / "fbank").glob("raw_fbank*.ark"))[0]
    content = bytearray(ark.read_bytes())
    content[-3] ^= 1
    ark.write_bytes(content)
    assert "(feats.scp changed)" in type_in(*words).stdout
    ark.unlink()
    assert f"({ark.resolve()} is not there)" in type_in(*words).stdout
    (corpus / ".made_from.make_fbank").write_text("{")
    assert "cannot be read as a record" in type_in(*words, code=1).stderr


def test_features_that_were_moved_are_found(corpus, tmp_path, type_in, jobs_here):
    type_in("steps/make_fbank.py", "--nj", "2", corpus)
    first = {name: read_array(entry).tobytes() for name, entry in read_table(corpus / "feats.scp").items()}
    moved = tmp_path / "elsewhere/data"
    moved.parent.mkdir()
    corpus.rename(moved)
    done = type_in("steps/make_fbank.py", "--nj", "2", moved)
    assert "feats.scp: its archives were moved, and it now says where to" in done.stderr
    assert "features are there and up to date" in done.stdout
    assert {name: read_array(entry).tobytes() for name, entry in read_table(moved / "feats.scp").items()} == first


def test_hash_and_sound_of_each_recording_stand_beside_its_features(corpus, tmp_path, type_in, jobs_here):
    samples, rate = soundfile.read(tmp_path / "wav/s0_0.wav", dtype="int16")
    soundfile.write(tmp_path / "wav/s2_1.wav", samples, rate, format="FLAC")  # a copy, under another speaker
    type_in("steps/make_fbank.py", "--nj", "2", corpus)
    hashes, sounds = read_table(corpus / "utt2hash"), read_sounds(corpus / "utt2sound")
    assert hashes.keys() == sounds.keys() == read_table(corpus / "feats.scp").keys()
    assert hashes["s0-0"] == hashes["s2-1"] and len(set(hashes.values())) == 11
    assert sounds["s0-0"][:3] == (RATE, 1, "WAV/PCM_16") and sounds["s2-1"].format == "FLAC/PCM_16"
    (corpus / "folds").write_text("r1 train s0\nr1 valid s1\nr1 test s2\n")
    done = type_in("utils/validate_data_dir.py", corpus, code=1)
    assert "'s0-0' (train) and 's2-1' (test) are the same recording" in done.stderr
    (corpus / "utt2sound").write_text("s0-0 16000 mono\n")
    with pytest.raises(UserError, match="utt2sound: 's0-0': expected 'rate channels"):
        read_sounds(corpus / "utt2sound")


def test_features_made_before_there_were_hashes_stay_true(corpus, type_in, jobs_here):
    type_in("steps/make_fbank.py", corpus)
    record = corpus / ".made_from.make_fbank"
    kept = json.loads(record.read_text())
    for name in ("utt2hash", "utt2sound"):
        (corpus / name).unlink()
        assert "changed" in type_in("steps/make_fbank.py", corpus).stdout  # what was made is not lost unseen
        (corpus / name).unlink()
        del kept["content"][name]
        record.write_text(json.dumps(kept))
    (corpus / "utt2hash").unlink()
    assert "features are there and up to date" in type_in("steps/make_fbank.py", corpus).stdout


@pytest.fixture
def segmented(corpus, tmp_path):
    """The corpus as stretches of one long recording a speaker, and the same cut into files."""
    parts = {
        f"s{s}": [soundfile.read(tmp_path / f"wav/s{s}_{i}.wav", dtype="int16")[0] for i in range(4)] for s in range(3)
    }
    segments, cuts = {}, []
    for speaker, signals in parts.items():
        begin = 0
        soundfile.write(tmp_path / f"wav/{speaker}.flac", np.concatenate(signals), RATE)
        for i, signal in enumerate(signals):
            end = begin + len(signal)
            segments[f"{speaker}-{i}"] = f"{speaker}rec {begin / RATE} {end / RATE}"
            cuts.append(Utterance(f"{speaker}-{i}", tmp_path / f"wav/{speaker}_{i}.wav", speaker, speaker))
            begin = end
    write_data_dir(tmp_path / "cut", cuts)
    write_table(corpus / "wav.scp", {f"{speaker}rec": str(tmp_path / f"wav/{speaker}.flac") for speaker in parts})
    write_table(corpus / "segments", segments)
    return corpus


def test_stretches_of_long_recordings_give_the_features_of_the_cut_files(segmented, tmp_path, type_in, jobs_here):
    cut = tmp_path / "cut"
    for data in (segmented, cut):
        type_in("steps/make_fbank.py", "--nj", "2", data)
    features = [{k: read_array(v).tobytes() for k, v in read_table(d / "feats.scp").items()} for d in (segmented, cut)]
    assert features[0] == features[1] and len(features[0]) == 12
    for name in ("utt2hash", "utt2dur", "utt2num_frames"):
        assert read_table(segmented / name) == read_table(cut / name)
    type_in("utils/validate_data_dir.py", "--no-text", segmented)
    assert "up to date" in type_in("steps/make_fbank.py", "--nj", "2", segmented).stdout


def test_other_segments_make_features_anew_and_one_beyond_its_file_is_named(segmented, type_in, jobs_here):
    type_in("steps/make_fbank.py", segmented)
    segments = read_table(segmented / "segments")
    recording, begin, end = segments["s1-3"].split()
    write_table(segmented / "segments", segments | {"s1-3": f"{recording} {begin} {float(end) + 1}"})
    done = type_in("steps/make_fbank.py", "--max_lost", "0.1", segmented)
    assert "(segments changed)" in done.stdout and "s1-3" in read_table(segmented / "lost")
    assert "1 of 12 utterances left out (1 segment beyond the end of the file)" in done.stderr
    assert "s1-3" not in read_table(segmented / "segments") and len(read_table(segmented / "utt2hash")) == 11
    assert "up to date" in type_in("steps/make_fbank.py", segmented).stdout
    write_table(segmented / "segments", dict.fromkeys(segments, "none 0 1"))
    assert "which wav.scp does not have" in type_in("steps/make_fbank.py", segmented, code=1).stderr


def test_what_was_whole_when_it_was_killed_is_kept_and_no_more(corpus, tmp_path, type_in, jobs_here):
    """Portions of 2 utterances, in a job each; the work on some of them is undone, as a kill leaves it."""
    words = ["--nj", "6", corpus, tmp_path / "log", tmp_path / "fbank"]
    type_in("steps/make_fbank.py", *words)
    whole = {name: (corpus / name).read_bytes() for name in ("feats.scp", "vad.scp", "utt2hash", "utt2dur")}
    arks = {path.name: path.read_bytes() for path in (tmp_path / "fbank").glob("*.ark")}
    logs = [tmp_path / f"log/make_fbank_data.{job}.log" for job in range(1, 7)]

    def killed(*undone):
        (corpus / "feats.scp").unlink(missing_ok=True)
        (corpus / ".made_from.make_fbank").unlink(missing_ok=True)
        for path in undone:
            path.unlink()

    portions = corpus / "split6utt"
    half = (tmp_path / "fbank/raw_fbank_data.4.ark").read_bytes()
    killed(portions / "2/.made_from.make_fbank", portions / "3/utt2dur", tmp_path / "fbank/vad_data.5.ark")
    (tmp_path / "fbank/raw_fbank_data.4.ark").write_bytes(half[: len(half) // 2])
    type_in("steps/make_fbank.py", *words)
    assert ["made before" in log.read_text() for log in logs] == [True, False, False, False, False, True]
    assert {name: (corpus / name).read_bytes() for name in whole} == whole
    assert {path.name: path.read_bytes() for path in (tmp_path / "fbank").glob("*.ark")} == arks
    # Other recordings, other options, another place, and --redo: nothing is taken over that is not the same.
    killed()
    os.utime(tmp_path / "wav/s0_1.wav", ns=(1, 1))
    type_in("steps/make_fbank.py", *words)
    assert ["made before" in log.read_text() for log in logs] == [False] + [True] * 5
    for more in (["--vad_mode", "3"], ["--redo", "true"]):
        killed()
        type_in("steps/make_fbank.py", *more, *words)
        assert not any("made before" in log.read_text() for log in logs)
    killed()
    type_in("steps/make_fbank.py", *words[:-1], tmp_path / "elsewhere")
    assert not any("made before" in log.read_text() for log in logs)
    assert all(str(tmp_path / "elsewhere") in entry for entry in read_table(corpus / "feats.scp").values())


def test_descriptors_are_a_vector_an_utterance_whatever_its_level(corpus, tmp_path, type_in, jobs_here):
    type_in("steps/make_fbank.py", corpus)
    assert not (corpus / "descriptors.scp").exists()
    done = type_in("steps/make_fbank.py", "--descriptors", "true", "--nj", "2", corpus)
    assert "there is no descriptors.scp" in done.stdout
    table = read_table(corpus / "descriptors.scp")
    vectors = {name: read_array(entry) for name, entry in table.items()}
    assert vectors.keys() == read_table(corpus / "utt2spk").keys() and {v.shape for v in vectors.values()} == {(1851,)}
    samples, _ = soundfile.read(tmp_path / "wav/s0_0.wav")
    soundfile.write(tmp_path / "wav/s0_0.wav", 0.5 * samples, RATE)
    type_in("steps/make_fbank.py", "--descriptors", "true", "--nj", "2", corpus)
    softer = read_array(read_table(corpus / "descriptors.scp")["s0-0"])
    # Of two frames that are nearly the highest, either may be the place of the maximum.
    assert np.isclose(softer, vectors["s0-0"], rtol=0.02, atol=0.02).mean() > 0.95
    type_in("steps/make_fbank.py", corpus)  # without again: none of before stay behind
    assert not (corpus / "descriptors.scp").exists()


def test_one_sample_far_beyond_full_scale_loses_its_recording_alone(corpus, tmp_path, type_in, jobs_here):
    samples, _ = soundfile.read(tmp_path / "wav/s1_1.wav", dtype="float32")
    samples[5000] = 1e30
    soundfile.write(tmp_path / "wav/s1_1.wav", samples, RATE, subtype="FLOAT")
    done = type_in("steps/make_fbank.py", "--max_lost", "0.2", "--descriptors", "true", corpus)
    assert "1 of 12 utterances left out" in done.stderr
    lost = (corpus / "lost").read_text()
    assert "1e+30 times as large as full scale" in lost and "s1_1.wav" in lost
    assert all(np.isfinite(read_array(entry)).all() for entry in read_table(corpus / "feats.scp").values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--fbank.low_freq 9000", "filters from 9000 to 8000 Hz"),
        ("--fbank.high_freq 9000", "filters from 20 to 9000 Hz"),
        ("--fbank.low_freq -5", "filters from -5 to 8000 Hz"),
        ("--fbank.frame_shift 2000", "fbank.frame_shift is 2000, and must be from 1 to 1000 ms"),
        ("--fbank.frame_shift 0.01", "fbank.frame_shift is 0.01"),
        ("--fbank.frame_length 0.01", "the lowest filter is"),
        ("--fbank.num_mel_bins 4000", "with num_mel_bins 4000 the lowest filter is"),
        ("--fbank.sample_frequency 44100", "the speech detector takes (8000, 16000, 32000, 48000)"),
        ("--max_lost 3", "max_lost is 3"),
        ("--descriptors true --fbank.high_freq 700 --fbank.num_mel_bins 20", "descriptors need 1000 Hz"),
    ],
)
def test_values_that_cannot_work_are_refused_before_anything_is_made(corpus, type_in, words, said):
    done = type_in("steps/make_fbank.py", *words.split(), corpus, code=1)
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert not (corpus / "feats.scp").exists()


def test_a_recording_that_is_replaced_while_others_are_read_is_read_again(tmp_path, monkeypatch):
    """Its features are of the old sound, and no record says that they are of the new one."""
    (path := tmp_path / "a.wav").write_bytes(b"old")
    write_table(tmp_path / "wav.scp", {"a": str(path)})
    before, seen = features.origin(tmp_path, Features()), features.states(tmp_path)
    path.write_bytes(b"the new one")
    assert features.origin(tmp_path, Features(), seen=seen).content == before.content
    assert features.origin(tmp_path, Features()).content != before.content


def test_archives_that_another_data_dir_reads_are_not_overwritten(corpus, tmp_path, type_in, jobs_here):
    """Two data dirs of one name: what one reads would be the features of the other."""
    other, archives = tmp_path / "other" / corpus.name, tmp_path / "archives"
    type_in("utils/copy_data_dir.py", corpus, other)
    words = ["steps/make_fbank.py", "--nj", "1"]
    type_in(*words, corpus, tmp_path / "log", archives)
    said = type_in(*words, other, tmp_path / "log2", archives, code=1).stderr
    assert f"archives called '{corpus.name}' are there, and {corpus} reads them" in said and said.count("\n") == 1
    type_in(*words, "--name", "another", other, tmp_path / "log2", archives)
    type_in(*words, "--redo", "true", corpus, tmp_path / "log", archives)
