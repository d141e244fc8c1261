"""DreamBooth: a subject or a style from a few pictures, as a LoRA or as a full fine-tune."""
