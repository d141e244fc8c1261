"""A model's way from its files to modules on a device; it knows nothing of requests in flight."""
