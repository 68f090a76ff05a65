"""Public names of a package that are imported when they are first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_exports(
    package: str, exports: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Let a package export names of its modules without importing any of them.

    ``from captionlab.vision import load_classifier`` then imports ``captionlab.vision.classifiers``, and torch with
    it; ``import captionlab.vision`` imports neither. Modules of the package can be reached in the same way
    (``captionlab.vision.classifiers`` after ``import captionlab.vision``), if they export something.

    Args:
        package: the package's ``__name__``.
        exports: for each module of the package, relative to it (``"classifiers"``), the names it exports.

    Returns:
        ``__getattr__`` and ``__dir__`` (PEP 562) and ``__all__`` of the package, to be assigned in its
        ``__init__.py``.

    Raises:
        ValueError: if two modules export the same name, or a name is also a module: which of the two an import gives
            would depend on what was imported before.

    Example:
        In ``captionlab/vision/__init__.py``::

            __getattr__, __dir__, __all__ = lazy_exports(__name__, {"classifiers": ["Classifier", "load_classifier"]})
    """
    home: dict[str, str] = {}
    for module, names in exports.items():
        for name in names:
            if name in home or name in exports:
                other = f"the module {name}" if name in exports else f"{name} of {home[name]}"
                raise ValueError(f"{package} exports {name} of {module} and also {other}: rename one of them")
            home[name] = module

    def get_attribute(name: str) -> Any:
        if name in exports:
            return importlib.import_module(f"{package}.{name}")
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)  # found without this function from now on
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home, *exports})

    return get_attribute, list_names, sorted(home)
