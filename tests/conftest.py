"""Fixtures that several folders of tests share."""

import os

# Before torch reads it: a thread for each core in every one of several processes is slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["tests.tiers", "tests.databases", "tests.app_contexts", "tests.storage_troubles"]
