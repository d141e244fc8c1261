"""A LoRA's way from its file to the rows of a batch that use it; it knows nothing of imports."""
