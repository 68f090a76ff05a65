"""Which mutants are made of a source, and which are not."""

from __future__ import annotations

import textwrap

import pytest

from captionlab.grading.mutation import generate_mutants
from captionlab.grading.mutation.mutants import changed_lines

MODULES = frozenset({"torch", "np", "copy"})


def changes(source: str, **settings) -> set[tuple[str, str]]:
    """The changed lines, before and after, of all mutants."""
    return {one.key for one in generate_mutants(textwrap.dedent(source), modules=MODULES, **settings)}


def new_lines(expression: str, parameters: str = "x, y, n") -> set[str]:
    """What the mutants have in place of ``return expression``, less the word ``return``."""
    source = f"def f({parameters}):\n    return {expression}"
    return {new.removeprefix("return ") for old, new in changes(source) if new.startswith("return ")}


EXPRESSIONS = {
    "x + y": {"x - y"},
    "x - y": {"x + y"},
    "x * y": {"x / y", "x + y"},
    "x / y": {"x * y", "x // y"},
    "x // y": {"x / y", "x * y"},
    "x % y": {"x // y", "x * y"},
    "x ** y": {"x * y"},
    "x @ y": {"x * y"},
    "x < y": {"x <= y", "x > y"},
    "x >= y": {"x > y", "x <= y"},
    "x == y": {"x != y"},
    "x is None": {"x is not None"},
    "x not in y": {"x in y"},
    "x and y": {"x or y", "x", "y"},
    "not x": {"x"},
    "-x": {"x"},
    "x[7]": {"x[8]", "x[6]", "x[0]"},
    "x[-1]": {"x[1]", "x[0]", "x[-2]"},
    "x + 0.5": {"x - 0.5", "x + 1.5", "x + 0.0"},
    "True": {"False"},
    "'word'": {"'wordX'"},
    "f(x, y)": {"f(y, x)"},
    "f(x, flag=True)": {"f(x)", "f(x, flag=False)"},
    "x.transpose(1, 2)": {
        "x.view(1, 2)",
        "x",
        *(f"x.transpose({dims})" for dims in ("2, 2", "0, 2", "1, 3", "1, 1", "1, 0")),
    },
    "x.sum(dim=1)": {"x.mean(dim=1)", "x.sum()", "x.sum(dim=2)", "x.sum(dim=0)"},
    "max(x, y)": {"min(x, y)"},
    "np.sqrt(x)": {"x"},
    "x.clip(0)": {"x", "x.clip(1)", "x.clip(-1)"},
    "torch.relu(x)": {"torch.tanh(x)", "x"},
    "copy.deepcopy(x)": {"copy.copy(x)", "x"},
    "x.copy()": {"x"},
    "x.detach()": {"x"},
    "list(x)": {"x"},
    "sorted(y)": {"sorted(y, reverse=True)", "y", "y.sort() or y"},
    "range(n)": {"range(n + 1)", "range(n - 1)"},
    "zip(x, y, strict=True)": {"zip(y, x, strict=True)"},
    "[a for a in x if a]": {"[a for a in x]"},
    "x if n else y": {"x", "y"},
    "(x, y)": {"(y, x)"},
    "x[n:y]": {"x[:y]", "x[n:]", "x[n + 1:y]", "x[n:y - 1]"},
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(expression):
    found = new_lines(expression) - {"None"}
    assert found >= EXPRESSIONS[expression]
    assert not {one for one in found - EXPRESSIONS[expression] if "detach" not in one}


def test_a_returned_or_assigned_tensor_is_detached_where_torch_is_used():
    source = """
        def f(x, y):
            z = torch.exp(x)
            return z, y.argmax()
    """
    assert {
        ("z = torch.exp(x)", "z = torch.exp(x).detach()"),
        ("return (z, y.argmax())", "return (z.detach(), y.argmax())"),
    } <= changes(source)
    assert ("return (z, y.argmax())", "return (z, y.argmax().detach())") not in changes(source)
    assert not any("detach" in new for _, new in changes(source.replace("torch", "math")))


def test_nothing_is_detached_where_no_gradient_is_computed():
    source = """
        def f(x):
            with torch.no_grad():
                y = torch.exp(x)
            z = torch.exp(x)
    """
    assert [old for old, new in changes(source) if "detach" in new] == ["z = torch.exp(x)"]
    assert not [new for _, new in changes("@torch.no_grad()\ndef f(x): return torch.exp(x)") if "detach" in new]


def test_parameters_are_changed_in_place():
    source = """
        def f(x, y):
            x = x * 2
            z = y / torch.pi
            return x.clamp(min=1)
    """
    assert {
        ("x = x * 2", "x *= 2"),
        ("z = y / torch.pi", "z = y.div_(torch.pi)"),
        ("return x.clamp(min=1)", "return x.clamp_(min=1)"),
    } <= changes(source)


def test_statements_are_deleted_where_names_stay_defined():
    source = """
        def f(x):
            only = x
            x = only + 1
            x.append(only)
            with lock:
                x += 1
            for one in x:
                if one:
                    continue
            if x < 0:
                raise ValueError("negative")
            return x
    """
    found = changes(source)
    assert {
        ("x = only + 1", ""),
        ("x.append(only)", ""),
        ("with lock:", ""),
        ("x += 1", "pass"),
        ("x += 1", "x = 1"),
        ("x += 1", "x -= 1"),
        ("continue", "pass"),
        ("continue", "break"),
        ("if one:", "if True:"),
        ("if one:", "if False:"),
        ("if x < 0:\nraise ValueError(...)", ""),
        ("raise ValueError(...)", "raise AssertionError(...)"),
        ("return x", "return None"),
    } <= found
    assert not {("only = x", ""), ("if x < 0:", "if False:")} & found


def test_statements_that_depend_on_each_other_are_exchanged():
    source = """
        def f(x, other):
            x += 1
            y = 2 * x
            z = [n for n in x]
            n = [z for z in (3, 4)]
            other.clear()
            other.fill(y)
            first.append(y)
            second.append(z)
            return x, y, z
    """
    found = {(old, new) for old, new in changes(source) if sorted(old.split("\n")) == sorted(new.split("\n"))}
    assert found == {
        ("x += 1\ny = 2 * x", "y = 2 * x\nx += 1"),
        ("other.clear()\nother.fill(y)", "other.fill(y)\nother.clear()"),
        ("other.fill(y)\nfirst.append(y)", "first.append(y)\nother.fill(y)"),
    }
    (line,) = {
        one.line for one in generate_mutants("def f(x):\n    x = 1\n    x += 2\n    y = x") if "y = x\nx" in one.new
    }
    assert line == 3


def test_defaults_of_parameters_are_changed_and_none_stays():
    assert changes("def f(x, n=1, flag=True, size=None): pass") == {
        ("def f(x, n=1, flag=True, size=None):", f"def f(x, {new}, size=None):")
        for new in ("n=2, flag=True", "n=0, flag=True", "n=1, flag=False")
    }


def test_texts_for_readers_annotations_and_decorators_are_left_alone():
    source = '''
        @cache(size=3)
        def f(x: Literal[1] = None) -> Literal[2]:
            """Two plus 2."""
            y: Literal[3] = x
            raise ValueError(f"found {x + 1}")
    '''
    assert {new for _, new in changes(source)} == {"", "raise AssertionError(...)"}


def test_only_the_methods_that_students_write_are_changed():
    source = """
        class Layer:
            def __init__(self):
                self.size = 1

            def forward(self, x):
                return x + self.size
    """
    both = {one.line for one in generate_mutants(textwrap.dedent(source))}
    assert both == {4, 7}
    assert {one.line for one in generate_mutants(textwrap.dedent(source), methods=["forward"], first_line=12)} == {18}


def test_each_mutant_is_made_once_and_says_where_and_what():
    found = generate_mutants("def f(x):\n    return x * 1", first_line=12)
    assert len({one.source for one in found}) == len(found)
    assert "line 13: '*' -> '/'" in [one.description for one in found]


def test_changed_lines_ignore_indentation():
    assert changed_lines("with a:\n    b\n    c\nd", "b\nc\nd") == ("with a:", "")


def test_only_a_function_or_a_class_has_mutants():
    with pytest.raises(ValueError, match="expected a function or class, found: x = 1"):
        generate_mutants("x = 1")
