"""nbgrader's configuration: the release comes from solutions/, points come from captionlab's judge."""

from captionlab.instructor.nbgrader import AUTOGRADE_STEPS, SANITIZE_STEPS
from captionlab.workbook.release import RELEASE_STEPS

c = get_config()  # noqa: F821  (nbgrader supplies it)

c.CourseDirectory.course_id = "captionlab"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
# Authored texts (which hold the rubrics) and solution modules stay out of every release.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.md", "*.py"]

c.GenerateAssignment.preprocessors = RELEASE_STEPS
c.Autograde.sanitize_preprocessors = SANITIZE_STEPS
c.Autograde.autograde_preprocessors = AUTOGRADE_STEPS
