"""Voices: how a speaker, an emotion and a room sound, spoken by espeak-ng and finished in NumPy.

Who speaks and how is known by construction, so what a system makes of it can be held against the truth.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from utils.cli import UserError, run

RATE = 16000  # Hz, of what is written

# A manner of speaking is a point in these dimensions. Each speaker has a home, uniform between `lowest` and `highest`;
# from there his or her utterances spread, normally; and `floor`, `ceiling` bound what is spoken.
MANNER = np.array(
    [  # lowest, highest, spread, floor, ceiling
        (-4.0, 3.0, 1.4, -8.0, 18.0),  # lowest pitch, semitones above 100 Hz (women: FEMALE more)
        (4.0, 8.0, 1.2, 1.0, 14.0),  # pitch range, semitones
        (160.0, 190.0, 13.0, 110.0, 280.0),  # rate, words a minute
        (-1.5, 1.5, 2.0, -12.0, 12.0),  # level, dB
        (-1.5, 1.5, 1.0, -6.0, 6.0),  # tilt of the spectrum, dB an octave
        (-0.1, 0.2, 0.15, -0.6, 1.0),  # emphasis: how much further apart loud and soft are, as a share in dB
        (2.0, 10.0, 2.0, 0.0, 30.0),  # flutter of the pitch (espeak's 0 to 100)
        (0.0, 3.0, 0.8, 0.0, 7.0),  # roughness (espeak's 0 to 7)
        (0.0, 15.0, 5.0, 0.0, 60.0),  # breath (espeak's 0 to 100)
    ]
)
FEMALE = 9.0  # semitones

# Where an emotion moves a voice at strength 1, on average over speakers: in spreads, so that emotions overlap.
EMOTIONS = {
    # pitch, range, rate, level, tilt, emphasis, flutter, roughness, breath
    "neu": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "ang": (0.7, 0.7, 0.4, 1.6, 1.6, 1.4, -0.4, 1.6, -0.6),
    "hap": (1.7, 1.7, 1.0, 0.6, 0.2, 0.4, 0.6, -0.7, 0.2),
    "sad": (-0.7, -1.2, -1.4, -1.2, -1.1, -1.2, 1.1, 0.4, 1.4),
    "exc": (2.2, 1.8, 1.3, 1.2, 0.5, 0.7, 0.6, -0.5, 0.1),
    "fru": (0.4, 0.4, -0.2, 0.7, 0.8, 0.7, 0.0, 1.1, 0.0),
    "sur": (2.2, 1.9, -0.1, 0.4, 0.1, 0.4, 0.4, -0.5, 0.5),
    "fea": (1.7, -0.4, 1.2, -0.4, -0.1, -0.5, 1.4, 0.1, 1.1),
    "dis": (-0.5, 0.1, -0.7, 0.1, 0.4, 0.4, -0.1, 1.6, 0.0),
    "oth": (0.1, 0.4, -0.4, -0.4, -0.1, 0.2, 0.4, 0.4, 0.1),
}
HABIT = 0.3  # how far, in spreads, a speaker's own anger lies from the average anger, in each dimension


@dataclass(frozen=True)
class Turn:
    """One utterance to be spoken: the WAV file to write (below the corpus's folder), its words, emotion and room."""

    path: str
    text: str
    emotion: str
    room: str


def stream(seed: int, *names: str) -> np.random.Generator:
    """The random numbers that belong to `names`: the same whatever else is drawn, in whatever order or process."""
    return np.random.default_rng([seed, zlib.crc32("/".join(names).encode())])


class Speaker:
    """A voice: its anatomy as espeak's formants, its home in MANNER, and its habits in each emotion."""

    def __init__(self, rng: np.random.Generator, gender: str) -> None:
        female = gender == "f"
        tract = rng.normal(1.15 if female else 1.0, 0.04)  # a shorter vocal tract raises all formants
        self.formants = [
            f"formant {n} {100 * tract * rng.normal(1, 0.03):.0f} {rng.uniform(80, 130):.0f} {rng.uniform(90, 150):.0f}"
            for n in range(9)
        ]
        self.home = rng.uniform(MANNER[:, 0], MANNER[:, 1])
        self.home[0] += FEMALE * female
        self.habits = {name: HABIT * rng.normal(size=len(MANNER)) for name in EMOTIONS}

    def manner(self, rng: np.random.Generator, emotion: str, strength: float) -> np.ndarray:
        """How one utterance is spoken: home, moved by the emotion with a random intensity, and spread; (9,)."""
        shift = strength * rng.uniform(0.5, 1.5) * (np.array(EMOTIONS[emotion]) + self.habits[emotion])
        _, _, spread, floor, ceiling = MANNER.T
        return np.clip(self.home + spread * (shift + rng.normal(size=len(MANNER))), floor, ceiling)


class Room:
    """What every recording made in one place shares: reverberation, the microphone's colour and gain, the noise."""

    def __init__(self, rng: np.random.Generator) -> None:
        time = np.arange(int(0.3 * RATE)) / RATE
        self.response = rng.normal(size=len(time)) * 10 ** (-3 * time / rng.uniform(0.1, 0.4))
        self.response *= rng.uniform(0.1, 0.4) / np.linalg.norm(self.response)
        self.response[0] = 1.0
        self.colour = rng.normal(0, 1)  # dB an octave
        self.gain = rng.normal(0, 2)  # dB
        self.noise = rng.uniform(-69, -54)  # dB re full scale, before the gain
        self.noise_colour = rng.uniform(-6, 0)  # dB an octave

    def record(self, rng: np.random.Generator, speech: np.ndarray, level: float) -> np.ndarray:
        """`speech` (n,) as the microphone hears it, at `level` dB re a usual voice, with a moment before and after."""
        speech = np.pad(speech, [int(moment * RATE) for moment in rng.uniform(0.05, 0.25, 2)])
        heard = at_level(filtered(speech, self.colour, self.response), level - 34)
        noise = at_level(filtered(rng.normal(size=len(speech)), self.noise_colour), self.noise)
        return np.clip((heard + noise) * 10 ** (self.gain / 20), -1, 1 - 2**-15)


def filtered(sound: np.ndarray, slope: float, response: Sequence[float] | np.ndarray = (1.0,)) -> np.ndarray:
    """`sound` (n,) with its spectrum tilted by `slope` dB an octave above 100 Hz, in a room with this response."""
    size = 1 << (len(sound) + len(response) - 1).bit_length()  # a power of two: a prime is slow
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE), 100) / 100)
    spectrum = np.fft.rfft(sound, size) * np.fft.rfft(response, size) * 10 ** (slope * octaves / 20)
    return np.fft.irfft(spectrum)[: len(sound)]


def emphasised(sound: np.ndarray, share: float) -> np.ndarray:
    """`sound` (n,) with the swings of its level (over 50 ms, in dB) grown by `share`; negative: shrunk."""
    window = np.hanning(RATE // 20)
    power = np.maximum(filtered(sound**2, 0, window / window.sum()), 0)
    power = np.roll(power, -len(window) // 2)  # the window's own delay
    return sound * (power / power.max() + 1e-4) ** (share / 2)


def at_level(sound: np.ndarray, level: float) -> np.ndarray:
    """`sound` scaled so that its root mean square is `level` dB re full scale."""
    return sound * 10 ** (level / 20) / max(np.sqrt(np.mean(sound**2)), 1e-9)


class Espeak:
    """espeak-ng by ctypes. It remembers (phases, its random numbers) from one utterance to the next, so equal sound
    comes only from equal histories: one `Espeak` a process, and a fresh process a speaker."""

    def __init__(self, data: Path, name: str) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate = self.library.espeak_Initialize(2, 0, str(data).encode(), 0x8000)  # synchronous; does not exit
        if self.rate <= 0:
            raise UserError(f"{data}: espeak-ng cannot read its data: is espeakng-loader whole?")
        self.voice = data / "voices" / name.lower()  # where espeak looks a voice up, by its name in lower case
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(zlib.crc32(name.encode()) & 0xFFFF))
        self.chunks: list[np.ndarray] = []
        hear = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self.hear = hear(self._hear)  # kept, or it would be collected while the library still calls it
        self.library.espeak_SetSynthCallback(self.hear)

    def _hear(self, samples: ctypes._Pointer, count: int, events: int | None) -> int:
        if samples and count:  # an empty call says that this is all
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float64))
        return 0

    def say(self, text: str, formants: Sequence[str], manner: np.ndarray) -> np.ndarray:
        """`text` in a voice, (n,) at RATE, from its first sound to its last; level, tilt and emphasis come later."""
        pitch, span, rate, _, _, _, flutter, roughness, breath = manner
        hertz = 100 * 2 ** (np.array([pitch, pitch + span]) / 12)  # floor: the library crashes below 50 Hz
        lines = ["language en-us", "phonemes en-us", "dictionary en", "dictrules 3 6", *formants]
        lines += [f"pitch {hertz[0]:.0f} {hertz[1]:.0f}", f"flutter {flutter:.0f}", f"roughness {roughness:.0f}"]
        lines += ["breath " + " ".join(f"{breath * share:.0f}" for share in (1, 1, 0.8, 0.6, 0.4))]
        self.voice.write_text("\n".join(lines) + "\n")
        self.chunks.clear()
        spoken = text.encode()
        if (
            self.library.espeak_ng_SetVoiceByName(self.voice.name.encode())
            or self.library.espeak_SetParameter(1, int(rate), 0)
            or self.library.espeak_Synth(spoken, ctypes.c_size_t(len(spoken) + 1), 0, 1, 0, 1, None, None)
            or not self.chunks
        ):
            raise RuntimeError(f"espeak-ng does not say '{text}'")
        sound = np.concatenate(self.chunks)
        audible = np.flatnonzero(np.abs(sound) > 100)
        return soxr.resample(sound[audible[0] : audible[-1] + 1], self.rate, RATE)


def private_data(folder: Path) -> Path:
    """Make a copy of espeak-ng's data of links, but with room for voices of our own: a voice file sets pitch, formants
    and the rest exactly, where SSML only hints."""
    try:
        import espeakng_loader
    except ImportError:
        raise UserError("the package espeakng-loader is missing: pip install -r requirements.txt") from None
    data = folder / "espeak-ng-data"
    (data / "voices").mkdir(parents=True)
    for path in Path(espeakng_loader.get_data_path()).resolve().iterdir():
        if path.name != "voices":
            (data / path.name).symlink_to(path)
    return data


def speak(root: Path, data: Path, name: str, gender: str, turns: Sequence[Turn], seed: int, strength: float) -> None:
    """Speak and record all `turns` of speaker `name`. `data` is a private_data() folder."""
    speaker = Speaker(stream(seed, name), gender)
    espeak = Espeak(data, name)
    for turn in turns:
        rng = stream(seed, turn.path)
        manner = speaker.manner(rng, turn.emotion, strength)
        _, _, _, level, tilt, emphasis, *_ = manner
        speech = emphasised(filtered(espeak.say(turn.text, speaker.formants, manner), tilt), emphasis)
        sound = Room(stream(seed, turn.room)).record(rng, speech, level)
        path = root / turn.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as out:  # not by name: of a full disk, libsndfile would only say "System error"
            soundfile.write(out, sound, RATE, "PCM_16", format="WAV")


def speak_all(
    root: Path, speakers: Mapping[str, tuple[str, Sequence[Turn]]], seed: int, strength: float, nj: int
) -> Iterator[int]:
    """Speak the turns of all `speakers` (name → gender, turns) below `root`, `nj` at a time; yields how many are done.
    The sound does not depend on `nj`. Raises UserError where espeakng-loader is missing or a process fails."""
    if len(tempfile.gettempdir()) > 70:  # sockets and espeak-ng have short paths
        raise UserError(f"{tempfile.gettempdir()}: too long a path for temporary files: set TMPDIR to a shorter one")
    context = multiprocessing.get_context("forkserver")  # each child begins from a server that never spoke
    context.set_forkserver_preload([__name__])
    waiting = dict(speakers)
    running: dict[Any, multiprocessing.context.ForkServerProcess] = {}  # by sentinel
    with tempfile.TemporaryDirectory() as folder:
        data = private_data(Path(folder))
        try:
            while waiting or running:
                while waiting and len(running) < nj:
                    name = next(iter(waiting))
                    job = (root, data, name, *waiting.pop(name), seed, strength)
                    child = context.Process(target=_child, args=job, name=name)
                    child.start()
                    running[child.sentinel] = child
                for sentinel in wait(list(running)):
                    child = running.pop(sentinel)
                    child.join()
                    if child.exitcode:
                        raise UserError(f"the process of speaker {child.name} failed (code {child.exitcode})")
                yield len(speakers) - len(waiting) - len(running)
        finally:
            for child in running.values():
                child.terminate()
                child.join()


def _child(*job: Any) -> None:
    def work() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # to end at once, even inside a library's callback
        speak(*job)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    run(work)
