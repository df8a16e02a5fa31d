"""What the corpus says about pitch: the key of a song."""

from align.corpus import CorpusSong
from melody.theory import Key


def song_key(song: CorpusSong) -> Key:
    """Decide the key of a song, from its notes where the printed mode is empty or wrong.

    The signature leaves two candidates, a major key and its relative minor. A song that ends on the minor tonic is
    minor (Open Hymnal prints only the signature); otherwise raised sevenths of the minor key, weighted by duration,
    speak for minor only if the song does not end on the major tonic.
    """
    major = song.key_fifths * 7 % 12
    minor = (major + 9) % 12
    last = song.notes[-1].pitch % 12
    if last == minor:
        return Key(minor, "minor")
    if last == major:
        return Key(major, "major")
    weight = [0] * 12
    for note in song.notes:
        weight[note.pitch % 12] += note.duration
    triads = {
        tonic: weight[tonic] + weight[(tonic + third) % 12] + weight[(tonic + 7) % 12]
        for tonic, third in ((major, 4), (minor, 3))
    }
    return Key(minor, "minor") if triads[minor] > 1.2 * triads[major] else Key(major, "major")


def in_scale_share(song: CorpusSong, key: Key) -> float:
    """Return the share of sung time on notes of the key (natural minor plus its raised sixth and seventh)."""
    scale = set(key.scale) | ({(key.tonic + 9) % 12, (key.tonic + 11) % 12} if key.mode == "minor" else set())
    total = sum(note.duration for note in song.notes)
    return sum(note.duration for note in song.notes if note.pitch % 12 in scale) / total
