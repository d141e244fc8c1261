"""Noise in both directions: mixed in to train, taken out step by step to sample; it knows no model and no batch."""
