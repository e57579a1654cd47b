"""Run a process and print its seconds and peak memory: python -IS launch.py COMMAND….

It is small, because the peak that the system tells of a process includes what the memory of its
parent was when it began.
"""

import os
import sys
import time

began = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - began
unit = 1 if sys.platform == "darwin" else 1024  # bytes, or KiB
print({
    "seconds": seconds,
    "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * unit,
})  # fmt: skip
sys.exit(status != 0)
