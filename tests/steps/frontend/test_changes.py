"""Changed copies against independent implementations, and from a table to features."""

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve, welch

from steps.frontend.audio import read_audio
from steps.frontend.changes import apply, chords, decaying, mulaw, reverberated, tilted
from utils.archive import read_array
from utils.augment_data_dir import Copies, augment
from utils.copies import Change
from utils.data_dir import Utterance, write_data_dir
from utils.recordings import Source
from utils.table import read_table, write_table

RATE = 16000


def sine(hertz, seconds=2.0, rate=RATE):
    return (6000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def speech(seconds, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 110 + 10 * seed
    voice = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 15)) * (1 + np.sin(2 * np.pi * 3 * time))
    return (3000 * voice + 30 * rng.normal(size=len(time))).astype(np.float32)


def decibel(ratio):
    return 10 * np.log10(ratio)


def change(text, signal):
    return apply(Change.parse(text), signal, RATE).astype(np.float64)


@pytest.fixture
def files(tmp_path):
    """Noises of 5 s, and of 0.3 s at 8 kHz; three voices; two impulse responses, one of two channels."""
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "long noise.wav", 0.1 * rng.normal(size=5 * RATE), RATE)
    soundfile.write(tmp_path / "short.flac", 0.1 * rng.normal(size=2400), 8000)
    for k in range(3):
        soundfile.write(tmp_path / f"voice{k}.wav", speech(1 + k, seed=k) / 32768, RATE)
    response = rng.normal(size=4000) * np.exp(-np.arange(4000) / 800) * 0.05
    response[37] = -0.9
    soundfile.write(tmp_path / "room.wav", response, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "array.wav", np.stack([response, -response], axis=1), RATE, subtype="FLOAT")
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "noise sound={}/long%20noise.wav start=0.7 snr=7.3",
        "noise sound={}/short.flac start=0.7 snr=0",
        "noise colour=-4.5 seed=3 snr=12",
        "music seed=3 snr=5.5",
        "babble voices={0}/voice0.wav,{0}/voice1.wav:0.2:1.1,{0}/voice2.wav snr=13",
    ],
)
def test_what_is_added_has_the_snr_that_is_asked_for(files, line):
    clean = speech(2)
    added = change(line.format(files), clean) - clean
    assert len(added) == len(clean)
    assert decibel(np.mean(clean.astype(float) ** 2) / np.mean(added**2)) == pytest.approx(
        float(line.split("snr=")[1]), abs=0.01
    )


def test_a_noise_begins_where_it_is_told_to_and_goes_on_from_its_beginning(files):
    clean = speech(2)
    noise, _ = soundfile.read(files / "long noise.wav")
    added = change(f"noise sound={files}/long%20noise.wav start=0.5 snr=0", clean) - clean
    there = noise[int(1.5 * RATE) : int(3.5 * RATE)]  # half of the 3 s that are not needed
    assert np.corrcoef(added, there)[0, 1] > 0.9999
    added = change(f"noise sound={files}/short.flac start=0.25 snr=0", clean) - clean
    assert np.corrcoef(added[:4800], added[4800:9600])[0, 1] > 0.9999  # 0.3 s, again and again


def test_a_stretch_of_a_noise_begins_and_ends_where_it_is_told_to(files):
    clean = speech(2)
    noise, _ = soundfile.read(files / "long noise.wav")
    for line, begin in (("1.5:4.5 start=1.0", 2.5), ("1.5:4.5 start=0.0", 1.5)):
        added = change(f"noise sound={files}/long%20noise.wav:{line} snr=0", clean) - clean
        there = noise[int(begin * RATE) : int((begin + 2) * RATE)]
        assert np.corrcoef(added, there)[0, 1] > 0.9999


def test_an_impulse_response_may_be_a_stretch_of_a_file(files, tmp_path):
    response, _ = soundfile.read(files / "room.wav")
    soundfile.write(tmp_path / "two.wav", np.concatenate([np.zeros(RATE), response]), RATE, subtype="FLOAT")
    whole, clean = change(f"reverb response={files}/room.wav", speech(2)), speech(2)
    found = change(f"reverb response={tmp_path}/two.wav:1:{1 + len(response) / RATE}", clean)
    np.testing.assert_allclose(found, whole, atol=2)


def test_voices_in_babble_are_equally_loud(files):
    clean = speech(2)
    voices = [np.resize(soundfile.read(files / f"voice{k}.wav")[0], len(clean)) for k in range(3)]
    expected = sum(voice / np.sqrt(np.mean(voice**2)) for voice in voices)
    added = change("babble voices=" + ",".join(f"{files}/voice{k}.wav" for k in range(3)) + " snr=3", clean) - clean
    assert np.corrcoef(added, expected)[0, 1] > 0.9999


@pytest.mark.parametrize("name", ["room", "array"])
def test_reverberation_is_a_convolution_whose_direct_sound_stays_in_place(files, name):
    clean = speech(2)
    response = soundfile.read(files / "room.wav")[0]
    expected = fftconvolve(clean.astype(np.float64), response)[37 : 37 + len(clean)]
    expected *= np.sqrt(np.mean(clean.astype(float) ** 2) / np.mean(expected**2))
    np.testing.assert_allclose(change(f"reverb response={files}/{name}.wav", clean), expected, atol=0.5)


@pytest.mark.parametrize("t60, direct", [(0.2, 8.0), (0.8, 0.0)])
def test_a_room_by_formula_decays_as_long_as_it_says(t60, direct):
    response = decaying(RATE, t60, direct, seed=5).astype(np.float64)
    tail = response[1:] ** 2
    assert response[0] == 1 and decibel(1 / tail.sum()) == pytest.approx(direct, abs=0.01)
    curve = decibel(np.cumsum(tail[::-1])[::-1] / tail.sum())  # Schroeder's backward integration
    first, last = np.argmax(curve < -5), np.argmax(curve < -25)
    assert 3 * (last - first) / RATE == pytest.approx(t60, rel=0.1)
    clean = speech(1)
    assert np.mean(reverberated(clean, response) ** 2) == pytest.approx(np.mean(clean**2), rel=1e-4)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_moves_length_and_pitch(factor):
    quick = change(f"speed factor={factor}", sine(440))
    assert len(quick) == pytest.approx(2 * RATE / factor, abs=1)
    spectrum = np.abs(np.fft.rfft(quick * np.hanning(len(quick))))
    assert spectrum.argmax() * RATE / len(quick) == pytest.approx(440 * factor, abs=0.5)
    assert np.abs(quick[2000:-2000]).max() == pytest.approx(6000, rel=0.01)


def test_a_telephone_passes_its_band_alone():
    noise = 1000 * np.random.default_rng(0).normal(size=10 * RATE).astype(np.float32)
    frequency, before = welch(noise, RATE, nperseg=2048)
    _, after = welch(change("telephone low=300 high=3400", noise), RATE, nperseg=2048)
    gain = decibel(after / before)
    assert np.abs(gain[(frequency > 370) & (frequency < 3330)]).max() < 0.5
    assert gain[((frequency > 30) & (frequency < 200)) | (frequency > 3500)].max() < -40
    tone = sine(1000)  # not delayed
    np.testing.assert_allclose(change("telephone low=300 high=3400", tone)[1000:-1000], tone[1000:-1000], atol=60)
    assert len(change("telephone low=300 high=3400", tone[:100])) == 100


def g711(x):
    """µ-law as G.711 has it (sign, and 13 bits by segments), there and back; x: on the scale of 16 bits."""
    sign, magnitude = np.sign(x), np.minimum(np.abs(x) // 4, 8158) + 33
    segment = np.floor(np.log2(magnitude)).astype(int) - 5
    step = (magnitude >> (segment + 1)) & 15
    return sign * 4 * (((2 * step + 33) << segment) - 33)


def test_mulaw_is_g711():
    samples = np.arange(-32768, 32768).astype(np.float32)
    decoded = mulaw(samples, 8000, 8000)
    np.testing.assert_array_equal(decoded, g711(samples.astype(int)))
    assert len(np.unique(decoded)) == 255  # of 256 codes, as two mean 0
    coded = change("mulaw rate=8000", sine(1000))
    assert len(coded) == 2 * RATE
    assert 30 < decibel(np.mean(sine(1000) ** 2) / np.mean((coded - sine(1000))[500:-500] ** 2)) < 45  # G.711: 38 dB
    assert np.abs(change("mulaw rate=8000", sine(5000))[500:-500]).max() < 20


def test_gain_is_in_decibel():
    np.testing.assert_allclose(change("gain level=-6", sine(440)), sine(440) * 0.501187, rtol=1e-4, atol=0.01)


def test_what_is_made_by_formula():
    noise = tilted(20 * RATE, RATE, -6.0, seed=1)
    frequency, spectrum = welch(noise, RATE, nperseg=4096)
    octave = [decibel(spectrum[(frequency > f / 1.1) & (frequency < f * 1.1)].mean()) for f in (500, 1000, 2000, 4000)]
    np.testing.assert_allclose(np.diff(octave), -6, atol=0.5)
    music = chords(3 * RATE + 17, RATE, seed=1)
    assert len(music) == 3 * RATE + 17 and np.array_equal(music, chords(3 * RATE + 17, RATE, seed=1))
    assert not np.array_equal(music, chords(3 * RATE + 17, RATE, seed=2))


KINDS = "speed reverb noise music babble telephone mulaw gain"


@pytest.fixture
def copies(tmp_path):
    """A data dir of six recordings, and one of its copies."""
    utterances = []
    for s in range(3):
        for i in range(2):
            path = tmp_path / f"s{s}_{i}.wav"
            soundfile.write(path, speech(1 + 0.1 * i, seed=10 * s + i).astype(np.int16), RATE)
            utterances.append(Utterance(f"s{s}-{i}", path, f"s{s}", f"s{s}-d", "f"))
    write_data_dir(tmp_path / "train", utterances)
    augment(tmp_path / "train", tmp_path / "copies", Copies(kinds=KINDS, voices=[3, 4]))
    return tmp_path / "copies"


def features(data):
    tables = [read_table(data / name) for name in ("feats.scp", "vad.scp", "utt2hash", "utt2dur")]
    feats, vad, hashes, seconds = tables
    return {n: (read_array(feats[n]).tobytes(), bytes(read_array(vad[n])), hashes[n], seconds[n]) for n in feats}


def test_features_of_a_copy_are_those_of_a_file_of_it(copies, tmp_path, type_in):
    type_in("steps/make_fbank.py", "--nj", "2", copies)
    changes, paths = read_table(copies / "utt2augment"), read_table(copies / "wav.scp")
    written = {}
    for name, text in changes.items():
        signal = read_audio(Source(paths[name]), RATE, 640).signal.astype(np.float32)
        signal = np.rint(apply(Change.parse(text), signal, RATE)).clip(-32768, 32767).astype(np.int16)
        written[name] = str(tmp_path / f"{name}.wav")
        soundfile.write(written[name], signal, RATE)
    plain = tmp_path / "plain"
    plain.mkdir()
    write_table(plain / "wav.scp", written)
    for name in ("utt2spk", "spk2utt"):
        (plain / name).write_bytes((copies / name).read_bytes())
    type_in("steps/make_fbank.py", "--nj", "1", plain)
    found = features(copies)
    assert len(found) == 6 * 9 and found == features(plain)
    assert len({one[2] for one in found.values()}) == len(found)  # no two copies are the same sound


def test_what_cannot_be_added_is_named(copies, tmp_path, type_in):
    write_table(
        copies / "utt2augment",
        read_table(copies / "utt2augment")
        | {
            "s0-0-noise": f"noise sound={tmp_path}/none.wav start=0.1 snr=3",
            "s0-0-reverb": f"reverb response={tmp_path}/none.wav",
        },
    )
    done = type_in("steps/make_fbank.py", "--nj", "1", copies)
    assert "2 of 54 utterances left out" in done.stderr
    lost = read_table(copies / "lost")
    assert lost.keys() == {"s0-0-noise", "s0-0-reverb"}
    assert "what is to be added cannot be read" in lost["s0-0-noise"] and "none.wav" in lost["s0-0-noise"]
    assert "impulse response cannot be read" in lost["s0-0-reverb"]
    assert len(read_table(copies / "utt2augment")) == 52
    done = type_in("steps/make_fbank.py", copies)
    assert "up to date" in done.stdout
    write_table(copies / "utt2augment", read_table(copies / "utt2augment") | {"s0-1-gain": "gain level=-3"})
    assert "utt2augment changed" in type_in("steps/make_fbank.py", copies).stdout
    write_table(copies / "utt2augment", read_table(copies / "utt2augment") | {"s0-1-gain": "gain; rm level=-3"})
    assert "expected <kind> <key>=<value> …" in type_in("steps/make_fbank.py", copies, code=1).stderr
