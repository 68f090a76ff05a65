"""What can be wrong with a lab's text."""


class TextError(ValueError):
    """A lab's text that cannot be built; the message says what was found and what was expected."""
