"""Songwright: the align stage."""
