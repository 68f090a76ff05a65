"""nbgrader's configuration: the release is generated from solutions/, captionlab's grader gives the points."""

from captionlab.instructor.nbgrader import (
    AUTOGRADE_STEPS,
    EXCHANGE,
    SANITIZE_STEPS,
    SubmittedNotebookExporter,
    install,
)
from captionlab.workbook.release import RELEASE_STEPS

c = get_config()  # noqa: F821  (nbgrader supplies it)

c.CourseDirectory.course_id = "captionlab"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
# Authored texts, which contain the rubrics, solution modules and backups of a forced build stay out of every release:
# RELEASE_STEPS write the students' version of a module.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.md", "*.py", "*.bak*"]

c.GenerateAssignment.preprocessors = RELEASE_STEPS
install()
c.Autograde.exporter_class = SubmittedNotebookExporter
c.Autograde.sanitize_preprocessors = SANITIZE_STEPS
c.Autograde.autograde_preprocessors = AUTOGRADE_STEPS

# The students' modules travel with their notebooks, through the exchange and from collected archives.
for action, exchange in EXCHANGE.items():
    setattr(c.ExchangeFactory, action, exchange)
c.FileNameCollectorPlugin.valid_ext = [".ipynb", ".py"]
