"""Watches a process from another one: `python -m benchmarks.attack_probe URL PID` prints a line twenty times a second.

A line tells when (by CLOCK_MONOTONIC), how many seconds a request took that the event loop answers with 404, and how
much resident memory the process has, in MB.
"""

import http.client
import sys
import time
from typing import Final
from urllib.parse import urlsplit

import psutil

_PERIOD_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 20.0


def watch(url: str, pid: int) -> None:
    """Print until the process is gone."""
    process, place = psutil.Process(pid), urlsplit(url).netloc
    connection = http.client.HTTPConnection(place, timeout=_PATIENCE_SECONDS)
    while True:
        begin = time.monotonic()
        try:
            connection.request("GET", "/nothing")
            connection.getresponse().read()
        except OSError:  # it took too long, or the line was cut; the time tells which
            connection.close()
        except http.client.HTTPException:
            connection.close()
        now = time.monotonic()
        try:
            memory = process.memory_info().rss / 2**20
        except psutil.NoSuchProcess:
            return
        print(f"{now:.3f} {now - begin:.4f} {memory:.1f}", flush=True)
        time.sleep(max(0.0, _PERIOD_SECONDS - (now - begin)))


if __name__ == "__main__":
    watch(sys.argv[1], int(sys.argv[2]))
