"""What instructors receive: the record of a graded class, its exporters, and nbgrader's grades."""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "exporters": ["EXPORTERS", "export", "load_exporter"],
        "record": ["RECORD_VERSION", "ClassRecord", "ExerciseRecord", "StudentRecord", "class_record"],
    },
)
