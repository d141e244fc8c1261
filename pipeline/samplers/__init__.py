"""Noise in both directions: mixed in for training, taken out step by step for sampling; it knows no model and no batch."""
