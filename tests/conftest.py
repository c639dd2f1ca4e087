"""One thread a process: two test processes share two cores, and threads that wait for each other
burn them. It stands before the first import of numpy, which reads it once."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
