"""Where strangers' LoRA files come from: a link is read, its file fetched under limits, its page's facts told."""
