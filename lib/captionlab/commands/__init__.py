"""The commands of ``captionlab``, one file per command."""
