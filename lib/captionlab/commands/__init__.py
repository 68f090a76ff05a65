"""The commands of ``captionlab``, a file a command."""
