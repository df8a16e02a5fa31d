"""Songwright's pipeline: from lyrics to a song, and from a song to files.

    from pipeline.compose import compose
    from pipeline.midi import write_midi

    write_midi(compose("Sail on, my sailor"), Path("sail.mid"))

Names are imported from the modules that define them, so that a command loads only what it needs.
"""
