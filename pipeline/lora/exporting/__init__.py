"""A canonical LoRA as files for other programs, and several merged into one; it knows no guild."""
