"""Draw the score in the README: a song engraved as SVG whose words are outlines, so that it looks the same everywhere.

    python scripts/make_picture.py examples/harbour_lights.txt docs/images/harbour_lights.svg [--seed 0]

Needs the extras [audio] (verovio engraves) and [train] (matplotlib carries the fonts and fontTools).
"""

import argparse
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.etree.ElementTree import Element

import matplotlib as mpl
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.ttLib import TTFont

from lyrics.parse import read_lyrics
from pipeline.compose import compose
from pipeline.names import title_from_stem
from pipeline.render import render

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
# Signs of the engraver's music font that stand in texts, in the text font: the note of a metronome mark, its dot, and
# the accidentals of chord symbols; and by how much the music font's letters are larger than those of the text font.
_MUSIC = {"\ueca5": "\u2669", "\uecb7": ".", "\uea64": "\u266d", "\uea65": "\u266e", "\uea66": "\u266f"}
_MUSIC_SIZE = 720 / 405


class Outliner:
    """Turns texts into outlines of one font; every letter's shape is kept once."""

    def __init__(self) -> None:
        """Open the Times-like font that matplotlib carries."""
        self.font = TTFont(Path(mpl.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf")
        self.glyphs = self.font.getGlyphSet()
        self.names = self.font.getBestCmap()
        self.scale = 1 / self.font["head"].unitsPerEm
        self.shapes: dict[str, Element] = {}

    def draw(self, text: str, x: float, y: float, anchor: str, sizes: list[float]) -> Element:
        """Return a group of letters; `sizes` has a font size for each."""
        names = [self.names.get(ord(letter), ".notdef") for letter in text]
        widths = [self.glyphs[name].width * self.scale * size for name, size in zip(names, sizes, strict=True)]
        x -= sum(widths) * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        group = Element(f"{{{SVG}}}g")
        for name, size, width in zip(names, sizes, widths, strict=True):
            if self._shape(name):
                place = f"translate({x:.0f}, {y:.0f}) scale({size * self.scale:.4f}, {-size * self.scale:.4f})"
                ElementTree.SubElement(group, f"{{{SVG}}}use", {f"{{{XLINK}}}href": f"#t-{name}", "transform": place})
            x += width
        return group

    def _shape(self, name: str) -> bool:
        """Keep a letter's shape; return whether it has one (a blank has none)."""
        if name not in self.shapes:
            pen = SVGPathPen(self.glyphs, lambda value: f"{value:g}")
            self.glyphs[name].draw(pen)
            self.shapes[name] = Element(f"{{{SVG}}}path", {"id": f"t-{name}", "d": pen.getCommands()})
        return bool(self.shapes[name].get("d"))


def outline(svg: bytes) -> bytes:
    """Replace every text of an engraved score by outlines, and drop the font that comes with it."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(svg)
    outliner = Outliner()
    for parent in list(root.iter()):
        for index, child in enumerate(list(parent)):
            if child.tag == f"{{{SVG}}}text":
                group = Element(f"{{{SVG}}}g")
                for text, x, y, anchor, sizes in _runs(child):
                    group.append(outliner.draw(text, x, y, anchor, sizes))
                parent[index] = group
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style" and "@font-face" in (child.text or ""):
                parent.remove(child)
            if child.tag == f"{{{SVG}}}g" and not child.get("id", "").startswith(
                "E"
            ):  # E...: shapes that are referred to
                child.attrib.pop("id", None)
    definitions = ElementTree.SubElement(root, f"{{{SVG}}}defs")
    definitions.extend(outliner.shapes.values())
    for element in root.iter():  # blanks between elements are a third of the file
        element.text = None if element.text is not None and not element.text.strip() else element.text
        element.tail = None
    return (ElementTree.tostring(root, encoding="unicode") + "\n").encode()


def _runs(text: Element) -> list[tuple[str, float, float, str, list[float]]]:
    """Texts with their place, anchor and letter sizes; a new one begins where an element has a place of its own."""
    runs: list[tuple[str, float, float, str, list[float]]] = []

    def walk(element: Element, size: float, anchor: str) -> None:
        size = float(element.get("font-size", f"{size}px").removesuffix("px"))
        anchor = element.get("text-anchor", anchor)
        if "x" in element.attrib:
            runs.append(("", float(element.attrib["x"]), float(element.get("y", 0)), anchor, []))
        if runs and size and element.text and (element.text.strip() or not len(element)):
            _append(element.text, size)
        for child in element:
            if not child.tag.endswith("title"):
                walk(child, size, anchor)

    def _append(letters: str, size: float) -> None:
        if letters[0] in _MUSIC:
            letters, size = "".join(_MUSIC.get(letter, "") for letter in letters), size / _MUSIC_SIZE
        old, x, y, anchor, sizes = runs[-1]
        runs[-1] = (old + letters, x, y, anchor, sizes + [size] * len(letters))

    walk(text, 0.0, "start")
    return [run for run in runs if run[0].strip()]


def main() -> None:
    """Compose, engrave, outline and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lyrics", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    song = compose(read_lyrics(options.lyrics), seed=options.seed, name=title_from_stem(options.lyrics.stem))
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    options.picture.write_bytes(outline(render(song, ["svg"])["svg"]))
    print(f"{options.picture}: {options.picture.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
