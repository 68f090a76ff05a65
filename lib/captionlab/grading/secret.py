"""The course's secret, from which the hidden seeds are derived."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

SECRET_FILE = Path(".captionlab") / "secret"
SECRET_VARIABLE = "CAPTIONLAB_SECRET"


class UnusableSecret(Exception):
    """The secret is there but cannot be used; the message says what to do."""


def course_secret(folder: Path = Path(".")) -> bytes:
    """The secret from which grading seeds are derived.

    It is taken from the environment variable ``CAPTIONLAB_SECRET`` or from the file ``.captionlab/secret``, which is
    created on first use.

    Args:
        folder: the course's folder.

    Raises:
        UnusableSecret: the file is empty.
        OSError: the file can be neither read nor created.
    """
    given = os.environ.get(SECRET_VARIABLE)
    if given:
        return given.encode()
    path = folder / SECRET_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another run was first
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
    secret = path.read_text(encoding="utf-8", errors="replace").strip()
    if not secret:
        raise UnusableSecret(f"the secret in {path} is empty; delete the file and a new secret is created")
    return secret.encode()
