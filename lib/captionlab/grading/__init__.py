"""Exercises, probes, the judge, the sandbox, and the path from a submission to a verdict. Knows no subject."""

from captionlab.common.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "credit": ["CheckResults", "CreditPolicy", "all_or_nothing", "beyond_free_credit", "squared_share"],
        "exercise": ["Exercise", "Lab", "grading_seed", "public_seed"],
        "finding": ["NoSubmissions", "find_submissions"],
        "observation": ["ProbeResult", "observe"],
        "pipeline": ["GradeReport", "Grader", "check_implementation"],
        "reader": ["read_submission"],
        "sandbox": ["Limits", "Sandbox", "SandboxUnavailable"],
        "secret": ["UnusableSecret", "course_secret"],
        "submission": ["Submission"],
        "submitted_file": ["SubmissionFile", "UnreadableSubmission"],
        "verdict": ["Difference", "Verdict", "format_points"],
    },
)
