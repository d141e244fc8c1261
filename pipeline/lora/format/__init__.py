"""The canonical LoRA file and the layouts of other programs; it knows no model in memory."""
