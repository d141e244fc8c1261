"""A child's program for the tests of `open_frames`: a thread hears its parent, and the program ends by itself."""

import threading

from pipeline.processes import frames
from pipeline.processes.program import open_frames

if __name__ == "__main__":
    stream, say = open_frames()
    say(frames.read(stream))
    threading.Thread(target=frames.read, args=(stream,), daemon=True).start()
