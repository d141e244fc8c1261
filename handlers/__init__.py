"""What the program does, in words: one file a command, knowing no platform, no SQL and no torch."""
