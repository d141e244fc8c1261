"""Where LoRA files come from: a link is read, its file fetched within limits, its page's facts; it knows no format."""
