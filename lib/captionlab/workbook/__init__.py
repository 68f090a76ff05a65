"""From exercises and lab texts to the notebooks students and instructors use, and the check they hold."""

from captionlab.workbook.kit import CheckFailed, check

__all__ = ["CheckFailed", "check"]
