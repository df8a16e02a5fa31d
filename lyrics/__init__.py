"""Songwright: the lyrics stage."""
