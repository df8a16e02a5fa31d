"""Read a tune from a score: MusicXML (also compressed), ABC, MEI. Verovio reads them and plays them as MIDI.

Verovio is native code that some broken files bring down. So only what looks sound is handed to it, and it runs in a
process of its own, which may crash or take too long without harm.
"""

import base64
import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from xml.etree import ElementTree

from lyrics.errors import need
from pipeline.errors import TuneError
from pipeline.midi_reader import MAX_BYTES, PlayedTune, Signature, read_midi

_LARGEST = 6 * MAX_BYTES  # XML is wordy
_SECONDS = 60.0
_ROOTS = ("score-partwise", "score-timewise", "mei")


def read_score(data: bytes, name: str, track: str | None = None) -> PlayedTune:
    """Return the melody of a score; TuneError if it cannot be read, MissingExtraError without verovio."""
    if len(data) > _LARGEST:
        raise TuneError(f"{name} is larger than {_LARGEST:,} bytes; give the melody alone")
    text = _sound_text(_unpacked(data, name), name)
    need(f"reading {name}", "audio", "verovio")
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pipeline.score_reader"],
            input=text.encode(),
            capture_output=True,
            timeout=_SECONDS,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError):
        answer = None
    if answer is None:
        raise TuneError(f"{name} is not a score that can be read; export it as MusicXML or MIDI")
    played = read_midi(base64.b64decode(answer["midi"]), name, track)
    # Verovio starts its bars with the music, so that a pick-up would stand on a downbeat.
    bars = [quarters * 480 for quarters in answer["bars"]]
    if len(bars) > 1 and played.signatures and played.signatures[0].tick == 0:
        first = played.signatures[0]
        if 0 < bars[1] < first.numerator * 1920 / first.denominator - 1:
            moved = Signature(bars[1], first.numerator, first.denominator)
            played = replace(played, signatures=(moved, *(s for s in played.signatures if s.tick > bars[1])))
    return played


def _unpacked(data: bytes, name: str) -> bytes:
    """Return the score inside a compressed MusicXML file (.mxl); other files as they are."""
    if data[:2] != b"PK":
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for item in archive.infolist():
                if item.filename.lower().endswith((".xml", ".musicxml")) and "META-INF" not in item.filename:
                    if item.file_size > 4 * _LARGEST:
                        raise TuneError(f"{name} unpacks to {item.file_size:,} bytes; give the melody alone")
                    with archive.open(item) as file:
                        return file.read(4 * _LARGEST)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise TuneError(f"{name} is not a compressed score that can be read; export it again") from error
    raise TuneError(f"{name} is a ZIP file without a score; give MusicXML or MIDI")


def _sound_text(data: bytes, name: str) -> str:
    """Return the text of a score that looks sound, TuneError for one that does not."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TuneError(f"{name} is not UTF-8 (byte {error.start + 1:,}); export it again") from error
    if not text.lstrip().startswith("<"):
        if re.search(r"^X:", text, re.MULTILINE) and re.search(r"^K:", text, re.MULTILINE) and "\0" not in text:
            return text
        raise TuneError(f"{name} is not ABC that can be read: it needs the fields X: and K:")
    if "<!ENTITY" in text:
        raise TuneError(f"{name} defines entities of its own, which no score needs; export it again")
    try:
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except (ElementTree.ParseError, ValueError) as error:
        raise TuneError(f"{name} is not sound XML ({error}); export it again") from error
    if root.tag.rpartition("}")[2] not in _ROOTS:
        raise TuneError(f"{name} is not a score but a document <{root.tag[:40]}>; give MusicXML or MIDI")
    return text


def _convert(text: str) -> str:
    """Let verovio play a score: a JSON object with the MIDI file and the places of its bar lines, in quarters."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    if not toolkit.loadData(text) or not toolkit.getPageCount():
        raise SystemExit(1)
    timemap = toolkit.renderToTimemap({"includeMeasures": True})
    events = json.loads(timemap) if isinstance(timemap, str) else timemap
    bars = [float(event["qstamp"]) for event in events if "measureOn" in event]
    return json.dumps({"midi": toolkit.renderToMIDI(), "bars": bars})


if __name__ == "__main__":
    sys.stdout.write(_convert(sys.stdin.buffer.read().decode()))
