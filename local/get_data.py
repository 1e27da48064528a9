#!/usr/bin/env python3
"""Fetch what its makers offer to everybody: a corpus of local/open, or noises and rooms.

    local/get_data.py [--agree true] NAME DIR

shows the terms of NAME (ravdess, musan, …), asks whether you agree to them, and fetches its files into DIR. An archive
is unpacked to a folder of its name and then removed. What breaks off goes on at the next call, and what is there is
not fetched again. No recipe calls this program."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import shutil
import ssl
import sys
import tarfile
import time
import zipfile
import zlib
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path, PureWindowsPath
from urllib import request
from urllib.error import HTTPError, URLError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # path.sh may be forgotten

import local  # noqa: F401  # isort: skip (before what takes long: it says why)

from tqdm import tqdm

from local import corpora
from local.corpora import Download
from utils.audio_files import AUDIO
from utils.cli import UserError, boolean, path_of, run, warn
from utils.files import whole
from utils.hold import hold

TIMEOUT = 60.0  # seconds without a byte
PAUSES = (1.0, 5.0, 20.0)  # seconds before each further try
CHUNK = 1 << 16  # bytes: what a call that is killed loses at most
BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)  # and all from 500 on
BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError)

# Of what urllib has, all that follows http and https: a redirection to a file or to ftp leads nowhere.
opener = request.OpenerDirector()
for handler in (request.ProxyHandler, request.HTTPHandler, request.HTTPSHandler, request.HTTPRedirectHandler,
                request.HTTPErrorProcessor, request.HTTPDefaultErrorHandler, request.UnknownHandler):  # fmt: skip
    opener.add_handler(handler())
opener.addheaders = [("User-Agent", "attribute-disentanglement (local/get_data.py)")]  # some refuse urllib's own


def require_space(folder: Path, size: int, what: str) -> None:
    """Raise UserError where less than `size` bytes are free for `what`."""
    if (free := shutil.disk_usage(folder).free) < size:
        raise UserError(f"{folder}: {what} takes {size / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free: make room")


def receive(item: Download, part: Path) -> None:
    """Ask once for what `part` lacks of the file, and write all that comes. Raises OSError or HTTPException where the
    connection fails or ends early, UserError where the server has another file than the makers describe."""
    have = part.stat().st_size if part.exists() else 0
    asked = request.Request(item.url, headers={"Range": f"bytes={have}-"} if have else {})
    with opener.open(asked, timeout=TIMEOUT) as response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the server sends all of it
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise ConnectionError("the server sent another part than it was asked for")
        total = item.size if response.length is None else have + response.length
        if item.size and total != item.size:
            raise UserError(f"{item.url}: offers {total} bytes, and its makers say {item.size}: not the file")
        if not total:
            warn(f"{item.name}: neither its makers nor the server say how long it is")
        require_space(part.parent, total - have, item.name)
        quiet, said = not sys.stderr.isatty(), time.monotonic()
        bar = tqdm(total=total or None, initial=have, desc=item.name, unit="B", unit_scale=True, disable=quiet)
        with bar, part.open("ab" if have else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
                if total and have > total:
                    raise UserError(f"{item.url}: goes on behind the {total} bytes that its makers say: not the file")
                if quiet and time.monotonic() - said > 10:
                    said = time.monotonic()
                    print(f"{item.name}: {have / 1e6:.0f} of {total / 1e6:.0f} MB", flush=True)
    if have < total:
        raise ConnectionError(f"broke off after {have} of {total} bytes")


def fetch(item: Download, part: Path) -> None:
    """Make `part` the whole file, in a few tries. Raises UserError that says why it cannot be had."""
    reason = ""
    for pause in (0.0, *PAUSES):
        if pause:
            warn(f"{item.name}: {reason}; trying again in {pause:.0f} s")
            time.sleep(pause)
        try:
            if not item.size or not part.exists() or part.stat().st_size < item.size:
                receive(item, part)
            return
        except HTTPError as error:
            reason = str(error)
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and part.exists():
                if error.headers.get("Content-Range") == f"bytes */{part.stat().st_size}":
                    return  # all of it was there
                part.unlink()
            elif error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in BUSY:
                raise UserError(f"{item.url}: {reason}") from None
        except URLError as error:
            reason = str(error.reason)
            if isinstance(error.reason, (str, ssl.SSLCertVerificationError)):  # str: a scheme that is not followed
                raise UserError(f"{item.url}: {reason}") from None
        except (ConnectionError, TimeoutError, ssl.SSLError, HTTPException) as error:
            reason = str(error) or type(error).__name__
        except OSError as error:
            error.filename = error.filename or str(part)  # a full disk's does not say which file it is about
            raise
    raise UserError(f"{item.url}: {reason}; the next call goes on from there")


def check(item: Download, path: Path) -> None:
    """Raise UserError unless the file has the size and the checksum that its makers publish."""
    if item.size and (size := path.stat().st_size) != item.size:
        raise UserError(f"{path}: has {size} bytes, its makers say {item.size}: it is not the file, or not all of it")
    for kind, published in (("sha256", item.sha256), ("md5", item.md5)):
        if not published:
            continue
        digest = hashlib.new(kind, usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != published.lower():
            raise UserError(f"{path}: its {kind} is {digest.hexdigest()}, its makers say {published}: not the file")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar to the new `folder`. Raises UserError for one that is broken, or that holds a member which
    would lie outside."""
    folder.mkdir()
    try:
        if archive.suffix != ".zip":
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
            return
        with zipfile.ZipFile(archive) as zipped:
            for member in zipped.namelist():
                if (path := PureWindowsPath(member)).anchor or ".." in path.parts:  # "\" and "C:" count as well
                    raise UserError(f"{archive}: '{member}' in it would lie outside: nothing was unpacked")
            require_space(folder, sum(member.file_size for member in zipped.infolist()), f"what {archive.name} holds")
            zipped.extractall(folder)
    except tarfile.FilterError as error:
        raise UserError(f"{archive}: {error}: nothing was unpacked") from None
    except BROKEN as error:
        raise UserError(f"{archive}: cannot be unpacked: {error}; remove it to fetch it again") from None


def get(item: Download, folder: Path) -> None:
    """Fetch one file into `folder`, check it, and unpack it where it is an archive."""
    path, part = folder / item.name, folder / f"{item.name}.part"
    if path.exists():
        check(item, path)  # somebody may have put it there
    else:
        fetch(item, part)
        try:
            check(item, part)
        except UserError as error:
            part.unlink()
            raise UserError(f"{error}; removed") from None
        part.replace(path)
    if item.unpacked == item.name:
        return
    print(f"{item.name}: being unpacked", flush=True)
    with whole(folder / item.unpacked) as temporary:
        unpack(path, temporary)
        inner = temporary / item.unpacked
        if inner.is_dir() and len(list(temporary.iterdir())) == 1:  # musan.tar.gz holds musan: no musan/musan
            outer = temporary.rename(f"{temporary}.outer")
            (outer / item.unpacked).rename(temporary)
            outer.rmdir()
    path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agree", type=boolean, default=False, metavar="true|false", help="to the terms [false: ask]")
    parser.add_argument("name", metavar="NAME", help="a file of local/open, without .yaml")
    parser.add_argument("folder", type=path_of, metavar="DIR")
    args = parser.parse_args()
    corpus, folder = corpora.read(args.name), args.folder
    if not corpus.download:
        how = corpus.how or "no program may fetch it, so ask its makers for it"
        raise UserError(f"{corpus.title} ({corpus.licence}): {how}: {corpus.address}")
    missing = [item for item in corpus.download if not (folder / item.unpacked).exists()]
    if missing:
        print(f"{corpus.title}\n  licence: {corpus.licence}\n  size: {corpus.size}\n  address: {corpus.address}")
        print(f"  to be cited: {corpus.cite}", flush=True)
        if not args.agree and not (sys.stdin.isatty() and input("type yes to agree: ").strip().lower() == "yes"):
            raise UserError("nothing is fetched: agree to these terms on a terminal, or by --agree true")
        with hold(folder):
            needed = sum(item.size * (1 if item.unpacked == item.name else 2) for item in missing)
            had = [folder / f"{item.name}{end}" for item in missing for end in ("", ".part")]
            needed -= sum(path.stat().st_size for path in had if path.exists())
            require_space(folder, needed, f"{corpus.title}, unpacked,")
            for item in missing:
                get(item, folder)
    count = sum(path.suffix.lower() in AUDIO for path in folder.rglob("[!.]*"))
    print(f"{folder}: {count} recordings; {'fetched' if missing else 'all was there already, nothing was fetched'}")


if __name__ == "__main__":
    run(main)
