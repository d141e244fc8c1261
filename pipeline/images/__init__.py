"""Images as files: metadata, checked input, grids and upscaling; it knows nothing of diffusion."""
