"""DreamBooth: a subject or a style from a few pictures, as a LoRA or a full fine-tune; it knows no other request."""
