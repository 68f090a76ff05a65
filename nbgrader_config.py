"""nbgrader's configuration: the release comes from solutions/, points come from captionlab's judge."""

from captionlab.instructor.nbgrader import AUTOGRADE_STEPS, EXCHANGE, SANITIZE_STEPS
from captionlab.workbook.release import RELEASE_STEPS

c = get_config()  # noqa: F821  (nbgrader supplies it)

c.CourseDirectory.course_id = "captionlab"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "labs"
# Authored texts (which hold the rubrics) and solution modules stay out of every release: what students receive of a
# module is cut from it by the last of RELEASE_STEPS.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.md", "*.py"]

c.GenerateAssignment.preprocessors = RELEASE_STEPS
c.Autograde.sanitize_preprocessors = SANITIZE_STEPS
c.Autograde.autograde_preprocessors = AUTOGRADE_STEPS

# The students' modules travel with their notebooks, through the exchange and from collected archives.
for direction, way in EXCHANGE.items():
    setattr(c.ExchangeFactory, direction, way)
c.FileNameCollectorPlugin.valid_ext = [".ipynb", ".py"]
