"""The program's version, kept here because looking it up in the installed metadata costs start-up time."""

VERSION = "0.1.0"  # a test compares it with pyproject.toml
