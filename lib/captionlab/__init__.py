"""captionlab."""
