"""What all tests share."""

import os

# As the command line does, before anything imports numpy: the networks are small, and threads only slow them down.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
