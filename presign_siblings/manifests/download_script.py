#!/usr/bin/env python3
"""
Download the files that are listed at the end of this script.

    python download.py [FOLDER] [--jobs 8] [--only "2026/*.pdf"]

It needs Python 3.8 or later and nothing else, on Windows, macOS and Linux. Run it again to continue after a break: files
that are there already are checked, not fetched again, and a file that came half is continued. Whoever has this script
can open the files: pass it on as you would pass on the files.
"""

import signal

STOPS = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # Ctrl-C is ignored in the background of a shell
if __name__ == "__main__" and STOPS:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to stop, Ctrl-C ends Python without a word

import argparse
import fnmatch
import gzip
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import sys
import threading
import time
import unicodedata
import urllib.error
import urllib.request
import zlib
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

MARK = "#: "  # begins each line of the list
END = "#. "  # begins the line after the list
PIECE = 1 << 18
SPARE = 15  # bytes of a name, for the endings of unfinished files
TRIES = 4
CONNECT_SECONDS = 10
ANSWERED = []  # the IP version of the last connection that was made
EQUAL_REFUSALS = 8  # in a row, for the same reason: the other links will fail too
OF_OBJECTS = 200  # the same for archived or deleted objects: another folder's may be readable
MD5 = re.compile("[0-9a-f]{32}")
BYTES = re.compile("[0-9]{1,18}")
OF_STORES = ("ETag", "Last-Modified", "Content-Range", "x-amz-request-id", "x-amz-id-2", "x-goog-generation")
PAGES = (".html", ".htm")  # a page under another name is the network's own, unless a store's headers say otherwise
ADVICE = {
    "expired": "the link has expired: ask whoever sent it for a new list",
    "InvalidObjectState": "the object is archived: its owner must restore it first",
    "NoSuchKey": "the object no longer exists",
    "AccessDenied": "the link may not open the object: ask whoever sent it",
    "SSE-C": "the object is encrypted under a key that only its owner has: no link can give it",
    "ExpiredToken": "the link has expired with the session that signed it: ask for a new list",
    "certificate": "Python does not trust the store's certificate: on a Mac, run Install Certificates.command in the folder"
    " of Python; in a company, set SSL_CERT_FILE to its certificates",
}


class Refused(Exception):
    """The object does not come; another try would not help."""


class Failed(Exception):
    """The object did not come; another try may help."""


def report(text):
    """Write to standard error; if that fails, the download continues, and the exit code gives the result."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # or Python fails again at exit


class Answer(http.client.HTTPResponse):
    """An answer after those that only inform, such as 103 Early Hints: ``http.client`` skips 100 alone."""

    def _read_status(self):
        version, status, reason = super()._read_status()
        return version, 100 if 101 < status < 200 else status, reason


class Progress:
    """What the person sees, and when to give up."""

    def __init__(self, show):
        self.lock = threading.Lock()
        self.show, self.fetched, self.kept, self.size, self.shown_at = show, 0, 0, 0, 0.0
        self.failures, self.reason, self.in_a_row = [], None, 0

    def came(self, size, kept):
        with self.lock:
            if not self.hopeless:  # once hopeless, it stays so: the rest is not tried
                self.in_a_row = 0
            self.kept += kept
            self.fetched += not kept
            self.size += 0 if kept else size
            self._report()

    def failed(self, name, reason):
        with self.lock:
            if not self.hopeless:
                self.in_a_row = self.in_a_row + 1 if reason == self.reason else 1
                self.reason = reason
            self.failures.append((name, reason))
            self._report()

    @property
    def hopeless(self):
        of_objects = self.reason in [ADVICE[code] for code in ("InvalidObjectState", "NoSuchKey", "SSE-C")]
        return self.in_a_row >= (OF_OBJECTS if of_objects else EQUAL_REFUSALS)

    def _report(self):
        if self.show and time.monotonic() - self.shown_at > 0.2:
            self.shown_at = time.monotonic()
            report("\r%s " % self)

    def __str__(self):
        parts = "%d fetched (%.1f MB), %d there already, %d failed"
        return parts % (self.fetched, self.size / 1e6, self.kept, len(self.failures))


def listed(path):
    """Yield the listed files: key, name, URL, and the size where it is known."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(MARK):
                yield json.loads(line[len(MARK) :])


def is_cut(path):
    """Return whether the end of the list is missing, as after a copy that broke off."""
    with open(path, "rb") as script:
        script.seek(max(0, os.path.getsize(path) - PIECE))
        return ("\n" + END).encode() not in script.read().replace(b"\r", b"")


def refusal(error):
    """Return the exception for an error answer, by S3's own code."""
    body = error.read(4096).decode("utf-8", "replace")
    found = re.search("<Code>([A-Za-z0-9]+)</Code>", body)
    code = found.group(1) if found else "HTTP %d" % error.code
    if "expired" in body.lower() and code == "AccessDenied":
        code = "expired"
    if "server side encryption" in body.lower() and "with aws kms" not in body.lower():
        code = "SSE-C"
    if error.code in (408, 429, 500, 502, 503, 504):
        return Failed(code)
    return Refused(ADVICE.get(code, "the server answers %s" % code))


def request(url, headers):
    """Open a URL; refuse an answer that does not come from the store."""
    asked = urllib.request.Request(url, headers={"Accept-Encoding": "identity", "User-Agent": "download.py", **headers})
    port = {"http": ":80", "https": ":443"}.get(asked.type, "")  # SigV4 signs the host without it; urllib would send it
    if port and asked.host.endswith(port):
        asked.add_unredirected_header("Host", asked.host[: -len(port)])
    host = asked.host
    try:
        answer = urllib.request.urlopen(asked, timeout=60)
    except urllib.error.HTTPError as error:
        raise error if error.code in (412, 416) else refusal(error)
    except (urllib.error.URLError, OSError) as error:
        reason = str(getattr(error, "reason", error))
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            raise Refused(ADVICE["certificate"])
        by = "" if asked.host == host else " through the proxy %s" % asked.host
        raise Failed("no connection%s: %s" % (by, reason))
    page = answer.headers.get_content_type() == "text/html" and not url.partition("?")[0].lower().endswith(PAGES)
    strange = page and not any(name.lower().startswith(("x-amz", "x-goog")) for name in answer.headers)
    if strange or not any(answer.headers.get(name) for name in OF_STORES):
        answer.close()
        raise Failed("a proxy, or the network's sign-in page, answers in the store's place")
    if answer.status not in (200, 206):
        answer.close()
        raise Failed("the server answers HTTP %d" % answer.status)
    return answer


def dialled(place, seconds, source=None):
    """
    Connect as ``socket.create_connection`` does, but by IPv6 and IPv4 in turns, first by the one that answered last.

    Where IPv6 leads nowhere, each of a host's eight addresses would else take a minute for each file.
    """
    found = socket.getaddrinfo(place[0], place[1], 0, socket.SOCK_STREAM)
    versions = [each[0] for each in found]
    turns = sorted(range(len(found)), key=lambda at: (versions[:at].count(versions[at]), versions[at] not in ANSWERED))
    failed = OSError("the host has no address")
    for version, kind, protocol, _, address in [found[at] for at in turns]:
        made = None
        try:
            made = socket.socket(version, kind, protocol)  # fails where IPv6 is switched off
            made.settimeout(CONNECT_SECONDS)
            made.connect(address)
        except OSError as error:
            if made is not None:
                made.close()
            failed = error
        else:
            made.settimeout(seconds)
            ANSWERED[:] = [version]
            return made
    raise failed


def connect_like_browsers():
    """Let ``urllib`` reach whatever a browser reaches."""
    trusted = ssl.create_default_context()
    trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13 refuses the certificates of many inspecting proxies
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusted)))
    socket.create_connection = dialled
    http.client.HTTPConnection.response_class = Answer


def md5():
    """Return a new MD5; in FIPS mode, Python gives only one that is not for security."""
    try:
        return hashlib.md5(usedforsecurity=False)
    except TypeError:  # Python 3.8 lacks the argument
        return hashlib.md5()


def unpack(path, etag, plain, listed):
    """
    Unpack a file that a proxy has compressed on the way; return whether its ETag or its listed size proves that.

    An object that is stored compressed has the same header, but its ETag and its size are those of the packed bytes.
    """
    digest, size, other = md5(), 0, path + ".new"
    try:
        with gzip.open(path) as packed:
            for piece in iter(lambda: packed.read(PIECE), b""):
                digest.update(piece)
                size += len(piece)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return False
    by_md5 = plain and MD5.fullmatch(etag)
    if not (digest.hexdigest() == etag if by_md5 else size == listed):
        return False
    try:
        with gzip.open(path) as packed, open(other, "wb") as file:
            shutil.copyfileobj(packed, file)
    except OSError:  # half of it is of no use, and keeps a full disk full
        os.remove(other)
        raise
    os.replace(other, path)
    return True


def is_whole(path, size, etag, plain, seen):
    """
    Return whether a file is the object: by its ETag, or because the same bytes were seen before.

    An ETag of a multipart upload or a KMS key is no checksum, and some stores' look like an MD5 and are none.
    """
    if size not in (None, os.path.getsize(path)):
        return False
    if not plain or not MD5.fullmatch(etag or ""):
        return True
    digest = md5()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
    found = digest.hexdigest()
    whole = found == etag or found in seen
    seen.add(found)
    return whole


def facts(answer):
    """Return the object's size where it is known, its ETag, and whether the ETag may be the MD5 of the bytes."""
    total = (answer.headers.get("Content-Range") or "").rpartition("/")[2]
    if not BYTES.fullmatch(total):  # the length of a chunked answer does not count (RFC 9112, 6.3)
        total = None if answer.chunked else answer.headers.get("Content-Length")
    if total is not None and not BYTES.fullmatch(total):
        raise Failed("the answer's length is no number of bytes")
    size = None if total is None else int(total)
    encryption = answer.headers.get("x-amz-server-side-encryption") or ""
    plain = not encryption.startswith("aws:kms") and not answer.headers.get(
        "x-amz-server-side-encryption-customer-algorithm"
    )
    etag = re.sub('^W/|"|-gzip"$', "", answer.headers.get("ETag") or "")  # what a proxy adds does not count
    return size, etag, plain


def there_already(item, path, seen):
    """Return whether the file exists and is the object; ask for its first byte, since the link allows no HEAD."""
    if not os.path.exists(path):
        return False
    try:
        with request(item["url"], {"Range": "bytes=0-0"}) as answer:
            size, etag, plain = facts(answer)
            looked = set()  # a file that is looked at twice has not come twice
            whole = size is not None and is_whole(path, size, etag, plain, looked)
            seen |= looked
            return whole
    except urllib.error.HTTPError as error:
        return error.code == 416 and os.path.getsize(path) == 0


def fetch(item, path, seen):
    """Fetch one object, from where an earlier try stopped; return its size."""
    part, note = path + "%part", path + "%part.etag"  # no key's name ends so: its percent sign is encoded
    headers, begun, known = {}, 0, ""
    if os.path.exists(part) and os.path.exists(note):
        begun = os.path.getsize(part)
        with open(note, encoding="utf-8") as file:
            known = file.read()
        headers = {"Range": "bytes=%d-" % begun, "If-Match": '"%s"' % known} if begun and known else {}
    try:
        answer = request(item["url"], headers)
    except urllib.error.HTTPError as error:
        if not headers:
            raise Failed("HTTP %d" % error.code)
        os.remove(note)  # the object has changed, or all of it had come: begin again
        return fetch(item, path, seen)
    with answer:
        size, etag, plain = facts(answer)
        begins = (answer.headers.get("Content-Range") or "").startswith("bytes %d-" % begun)
        if answer.status == 206 and not (headers and begins and etag == known):
            if known:
                os.remove(note)  # the next try begins again
            raise Failed("what came is not the part that was asked for")
        with open(part, "ab" if answer.status == 206 else "wb") as file:
            if answer.status != 206:  # no byte of another object is there any more
                with open(note, "w", encoding="utf-8") as noted:
                    noted.write(etag)
            for piece in iter(lambda: answer.read(PIECE), b""):
                file.write(piece)
    least = size
    if size is None and not answer.chunked:
        least = item["size"]  # the answer ends with the connection: only the list's size shows whether it was cut off
    came = os.path.getsize(part)
    whole = came >= (least or 0) and is_whole(part, size, etag, plain, seen)
    if answer.headers.get("Content-Encoding") == "gzip" and not (whole and item["size"] in (None, came)):
        whole = unpack(part, etag, plain, item["size"]) or whole
    if not whole and came < (least or 0):
        raise Failed("%d of %d bytes came" % (came, least))
    if not whole:
        forget(path)
        raise Failed("the bytes are not those that the ETag names")
    name_it(part, path)
    forget(path)  # a kill may have left a file that was being unpacked
    return os.path.getsize(path)


def forget(path):
    """Remove a file's partial bytes, and their note."""
    for left in (path + "%part", path + "%part.etag", path + "%part.new"):
        if os.path.exists(left):
            os.remove(left)


def name_it(part, path):
    """Give a whole file its name; on Windows a virus scanner that reads the file is in the way for a moment."""
    for pause in (0.1, 0.4, 1.5, None):
        try:
            return os.replace(part, path)
        except PermissionError as error:
            if pause is None:
                raise Refused("the file cannot be given its name: %s" % error.strerror)
            time.sleep(pause)


def bring(item, path, progress):
    """Fetch one object, with several tries."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        seen, number, most = set(), 0, 0
        while True:
            begun = os.path.getsize(path + "%part") if os.path.exists(path + "%part") else 0
            if begun > most:  # some networks break each connection after a few megabytes
                number, most = 0, begun
            number += 1
            try:
                kept = there_already(item, path, seen)
                if kept:
                    forget(path)  # partial bytes of an object that was replaced for a while
                progress.came(os.path.getsize(path) if kept else fetch(item, path, seen), kept)
                return
            except http.client.HTTPException:
                if number == TRIES:
                    raise Failed("the answer is not HTTP, or broke off")
            except (Failed, OSError, ValueError) as error:
                full = isinstance(error, OSError) and error.errno in (28, 30, 122)  # no space, read-only, quota
                if number == TRIES or full:
                    raise
            time.sleep(0.5 * 2 ** (number - 1))
    except (Failed, Refused, OSError, ValueError) as error:
        progress.failed(item["name"], str(error))


def is_alone(folder):
    """Lock the folder until this process ends, since two would write into each other's files; return whether it worked."""
    if os.name == "nt":
        import msvcrt

        lock = os.path.join(folder, "%lock")
        try:
            held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_TEMPORARY)  # goes with this process
            msvcrt.locking(held, msvcrt.LK_NBLCK, 1)
        except OSError:
            if os.path.exists(lock):
                return False
            raise
        return True
    import fcntl

    try:
        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a network file system may lack locks
    return True


def folds(folder):
    """Return whether the folder's file system takes "a" and "A" for one name."""
    probe = os.path.join(folder, "%probe-a")
    with open(probe, "w"):
        found = os.path.exists(os.path.join(folder, "%probe-A"))
    os.remove(probe)
    return found


def longest(folder):
    """Return how many bytes a name may have: 143 under eCryptfs, as on an encrypted share of Synology."""
    try:
        found = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 0
    except OSError:
        found = 0
    return found if 100 <= found < 255 else 255


def shortened(name, written, most):
    """Return a name that the file system takes: the one that the command ``download`` gives this part of a key."""
    mark = "%d" if name.endswith("%d") else ""  # of a folder
    name = name[: len(name) - len(mark)]
    if len(name.encode()) <= most:
        return name + mark
    stem, ending = os.path.splitext(name)
    if len(ending.encode()) > 16:
        stem, ending = name, ""
    stem = re.sub("%[0-9A-F]?$", "", stem.encode()[: min(150, most - 50)].decode("utf-8", "ignore"))
    return "%s%%~%s%s%s" % (stem, hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32], ending, mark)


def places(items, folder, folding, only=None):
    """Yield each item with its path, or those that a glob takes; where the file system folds names, no two are equal."""
    root, taken, most = os.path.abspath(folder), {}, longest(folder) - SPARE
    if os.name == "nt":  # names longer than 260 characters
        root = "\\\\?\\" + ("UNC" + root[1:] if root.startswith("\\\\") else root)
    for item in items:
        parts = zip(item["name"].split("/"), item["key"].split("/"))
        segments = [shortened(name, written, most) for name, written in parts]
        if folding:
            lower = unicodedata.normalize("NFC", item["name"]).casefold()
            taken[lower] = taken.get(lower, 0) + 1
            if taken[lower] > 1:
                stem, ending = os.path.splitext(segments[-1])
                segments[-1] = "%s%%~%d%s" % (stem, taken[lower], ending)
        if only is None or fnmatch.fnmatchcase(item["key"], only):
            # UTF-8 on the disk whatever the locale: one of ISO 8859 or GBK lacks characters of keys.
            yield item, os.path.join(root, *(os.fsdecode(segment.encode()) for segment in segments))


def work(found, jobs, progress):
    """Fetch all files, some at a time; the list is never held whole."""
    pool, running = ThreadPoolExecutor(jobs), set()
    for item, path in found:
        running.add(pool.submit(bring, item, path, progress))
        running = reduced(running, 2 * jobs - 1)
        if progress.hopeless:
            break
    reduced(running, 0)


def reduced(running, most):
    """Wait until at most a given number run, and return those; Windows hears Ctrl-C only between two waits."""
    while len(running) > most:
        done, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
        for task in done:
            task.result()
    return running


def main():
    """Do as the command line says; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="files", help="where the files go (default: files)")
    parser.add_argument("--jobs", type=int, default=8, help="files at a time (default: 8)")
    parser.add_argument("--only", metavar="GLOB", help='only keys like "2026/*.pdf"')
    arguments = parser.parse_args()
    if sys.stderr is None:  # standard error was closed
        sys.stderr = open(os.devnull, "w")
    script = os.path.abspath(globals().get("__file__") or "<stdin>")
    if not os.path.isfile(script):
        report("the list is read from this script: store it in a file, and run that\n")
        return 1
    if is_cut(script):
        report("the end of this script is missing: copy it again, or ask for it again\n")
        return 1
    try:
        os.makedirs(arguments.folder, exist_ok=True)
        if not is_alone(arguments.folder):
            report("another download works in %s: try again when it has ended\n" % arguments.folder)
            return 1
        folding = folds(arguments.folder) or sys.platform == "darwin"  # macOS takes any two forms of é for one
    except OSError as error:
        report("the folder %s cannot be used: %s\n" % (arguments.folder, error.strerror))
        return 1
    connect_like_browsers()
    progress = Progress(sys.stderr.isatty())
    found = places(listed(script), arguments.folder, folding, arguments.only)
    try:
        if STOPS:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        work(found, max(1, arguments.jobs), progress)
    except KeyboardInterrupt:
        report("\nstopped; run it again to continue\n")
        os._exit(130)  # the threads would else finish what they have begun
    first = next(listed(script), None)
    if first and not (progress.fetched or progress.kept or progress.failures):
        report("no key matches %s; the first is %s\n" % (arguments.only, first["name"]))
        return 1
    report("\r%s\n" % progress)
    for name, reason in progress.failures:
        report("  %s: %s\n" % (name, reason))
    if progress.hopeless:
        report("stopped: %d files in a row failed for the same reason; the rest was not tried\n" % progress.in_a_row)
    return 1 if progress.failures else 0


def was_clicked():
    """Return whether Windows has opened a window for this script alone; cmd sets PROMPT."""
    typed = len(sys.argv) > 1 or "PROMPT" in os.environ
    return os.name == "nt" and not typed and sys.stdin is not None and sys.stdin.isatty()


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        if was_clicked():
            report("press Enter to close this window\n")
            sys.stdin.readline()
