"""Turn a stranger's LoRA file into the canonical one, exactly, or refuse it in one sentence."""
