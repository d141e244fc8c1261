"""A device's program that says what no device says, and then waits for its end."""

import os
import sys

os.write(1, (5).to_bytes(8, "little") + b"what?")
sys.stdin.buffer.read()
