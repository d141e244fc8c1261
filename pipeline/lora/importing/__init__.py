"""A LoRA file of any format into the canonical one, exactly, or one sentence why not; it knows no model in memory."""
