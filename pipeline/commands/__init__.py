"""The commands of `songwright`, a module per family; `pipeline.cli` gathers them."""

import atexit
import gc

# Modules and songs make many objects and next to no circles. Looking for those, while they are made and once more when
# Python ends, takes a sixth of the time of a short command.
gc.set_threshold(20_000, 20, 20)
atexit.register(gc.freeze)
