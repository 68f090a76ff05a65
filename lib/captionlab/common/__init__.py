"""What every room needs: files that are replaced atomically, checkpoints, provenance, progress, lazy exports."""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "checkpoints": ["load_checkpoint", "load_weights", "save_checkpoint"],
        "files": ["write_atomically"],
        "logs": ["setup_logging"],
        "progress": ["make_progress", "progress_bar", "track"],
        "provenance": ["available_cores", "collect_provenance"],
    },
)
