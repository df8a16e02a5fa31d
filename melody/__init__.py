"""Songwright: the melody stage."""
