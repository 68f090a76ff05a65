"""Configurations that come with the package, and files of the same form."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from captionlab.common.suggestions import did_you_mean
from captionlab.common.text import NotText, read_text, split_lines

FOLDER = Path(__file__).parent


def packaged_names() -> list[str]:
    """The names of the packaged configurations."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def packaged_configuration(name: str) -> dict[str, Any]:
    """The settings of a packaged configuration by name: "embedded", "flickr8k" or "flickr8k_short"."""
    return read_configuration(FOLDER / f"{name}.toml")


def load_configuration(name_or_path: Path | str) -> dict[str, Any]:
    """The settings of a packaged configuration, or of a TOML or JSON file.

    Raises:
        ValueError: if there is neither, with the nearest packaged name, or if the file is not readable.
    """
    path = Path(name_or_path)
    if path.is_file():
        return read_configuration(path)
    names = packaged_names()
    if str(name_or_path) in names:
        return packaged_configuration(str(name_or_path))
    raise ValueError(
        f"there is no configuration {str(name_or_path)!r}: give {', '.join(names)} or a TOML or JSON file"
        f"{did_you_mean(path.stem, names)}"
    )


def read_configuration(path: Path) -> dict[str, Any]:
    """The settings in a TOML or JSON file, values by name; the content decides which of the two it is.

    Raises:
        ValueError: if the file cannot be read, gives a name twice, or holds anything but ``name = value`` lines.
    """
    language = "TOML"
    try:
        text = "\n".join(split_lines(read_text(path)))  # TOML allows fewer line ends
        if text.lstrip().startswith("{") or path.suffix.lower() == ".json":
            language = "JSON"
        values = json.loads(text, object_pairs_hook=_unique) if language == "JSON" else tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): give a TOML or JSON file") from error
    except NotText:
        raise
    except ValueError as error:
        raise ValueError(f"{path.name} is not valid {language}: {error}") from error
    if not isinstance(values, dict) or any(isinstance(value, (dict, list)) for value in values.values()):
        raise ValueError(f"{path.name} has lists or tables: expected one `name = value` per line")
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The values of a JSON object.

    Raises:
        ValueError: if a name occurs twice, of which JSON would silently take the last.
    """
    if repeated := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
        raise ValueError(f"{', '.join(repeated)} occurs twice; keep one")
    return dict(pairs)
