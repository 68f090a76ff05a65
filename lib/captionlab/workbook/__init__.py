"""From exercises and lab texts to the notebooks students and instructors use, and the check they call in them."""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "build": ["built_files", "outdated_files"],
        "errors": ["ModifiedFiles", "TextError"],
        "notebook_check": ["CheckFailed", "check"],
    },
)
