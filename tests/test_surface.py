"""What people may call: listed, documented, annotated, and easy to call."""

import ast
import inspect
from pathlib import Path

import pytest

import mhsm_forensics as mf

PACKAGE = Path(mf.__file__).parent
ROOMS = [
    "analyse",
    "detect",
    "plot",
    "report",
    "engine",
    "ingest",
    "known",
    "case",
    "export",
    "overview",
    "operations",
    "playbook",
    "search",
    "schema",
]


def public_functions():
    for room in ROOMS:
        module = getattr(mf, room)
        names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        for name in names:
            function = getattr(module, name)
            if inspect.isfunction(function) and function.__module__.startswith(module.__name__):
                yield pytest.param(function, id=f"{room}.{name}")


@pytest.mark.parametrize("name", mf.__all__)
def test_every_listed_name_is_there(name):
    assert getattr(mf, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_room"):
        mf.no_such_room  # noqa: B018


@pytest.mark.parametrize("function", list(public_functions()))
def test_public_functions_are_documented_annotated_and_easy_to_call(function):
    signature = inspect.signature(function)
    positional = [p for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]

    assert function.__doc__
    assert signature.return_annotation is not signature.empty
    assert all(parameter.annotation is not parameter.empty for parameter in signature.parameters.values())
    assert len(positional) <= 4


def test_strings_of_questions_live_in_queries():
    """A SELECT in Python is the loader's own book-keeping; questions are files."""
    for room in ("analyse", "detect", "plot", "report", "overview"):
        for path in [PACKAGE / f"{room}.py", *(PACKAGE / room).glob("*.py")]:
            if path.exists():
                texts = [n.value for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Constant)]
                assert not [text for text in texts if isinstance(text, str) and text.lstrip().startswith("SELECT ")]
