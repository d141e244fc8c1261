"""From a prompt to what the denoiser is conditioned on; it knows nothing of batches or steps."""
