"""``captionlab experiment``: the labs' experiments, in groups by lab; each writes a table and a figure."""

from __future__ import annotations

import click

from captionlab.commands.experiments_lab1 import lab1
from captionlab.commands.experiments_lab2 import lab2
from captionlab.commands.experiments_lab3 import lab3
from captionlab.commands.experiments_lab4 import lab4


class LabsGroup(click.Group):
    """A group of labs that also answers to longer and shorter names of a lab, as other commands do."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        from captionlab.exercises import UnknownName, lab_name

        try:
            return super().get_command(ctx, lab_name(name).split("_")[0])
        except UnknownName:
            return None


@click.group(cls=LabsGroup)
def experiment() -> None:
    """Run an experiment of a lab; it writes a table and a figure.

    Results go to experiments/LAB/ in the current folder.
    """


for lab in (lab1, lab2, lab3, lab4):
    experiment.add_command(lab)
