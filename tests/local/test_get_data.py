"""local/get_data.py, against a server on this machine that does all that servers do to people."""

import hashlib
import http.server
import io
import os
import shutil
import sys
import tarfile
import threading
import time
import zipfile
from collections import namedtuple
from functools import partial

import pytest
import yaml

from local import corpora

SOUND = os.urandom(40_000)  # what no compression makes shorter
LINES = {"title": "Gosling", "licence": "CC0", "size": "a little", "address": "https://goslings", "cite": "Goose, 1910"}


def zipped(members):
    with zipfile.ZipFile(made := io.BytesIO(), "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(members, link=None):
    with tarfile.open(fileobj=(made := io.BytesIO()), mode="w:gz") as archive:
        for name, content in members.items():
            (member := tarfile.TarInfo(name)).size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo("honest.wav")
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
    return made.getvalue()


GOOD = zipped({"Actor_01/a.wav": SOUND, "Actor_01/b.FLAC": b"fLaC", "Actor_01/._a.wav": b"Mac", "README": b"hello"})


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `content`, as `mood` has it, and notes in `asked` which range was asked for."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, whole = self.server, self.server.content
        server.asked.append(self.headers["Range"])
        mood = server.moods.pop(0) if server.moods else ""
        if mood.startswith("to "):
            self.send_response(302)
            self.send_header("Location", mood[3:])
            return self.end_headers()
        if mood.isdecimal():
            return self.send_error(int(mood))
        first = int(self.headers["Range"][6:-1]) if self.headers["Range"] and "ignore range" not in mood else 0
        if first >= len(whole):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(whole)}")
            return self.end_headers()
        body = whole[first:]
        self.send_response(206 if first else 200)
        if first:
            shown = first + 7 if mood == "another part" else first
            self.send_header("Content-Range", f"bytes {shown}-{len(whole) - 1}/{len(whole)}")
        if "no length" not in mood:
            self.send_header(
                "Content-Length", str(len(body) + 100 * ("too long" in mood) - 100 * ("too short" in mood))
            )
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if "break" in mood else body)
        return None


@pytest.fixture(scope="module")
def running():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


@pytest.fixture
def server(running, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(time, "sleep", lambda _: None)  # before it tries again
    running.content, running.moods, running.asked = GOOD, [], []
    running.url = f"http://127.0.0.1:{running.server_port}/files/gosling.zip?download=1"
    return running


@pytest.fixture
def offer(server, monkeypatch, tmp_path):
    """Have a corpus named gosling, whose one file the server has; what is said of it may be false."""
    monkeypatch.setattr(corpora, "FOLDER", tmp_path / "open")

    def write(url=server.url, **said):
        said = {"size": len(server.content), "md5": hashlib.md5(server.content).hexdigest()} | said
        (tmp_path / "open").mkdir(exist_ok=True)
        download = [{"url": url} | {key: value for key, value in said.items() if value}]
        (tmp_path / "open" / "gosling.yaml").write_text(yaml.safe_dump(LINES | {"download": download}))

    write()
    return write


@pytest.fixture
def get(type_in, offer, tmp_path):
    """Call the program: what it printed, what it complained of."""

    def call(code=0, agree="true"):
        done = type_in("local/get_data.py", "--agree", agree, "gosling", tmp_path / "data", code=code)
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    return call


def there(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_fetched_unpacked_and_counted(server, get, tmp_path):
    out, _ = get()
    assert there(tmp_path / "data" / "gosling") == {f"Actor_01/{name}" for name in ("a.wav", "b.FLAC", "._a.wav")} | {
        "README"
    }
    assert there(tmp_path / "data") == {f"gosling/{name}" for name in there(tmp_path / "data" / "gosling")}
    assert (tmp_path / "data" / "gosling" / "Actor_01" / "a.wav").read_bytes() == SOUND
    assert all(value in out for value in LINES.values()) and "data: 2 recordings; fetched" in out

    out, _ = get(agree="false")
    assert server.asked == [None] and out.endswith("data: 2 recordings; all was there already, nothing was fetched\n")


@pytest.mark.parametrize("agree", ["", "no\n", "yes\n"])
def test_agreement_is_asked_for_on_a_terminal(server, get, monkeypatch, tmp_path, agree):
    monkeypatch.setattr(sys, "stdin", io.StringIO(agree))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: bool(agree), raising=False)
    out, err = get(agree="false", code=agree != "yes\n")
    assert "licence: CC0" in out and ("type yes" in out) == bool(agree)
    assert len(server.asked) == (agree == "yes\n") == (tmp_path / "data").exists()
    assert agree == "yes\n" or err.count("\n") == 1 and "--agree true" in err


@pytest.mark.parametrize("said", [{}, {"size": 0, "md5": ""}])
def test_what_breaks_off_is_resumed(server, get, offer, tmp_path, said):
    offer(**said)
    half = len(GOOD) // 2
    server.moods = ["break"] * 4
    _, err = get(code=1)
    assert err.count("trying again") == 3 and "broke off after" in err and "the next call goes on" in err
    assert [path.name for path in (tmp_path / "data").iterdir() if path.name != ".lock"] == ["gosling.zip.part"]
    had = (tmp_path / "data" / "gosling.zip.part").read_bytes()
    assert half < len(had) < len(GOOD) and GOOD.startswith(had)

    get()
    assert server.asked[:2] == [None, f"bytes={half}-"] and server.asked[4:] == [f"bytes={len(had)}-"]
    assert (tmp_path / "data" / "gosling" / "Actor_01" / "a.wav").read_bytes() == SOUND


@pytest.mark.parametrize("moods", [["break", "ignore range"], ["break", "another part"], ["503", "429"]])
def test_servers_that_do_not_help_are_put_up_with(server, get, tmp_path, moods):
    server.moods = moods
    _, err = get()
    assert "trying again" in err and (tmp_path / "data" / "gosling" / "Actor_01" / "a.wav").read_bytes() == SOUND


@pytest.mark.parametrize("said", [{}, {"size": 0}])
def test_all_came_but_the_program_was_killed(server, get, offer, tmp_path, said):
    offer(**said)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gosling.zip.part").write_bytes(GOOD)
    get()
    assert server.asked == ([] if not said else [f"bytes={len(GOOD)}-"])
    assert (tmp_path / "data" / "gosling" / "Actor_01" / "a.wav").read_bytes() == SOUND


@pytest.mark.parametrize(
    ("mood", "said", "message"),
    [
        ("too long", {}, f"offers {len(GOOD) + 100} bytes, and its makers say {len(GOOD)}"),
        ("too short", {}, f"offers {len(GOOD) - 100} bytes, and its makers say {len(GOOD)}"),
        ("too long, ignore range", {"size": 0}, f"broke off after {len(GOOD)} of {len(GOOD) + 100} bytes"),
        ("too short", {"size": 0}, "not the file; removed"),
        ("too short", {"size": 0, "md5": ""}, "cannot be unpacked"),
        ("no length", {"size": len(GOOD) - 100}, f"goes on behind the {len(GOOD) - 100} bytes"),
        ("no length", {"size": len(GOOD) + 100}, f"its makers say {len(GOOD) + 100}"),
        ("no length, ignore range", {"size": len(GOOD) + 100}, f"broke off after {len(GOOD)} of"),
        ("", {"md5": "0" * 32}, "its makers say 0000"),
        ("", {"sha256": "0" * 64}, "its sha256 is"),
        ("404", {}, "HTTP Error 404"),
        ("to file:///etc/passwd", {}, "'file:///etc/passwd' is not allowed"),
        ("to ftp://127.0.0.1/gosling.zip", {}, "unknown url type: ftp"),
    ],
)
def test_what_is_not_the_file_is_refused(server, get, offer, tmp_path, mood, said, message):
    offer(**said)
    server.moods = [mood] * 4
    _, err = get(code=1)
    assert message in err.splitlines()[-1]
    assert there(tmp_path / "data") <= {"gosling.zip.part", "gosling.zip"} and not (tmp_path / "data/gosling").exists()
    assert "removed" not in message or not there(tmp_path / "data")


def test_nobody_says_how_long_it_is(server, get, offer):
    offer(size=0)
    server.moods = ["no length"]
    _, err = get()
    assert "neither its makers nor the server say how long it is" in err


def test_redirections_are_followed(server, get):
    server.moods = ["break", f"to {server.url}"]
    get()
    assert server.asked == [None, *[f"bytes={len(GOOD) // 2}-"] * 2]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (zipped({"good.wav": b"", "../escaped.wav": b""}), "gosling.zip"),
        (zipped({"/tmp/escaped.wav": b""}), "gosling.zip"),
        (zipped({"..\\escaped.wav": b""}), "gosling.zip"),
        (tarred({"good.wav": b"", "../escaped.wav": b""}), "gosling.tar.gz"),
        (tarred({"good.wav": b""}, link="/etc/passwd"), "gosling.tar.gz"),
        (tarred({"good.wav": b""}, link="../../escaped.wav"), "gosling.tar.gz"),
        (GOOD[:-1000], "gosling.zip"),
        (GOOD.replace(SOUND[:20], SOUND[1:21]), "gosling.zip"),
        (tarred({"good.wav": SOUND})[:-1000], "gosling.tar.gz"),
    ],
)
def test_archives_that_escape_or_are_broken(server, get, offer, tmp_path, content, name):
    server.content = content
    offer(file=name)
    _, err = get(code=1)
    assert err.count("\n") == 1 and ("nothing was unpacked" in err or "cannot be unpacked" in err)
    assert there(tmp_path / "data") == {name} and not list(tmp_path.rglob("*escaped*"))


def test_an_archive_of_one_folder_that_has_its_name(server, get, offer, tmp_path):
    server.content = tarred({"musan/musan/a.wav": SOUND, "musan/b.wav": SOUND})
    offer(file="musan.tar.gz")
    assert "2 recordings" in get()[0]
    assert there(tmp_path / "data") == {"musan/musan/a.wav", "musan/b.wav"}


def test_a_file_that_is_no_archive(server, get, offer, tmp_path):
    server.content = b"speaker\tsex\n"
    offer(file="speakers.tsv")
    get()
    assert (tmp_path / "data" / "speakers.tsv").read_bytes() == server.content


def test_a_file_brought_by_hand(server, get, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gosling.zip").write_bytes(GOOD[:-1])
    assert "its makers say" in get(code=1)[1] and there(tmp_path / "data") == {"gosling.zip"}
    (tmp_path / "data" / "gosling.zip").write_bytes(GOOD)
    get()
    assert server.asked == [] and (tmp_path / "data" / "gosling" / "README").is_file()


def test_a_full_disk_is_noticed_beforehand(server, get, offer, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")(0, 0, len(GOOD) + 10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "make room" in get(code=1)[1] and server.asked == []
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gosling.zip.part").write_bytes(GOOD[:-5])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=len(GOOD)))
    assert "make room" in get(code=1)[1] and server.asked == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    get()
    shutil.rmtree(tmp_path / "data")
    offer(size=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    assert "make room" in get(code=1)[1] and not there(tmp_path / "data")


def test_no_server(server, get, offer):
    offer(url="http://127.0.0.1:9/gosling.zip")
    _, err = get(code=1)
    assert err.count("\n") == 4 and "the next call goes on from there" in err


@pytest.mark.parametrize(
    ("download", "message"),
    [
        ({"url": "file:///etc/passwd"}, "is no address of http or https"),
        ({"url": "https://goslings/"}, "ends in no name for a file"),
        ({"url": "https://goslings/..%2Fpasswd"}, "ends in no name for a file"),
        ({"url": "https://goslings/a.zip", "file": "../a.zip"}, "ends in no name for a file"),
    ],
)
def test_an_address_that_is_none(get, tmp_path, download, message):
    (tmp_path / "open" / "gosling.yaml").write_text(yaml.safe_dump(LINES | {"download": [download]}))
    assert message in get(code=1)[1]


def test_what_is_not_offered_freely(type_in, tmp_path):
    err = type_in("local/get_data.py", "crema-d", tmp_path / "data", code=1).stderr
    assert err.count("\n") == 1 and all(word in err for word in ("ODbL", "Git LFS", "https://github.com/"))
    assert "did you mean 'musan'?" in type_in("local/get_data.py", "musann", tmp_path / "data", code=1).stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["musan", "rirs_noises", "ravdess"])
def test_what_local_open_offers(name):
    assert all(item.size and item.md5 and item.unpacked != item.name for item in corpora.read(name).download)
    assert (name in corpora.names()) == (name == "ravdess")
