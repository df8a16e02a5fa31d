"""Songwright: the pipeline stage."""
