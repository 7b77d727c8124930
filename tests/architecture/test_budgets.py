"""Limits that keep the code readable, safe to open and quick to start.

A limit that no test runs does not exist. They hold for every file found, so nothing has to be
registered here when a module is added.
"""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "bakeoff"
TESTS = ROOT / "tests"

SOURCE_LINES = 500
TEST_LINES = 600
FUNCTION_LINES = 60
PARAMETERS = 8

UNSAFE_MODULES = frozenset({"_pickle", "cloudpickle", "dill", "marshal", "pickle", "shelve"})
UNSAFE_CALLS = frozenset(
    {
        "joblib.load",
        "torch.load",
        "yaml.load",
        "yaml.load_all",
        "yaml.full_load",
        "yaml.unsafe_load",
        "eval",
        "exec",
    }
)

HELP_SECONDS = 0.2
IMPORT_SECONDS = 0.15
RUNS = 7
# An idle interpreter starts within this. Where it does not, the machine is slow or busy, and the
# budgets grow in the same proportion.
IDLE_SECONDS = 0.03

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node


def at(path: Path, node: ast.AST | None = None) -> str:
    line = f":{getattr(node, 'lineno', 1)}" if node else ""
    return f"{path.relative_to(ROOT)}{line}"


def check(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


def everything() -> tuple[Path, ...]:
    return files(PACKAGE) + files(TESTS)


def test_files_are_short() -> None:
    faults = []
    for folder, limit in ((PACKAGE, SOURCE_LINES), (TESTS, TEST_LINES)):
        for path in files(folder):
            count = len(path.read_text(encoding="utf-8").splitlines())
            if count > limit:
                faults.append(f"{at(path)}: {count} lines, at most {limit}")
    check(faults)


def test_functions_are_short() -> None:
    faults = []
    for path in everything():
        for node in functions(path):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES:
                faults.append(
                    f"{at(path, node)}: {node.name} has {count} lines, at most {FUNCTION_LINES}"
                )
    check(faults)


def parameter_count(function: Function) -> int:
    """The parameters a caller can pass, the object itself apart."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    if named and named[0].arg in {"self", "cls"}:
        named = named[1:]
    rest = [arguments.vararg, arguments.kwarg]
    return len(named) + len(arguments.kwonlyargs) + sum(entry is not None for entry in rest)


def names_every_parameter(path: Path, function: Function) -> bool:
    """scikit-learn reads an estimator's parameters off `__init__`, which must name each of them."""
    return function.name == "__init__" and path.parent == PACKAGE / "estimators"


def test_functions_take_few_parameters() -> None:
    faults = [
        f"{at(path, node)}: {node.name} takes {count} parameters, at most {PARAMETERS}"
        for path in everything()
        for node in functions(path)
        if (count := parameter_count(node)) > PARAMETERS and not names_every_parameter(path, node)
    ]
    check(faults)


def test_no_star_imports() -> None:
    faults = [
        f"{at(path, node)}: import * from {node.module}"
        for path in everything()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]
    check(faults)


def test_modules_say_what_they_are() -> None:
    check([at(path) for path in everything() if not ast.get_docstring(tree(path))])


def undocumented(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | Function]:
    """The public functions, classes and methods below a node that have no docstring."""
    for child in node.body:
        if not isinstance(child, ast.ClassDef | Function) or child.name.startswith("_"):
            continue
        decorators = {ast.unparse(entry).split(".")[-1] for entry in child.decorator_list}
        if not ast.get_docstring(child) and not decorators & {"overload", "setter", "override"}:
            yield child
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child)


def test_public_names_are_documented() -> None:
    faults = [
        f"{at(path, node)}: {node.name} has no docstring"
        for path in files(PACKAGE)
        for node in undocumented(tree(path))
    ]
    check(faults)


def test_every_module_has_its_tests() -> None:
    faults = []
    for path in files(PACKAGE):
        if path.stem in {"__init__", "__main__"}:
            continue
        folder = TESTS / path.relative_to(PACKAGE).parent
        expected = folder / f"test_{path.stem.lstrip('_')}.py"
        if not expected.exists():
            faults.append(f"{at(path)}: no {at(expected)}")
    check(faults)


def unsafe(node: ast.AST) -> str | None:
    """What makes a node able to run code from a file, or None."""
    if isinstance(node, ast.Import):
        names = {alias.name.split(".")[0] for alias in node.names}
        return next(iter(names & UNSAFE_MODULES), None)
    if isinstance(node, ast.ImportFrom):
        origin = (node.module or "").split(".")[0]
        taken = {f"{origin}.{alias.name}" for alias in node.names}
        return origin if origin in UNSAFE_MODULES else next(iter(taken & UNSAFE_CALLS), None)
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called in UNSAFE_CALLS or called.endswith("read_pickle"):
            return f"{called}()"
    if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
        off = isinstance(node.value, ast.Constant) and node.value.value is False
        return None if off else "allow_pickle"
    return None


def test_files_from_outside_are_never_run() -> None:
    faults = [
        f"{at(path, node)}: {fault}"
        for path in files(PACKAGE)
        for node in ast.walk(tree(path))
        if (fault := unsafe(node))
    ]
    check(faults)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("from torch import load", "torch.load"),
        ("torch.load(path)", "torch.load()"),
        ("yaml.load(text)", "yaml.load()"),
        ("np.load(path, allow_pickle=True)", "allow_pickle"),
        ("np.load(path, allow_pickle=False)", None),
        ("yaml.safe_load(text)", None),
        ("model.eval()", None),
        ("json.load(file)", None),
    ],
)
def test_unsafe_calls_are_seen(source: str, fault: str | None) -> None:
    found = [entry for node in ast.walk(ast.parse(source)) if (entry := unsafe(node))]
    assert found == ([fault] if fault else [])


def test_parameters_are_counted() -> None:
    source = "def f(self, a, /, b, *c, d, **e): ..."
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert parameter_count(function) == 5


def fastest(*arguments: str) -> float:
    """Seconds of the fastest of some starts of the interpreter."""
    paths = [str(SOURCE), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    seconds = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def assert_quick(budget: float, *arguments: str) -> None:
    """Fails if an interpreter with these arguments takes longer than the budget."""
    idle = fastest("-c", "pass")
    allowed = budget * max(1.0, idle / IDLE_SECONDS)
    taken = fastest(*arguments)
    assert taken <= allowed, (
        f"{taken:.3f} s, budget {budget} s, here {allowed:.3f} s "
        f"(an empty interpreter takes {idle:.3f} s); see python -X importtime {' '.join(arguments)}"
    )


def test_the_package_loads_quickly() -> None:
    if not (PACKAGE / "__init__.py").exists():
        pytest.skip("no bakeoff/__init__.py yet")
    assert_quick(IMPORT_SECONDS, "-c", "import bakeoff")


def test_help_comes_quickly() -> None:
    if not (PACKAGE / "cli" / "__init__.py").exists():
        pytest.skip("no bakeoff/cli yet")
    assert_quick(HELP_SECONDS, "-c", "from bakeoff.cli import main; main()", "--help")
