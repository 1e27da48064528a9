"""How a copy is written down, and read again."""

import pytest

from utils.cli import UserError
from utils.copies import Change, is_change, read_changes
from utils.recordings import Source
from utils.table import write_table

GOOD = [
    "speed factor=0.9",
    "reverb response=/r/room%201.wav",
    "reverb t60=0.41 direct=2.5 seed=7",
    "noise sound=/m/a.wav start=0.25 snr=7.3",
    "noise colour=-3.1 seed=4294967295 snr=7.3",
    "music seed=7 snr=-7.3",
    "babble voices=/c/a.wav,/c/b%2Cc.wav:0.5:2.25,/c/d%3A.wav snr=15.2",
    "telephone low=300 high=3400",
    "mulaw rate=8000",
    "gain level=-4.2",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_is_written_is_read(text):
    assert str(Change.parse(text)) == text


@pytest.mark.parametrize("path", ["/c/with space/a b.wav", "/c/100%/ü,:=\udcff\t.wav", "/c/plain.wav"])
def test_paths_of_every_kind(path):
    change = Change("babble", {"voices": (Source(path), Source(path, 1.5, 2)), "snr": 3.0})
    assert len(str(change).split()) == 3 and str(change).isascii()
    assert Change.parse(str(change)) == change and list(change.sounds()) == [Source(path), Source(path, 1.5, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "louder level=3",
        "gain",
        "gain level",
        "gain level=",
        "gain level=loud",
        "gain level=nan",
        "gain level=inf",
        "gain level=3 level=3",
        "gain level=3 snr=3",
        "gain level=3 | rm -r /",
        "gain LEVEL=3",
        "speed factor=0",
        "noise snr=3 sound=/a.wav start=0",
        "noise sound=/a.wav start=1.5 snr=3",
        "noise sound= start=0.5 snr=3",
        "music seed=-1 snr=3",
        "music seed=1.5 snr=3",
        "babble voices= snr=3",
        "babble voices=/a.wav,,/b.wav snr=3",
        "babble voices=/a.wav:2 snr=3",
        "babble voices=/a.wav:2:1 snr=3",
        "telephone low=3400 high=300",
        "mulaw rate=8000.5",
    ],
)
def test_all_else_is_refused(text):
    assert not is_change(text)


def test_a_copy_without_a_line_is_refused(tmp_path):
    assert read_changes(tmp_path) == {}
    write_table(tmp_path / "utt2uniq", {"a-1": "a-1", "a-1-gain": "a-1", "a-2-gain": "a-2"})
    assert read_changes(tmp_path) == {}  # copies in Kaldi's way, whose files hold the changed sound
    write_table(tmp_path / "utt2augment", {"a-1-gain": "gain level=3"})
    with pytest.raises(UserError, match="1 utterances missing, first 'a-2-gain', which utt2uniq calls a copy of 'a-2'"):
        read_changes(tmp_path)
    write_table(tmp_path / "utt2augment", {"a-1-gain": "gain level=3", "a-2-gain": "gain by=3"})
    with pytest.raises(UserError, match="'a-2-gain': expected <kind> <key>=<value> … .* found 'gain by=3'"):
        read_changes(tmp_path)
