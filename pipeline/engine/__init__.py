"""The engine: requests advanced together, one denoising step at a time; it knows nothing of processes or guilds."""
