"""What a lab asks of students: exercises, each with its probe, its points and its misconceptions.

A lab file reads as a list of exercises::

    lab = Lab("lab1_vgg16", title="VGG16 and its parameters", package=__name__)

    @lab.exercise("captionlab.convnets.arithmetic:conv_output_size", points=2, minutes=10)
    def probe_conv_output_size(conv_output_size, rng):
        for size, kernel in draw_cases(rng):
            yield f"size {size}, kernel {kernel}", conv_output_size(size, kernel)

    @lab.misconception("conv_output_size", hint="A window that does not fit is dropped: round down.")
    def rounds_up(size, kernel, stride=1, padding=0): ...

The reference is named, never imported here: a process that runs student code loads the probes but not the
solutions.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from captionlab.grading.credit import CreditPolicy, squared_share
from captionlab.grading.misconception import Misconception

Probe = Callable[..., Iterator[tuple]]  # of (label, value) or (label, value, weight)
Wrong = TypeVar("Wrong", bound=Callable)


@dataclass(eq=False)  # an exercise is itself, and can key a cache
class Exercise:
    """A reference that students must write.

    Attributes:
        lab: name of the lab, such as ``"lab1_vgg16"``.
        reference: ``"module:attribute"``, of the right implementation.
        probe: generator function ``probe(implementation, rng)`` of ``(label, value)`` pairs; a third element is the
            weight of the check in partial credit, 1 by default.
        points: points of a right answer.
        minutes: time box for students.
        difficulty, importance: 1 (low) to 5 (high).
        rtol, atol: tolerances of the judge for floating-point observations.
        check_dtype: whether an array's dtype counts.
        student_methods: methods students write, if the reference is a class (the rest is given).
        starter: name of the misconception students start from (a find-the-bug exercise), or None.
        credit: what share of the points a partly right answer earns; by default the lab's policy.
        paper: whether the reference is for understanding only, such as arithmetic on paper; the library never calls it.
        misconceptions: by name.
        other_spellings: by name, other implementations of a misconception, with the name of that misconception.
    """

    lab: str
    reference: str
    probe: Probe
    points: float
    minutes: int
    difficulty: int
    importance: int
    rtol: float
    atol: float
    check_dtype: bool
    student_methods: tuple[str, ...]
    starter: str | None
    credit: CreditPolicy
    paper: bool
    misconceptions: dict[str, Misconception] = field(default_factory=dict)
    other_spellings: dict[str, tuple[str, Misconception]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.reference.rpartition(":")[2]

    def load_reference(self) -> Callable:
        """Import and return the right implementation. Never called where student code runs."""
        module, _, attribute = self.reference.partition(":")
        return getattr(importlib.import_module(module), attribute)


class Lab:
    """A lab's exercises, in the order of its text."""

    def __init__(
        self,
        name: str,
        title: str,
        *,
        package: str,
        module_filename: str | None = None,
        preload: tuple[str, ...] = (),
        credit: CreditPolicy = squared_share,
    ) -> None:
        """Create a lab without exercises.

        Args:
            name: such as ``"lab1_vgg16"``.
            title: as readers see it.
            package: importable name of the package that has this object as ``lab``.
            module_filename: name of the file students complete, such as ``"captioning.py"``, if the lab has one.
            preload: libraries that the lab's notebook imports; a worker loads them once, not for each exercise.
            credit: what share of its points a partly right exercise earns (see :mod:`captionlab.grading.credit`).
        """
        self.name = name
        self.title = title
        self.package = package
        self.module_filename = module_filename
        self.preload = preload
        self.credit = credit
        self.exercises: dict[str, Exercise] = {}

    def __repr__(self) -> str:
        return f"Lab({self.name!r}, {len(self.exercises)} exercises)"

    @property
    def max_points(self) -> float:
        """Points of all automatically graded exercises (written answers are not among them)."""
        return sum(exercise.points for exercise in self.exercises.values())

    def exercise(
        self,
        reference: str,
        *,
        points: float,
        minutes: int,
        difficulty: int = 2,
        importance: int = 3,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        check_dtype: bool = False,
        student_methods: tuple[str, ...] = ("forward",),
        starter: str | None = None,
        credit: CreditPolicy | None = None,
        paper: bool = False,
    ) -> Callable[[Probe], Probe]:
        """Decorate a probe to make its reference an exercise of this lab (see :class:`Exercise`)."""

        def register(probe: Probe) -> Probe:
            made = Exercise(
                lab=self.name,
                reference=reference,
                probe=probe,
                points=points,
                minutes=minutes,
                difficulty=difficulty,
                importance=importance,
                rtol=rtol,
                atol=atol,
                check_dtype=check_dtype,
                student_methods=student_methods,
                starter=starter,
                credit=credit or self.credit,
                paper=paper,
            )
            if made.name in self.exercises:
                raise ValueError(f"{self.name} has two exercises named {made.name}; names must differ")
            self.exercises[made.name] = made
            return probe

        return register

    def misconception(self, exercise: str, *, hint: str = "", another: str | None = None) -> Callable[[Wrong], Wrong]:
        """Decorate a wrong implementation to make it a misconception of ``exercise``, named after it.

        Args:
            exercise: name of an exercise of this lab.
            hint: what helps out of it.
            another: the misconception that this is another spelling of, instead of a hint.
        """

        def register(implementation: Wrong) -> Wrong:
            name = implementation.__name__
            self._add(exercise, Misconception(name, hint, written_out=implementation), another)
            return implementation

        return register

    def misconceptions(self, exercise: str, **edited: tuple[str, Mapping[str, str]] | tuple[str, dict, str]) -> None:
        """Add misconceptions of ``exercise`` that say only what they change.

        Args:
            exercise: name of an exercise of this lab.
            edited: name of each misconception, with its hint, its edits of the reference and, if they need any, lines
                of imports; see :class:`~captionlab.grading.misconception.Misconception`.
        """
        reference = self.exercises[exercise].reference
        for name, (hint, edits, *imports) in edited.items():
            wrong = Misconception(name, hint, reference=reference, edits=edits, imports="\n".join(imports))
            self._add(exercise, wrong)

    def other_spellings(self, exercise: str, **edited: list[Mapping[str, str]]) -> None:
        """Add other ways to write misconceptions of ``exercise``, each as edits of the reference.

        Args:
            exercise: name of an exercise of this lab.
            edited: name of a misconception it has, with the edits of each of the other spellings.
        """
        reference = self.exercises[exercise].reference
        for name, spellings in edited.items():
            for number, edits in enumerate(spellings, 2):
                self._add(exercise, Misconception(f"{name}_{number}", "", reference=reference, edits=edits), name)

    def _add(self, exercise: str, misconception: Misconception, another: str | None = None) -> None:
        known = self.exercises[exercise]
        if misconception.name in known.misconceptions or misconception.name in known.other_spellings:
            raise ValueError(f"{exercise} has two misconceptions named {misconception.name}; names must differ")
        if another is None:
            known.misconceptions[misconception.name] = misconception
        elif another in known.misconceptions:
            known.other_spellings[misconception.name] = (another, misconception)
        else:
            raise ValueError(f"{exercise} has no misconception {another}; it has {', '.join(known.misconceptions)}")


def public_seed(exercise: Exercise) -> int:
    """The seed of the check students run; the same for everyone."""
    digest = hashlib.sha256(f"public|{exercise.lab}|{exercise.name}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def grading_seed(secret: bytes, exercise: Exercise, student: str) -> int:
    """The hidden seed of one student's exercise: HMAC-SHA256(secret, lab | exercise | student)."""
    message = f"{exercise.lab}|{exercise.name}|{student}".encode()
    return int.from_bytes(hmac.new(secret, message, hashlib.sha256).digest()[:8], "big")
