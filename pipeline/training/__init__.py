"""DreamBooth: a subject or a style from a few images, as a LoRA or a full fine-tune; it knows no other request."""
