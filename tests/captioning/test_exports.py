"""The room's public names: imported when they are used, and without torch until then."""

from __future__ import annotations

import subprocess
import sys

import captionlab.captioning


def test_every_public_name_exists():
    for name in captionlab.captioning.__all__:
        assert getattr(captionlab.captioning, name).__name__ == name


def test_importing_the_room_or_its_settings_loads_no_torch():
    code = (
        "import sys, captionlab.captioning, captionlab.captioning.settings, captionlab.commands.caption\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'nltk')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_usual_import():
    from captionlab.captioning import Captioner, Decoder, beam_search

    assert (Captioner.__name__, Decoder.__name__, beam_search.__name__) == ("Captioner", "Decoder", "beam_search")
