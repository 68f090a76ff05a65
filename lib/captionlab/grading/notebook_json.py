"""The JSON of a notebook file; what is wrong with it is said in plain words."""

from __future__ import annotations

import json
import re
from pathlib import Path

from captionlab.common.signatures import GIT_LFS, is_web_page
from captionlab.grading.submitted_file import UnreadableSubmission, read_text

MAX_DIGITS = 300  # of an integer; more are read as a float
CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})(?: .*)?\r?$", re.MULTILINE)
PYTHON = re.compile(r"^(?:import|from|def|class|async def) \w+", re.MULTILINE)
CUT_OFF = re.compile(r"[\w\\.+-]{0,12}\s*")  # what may be left of a value where a file was cut off
EXPECTED = {
    "Expecting ',' delimiter": "a comma was expected",
    "Expecting ':' delimiter": "a colon was expected",
    "Expecting value": "a value was expected",
    "Expecting property name enclosed in double quotes": "a name in double quotes was expected",
    "Illegal trailing comma before end of array": "no comma was expected",
    "Illegal trailing comma before end of object": "no comma was expected",
    "Invalid \\escape": "no backslash was expected",
}


def read_json(path: Path) -> object:
    """What the JSON of a submitted file holds, NaN and Infinity among it.

    Raises:
        UnreadableSubmission: unreadable, or not JSON; the message says where and what was found.
    """
    text = read_text(path)
    try:
        # Line breaks in strings are tolerated, and numbers that Python would not convert.
        return json.loads(text, strict=False, parse_int=_integer)
    except json.JSONDecodeError as error:
        reason = _what_is_wrong(text, error)
    except RecursionError:
        reason = "its JSON is nested too deeply"
    raise UnreadableSubmission(f"{path.name} is not a notebook: {reason}") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _what_is_wrong(text: str, error: json.JSONDecodeError) -> str:
    """Why a text is no JSON, and what to do."""
    start = text.strip()[:30]
    if not start:
        return "it is empty; save the notebook and submit it again"
    if start.startswith(GIT_LFS):
        return "it is a pointer of Git LFS; fetch the file with git lfs pull and submit that"
    if is_web_page(text):
        return "it is a web page, perhaps one to log in; download the notebook itself"
    if match := CONFLICT.search(text):
        found = match[0].strip()[:40]
        return f"line {_line(text, match.start())} is a conflict marker of git ({found}); resolve the conflict first"
    if start[0] not in "{[":
        if PYTHON.search(text):
            return "it is Python code, JSON was expected; rename it to end in .py, or submit the notebook"
        return f"it starts with {start!r}, JSON was expected"
    if re.match(r"[{\[]+\s*'", start):
        return "it has single quotes, as Python prints a dict; JSON was expected: save the notebook in Jupyter"
    if error.msg.startswith("Unterminated string") or CUT_OFF.fullmatch(text, error.pos):
        return f"it was cut off: it ends in line {_line(text.rstrip(), len(text))}; submit it again"
    return _broken(text, error)


def _broken(text: str, error: json.JSONDecodeError) -> str:
    found = text[error.pos : error.pos + 20].split("\n")[0].strip()
    line = _line(text, error.pos)
    if error.msg == "Extra data":
        return f"it goes on after its end, in line {line} ({found!r}); save the notebook in Jupyter and submit it again"
    expected = EXPECTED.get(error.msg, error.msg[:1].lower() + error.msg[1:])
    return f"its JSON is broken in line {line}: {expected}, found {found!r}; repair it, or submit an earlier version"


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
