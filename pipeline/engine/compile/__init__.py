"""The denoiser's call as machine code for fixed sizes, made in a process beside the engine; it knows no request."""
