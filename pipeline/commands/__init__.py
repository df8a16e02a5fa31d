"""The commands of `songwright`, a module per family; `pipeline.cli` gathers them."""
