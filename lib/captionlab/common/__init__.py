"""What every room needs: files that are replaced atomically, checkpoints, provenance, progress, lazy exports."""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "checkpoints": ["load_checkpoint", "save_checkpoint"],
        "files": ["write_atomically"],
        "provenance": ["cores", "without_folders"],
    },
)
