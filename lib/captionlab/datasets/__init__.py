"""Data of the course: catalogue and download of the real sets, and what can be drawn offline."""
