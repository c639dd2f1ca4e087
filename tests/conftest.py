"""One thread a process: two test processes share two cores, and threads that wait for each other
burn them. It stands before the first import of numpy, which reads it once."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# An example's wall time says how busy the machine is and nothing of the code: two suites side by side go
# past 200 ms. What hangs is ended by the time limit of every test.
settings.register_profile("shared_machine", deadline=None)
settings.load_profile("shared_machine")
