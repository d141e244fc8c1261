"""The samplers: from noise to an image, step by step, by diffusers' schedulers; it knows no model and no batch."""
