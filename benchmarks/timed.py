"""
Run commands at once, and print their exit codes, the seconds until the last has ended, and what they used together.

Linux counts the memory of the process that starts another as the other's peak: this one is small, and the one that runs
the scenarios may have had a gigabyte.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main() -> None:
    """Run the commands, each a list of words, that the only argument holds as JSON."""
    begun = time.perf_counter()
    processes = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for words in json.loads(sys.argv[1])]
    codes, cpu, memory = list[int](), 0.0, 0
    for process in processes:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        codes.append(process.returncode)
        cpu, memory = cpu + used.ru_utime + used.ru_stime, memory + used.ru_maxrss * 1024
    report = {"seconds": time.perf_counter() - begun, "cpu_seconds": cpu, "peak_bytes": memory}
    print(json.dumps({"codes": codes, **report}))


if __name__ == "__main__":
    main()
