"""Data of the course: catalog and download of the real sets, and what can be drawn offline."""
