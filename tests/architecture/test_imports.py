"""Which way the code points, read from its imports.

    cli | estimators -> study -> execution -> techniques | analysis
                     -> models | scratch | training | data | report -> core

A package imports only packages to its right, the ones joined by "|" are blind to each other, and
no module depends on itself through others. Every import counts: inside functions and for type
checkers too. Beside the arrows stand the libraries that must not load before they are needed.
"""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
PACKAGE = "bakeoff"

# Every package of src/bakeoff, from the deepest up. Those in one group are blind to each other.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"data", "models", "report", "scratch", "studies", "training"}),
    frozenset({"analysis", "techniques"}),
    frozenset({"execution"}),
    frozenset({"study"}),
    frozenset({"cli", "estimators"}),
    frozenset({"__main__"}),
)
# The face of the whole: it imports anything, but beyond `core` only once asked, and nothing depends
# on it.
FACES = frozenset({"__init__"})

HEAVY = frozenset({"keras", "scipy", "sklearn", "tensorflow", "torch", "transformers"})
# The module of `study` that computes with SciPy, which loads when it computes, not with the study.
STATISTICAL = "statistics"


@dataclass(frozen=True)
class Import:
    """One import statement's target, as a module of ours or a library's top name."""

    target: str
    line: int
    lazy: bool  # inside a function
    typing_only: bool  # under `if TYPE_CHECKING`


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((SOURCE / PACKAGE).rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def kernels() -> frozenset[str]:
    """The modules that are compiled, where there is a compiler."""
    paths = (SOURCE / PACKAGE).rglob("*.pyx")
    return frozenset(".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in paths)


def place(module: str) -> str:
    """The part of the package a module belongs to: "core" for `bakeoff.core.streams`."""
    return module.split(".")[1] if "." in module else "__init__"


def rank(module: str) -> int:
    """How far up a module stands, from 0; a part that is in no layer is a mistake."""
    for number, layer in enumerate(LAYERS):
        if place(module) in layer:
            return number
    raise AssertionError(f"{module}: {place(module)!r} stands in no layer of {__file__}")


def is_typing_guard(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def statements(
    node: ast.AST, lazy: bool = False, typing_only: bool = False
) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Every node below `node` with whether it is in a function, and for type checkers alone."""
    inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    guarded: list[ast.stmt] = []
    if isinstance(node, ast.If) and is_typing_guard(node.test):
        guarded = node.body
    for child in ast.iter_child_nodes(node):
        unseen = typing_only or child in guarded
        yield child, inside, unseen
        yield from statements(child, inside, unseen)


def absolute(module: str, node: ast.ImportFrom) -> str:
    """The dotted name a `from` statement names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    is_package = modules()[module].name == "__init__.py"
    parts = module.split(".")
    base = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*base, *([node.module] if node.module else [])])


def targets(module: str, node: ast.AST) -> list[str]:
    """What a node imports: a module of ours in full, a library, or nothing."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        origin = absolute(module, node)
        names = [f"{origin}.{alias.name}" for alias in node.names]
        # `from bakeoff.core import streams` names a module, `... import Cell` a thing in one.
        known = modules().keys() | kernels()
        return sorted({name if name in known else origin for name in names})
    if (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"import_module", "importlib.import_module", "__import__"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ):
        return [node.args[0].value]
    return []


@cache
def imports(module: str) -> tuple[Import, ...]:
    """Every import of a module, wherever in it."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    found = []
    for node, lazy, typing_only in statements(tree):
        for target in targets(module, node):
            line = getattr(node, "lineno", 0)
            found.append(Import(target, line, lazy, typing_only))
    return tuple(found)


def ours(module: str) -> list[Import]:
    """The imports of a module that stay inside the package."""
    return [entry for entry in imports(module) if entry.target.split(".")[0] == PACKAGE]


def libraries(module: str) -> list[Import]:
    """The imports of a module from outside the package, `target` cut to the top name."""
    return [
        Import(entry.target.split(".")[0], entry.line, entry.lazy, entry.typing_only)
        for entry in imports(module)
        if entry.target.split(".")[0] != PACKAGE
    ]


def arrow_fault(module: str, entry: Import) -> str | None:
    """What is wrong with one import inside the package, or None."""
    here, there = place(module), place(entry.target)
    if here in FACES:
        at_start = not entry.lazy and not entry.typing_only and there != "core"
        return "this loads with the whole package; import it when asked" if at_start else None
    if entry.target == PACKAGE:
        names = imported_names(module, entry.line)
        if names and all(name.startswith("__") for name in names):
            return None  # __version__ and the like, which are there before anything is imported
        return f"import from the module that defines it, not from {PACKAGE!r}"
    if there in FACES:
        return f"nothing depends on {there!r}"
    if entry.target not in modules() and entry.target not in kernels():
        return "there is no such module"
    if here == there or rank(entry.target) < rank(module):
        return None
    if rank(entry.target) == rank(module):
        return f"{here!r} and {there!r} are blind to each other"
    return f"{here!r} lies below {there!r}"


def imported_names(module: str, line: int) -> list[str]:
    """The names taken by the `from` statement on a line."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    return [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.lineno == line
        for alias in node.names
    ]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The circles of a graph, one for each group of nodes that reach each other."""
    done: set[str] = set()
    found = []

    def visit(node: str, trail: list[str]) -> None:
        if node in trail:
            found.append([*trail[trail.index(node) :], node])
        elif node not in done:
            for other in sorted(graph.get(node, ())):
                visit(other, [*trail, node])
            done.add(node)

    for node in sorted(graph):
        visit(node, [])
    return found


def where(module: str, entry: Import) -> str:
    path = modules()[module].relative_to(SOURCE.parent)
    return f"{path}:{entry.line}: imports {entry.target}"


def test_arrows_point_one_way() -> None:
    faults = [
        f"{where(module, entry)}: {fault}"
        for module in modules()
        for entry in ours(module)
        if (fault := arrow_fault(module, entry))
    ]
    assert not faults, "\n" + "\n".join(faults)


def test_every_part_stands_in_a_layer() -> None:
    known = FACES.union(*LAYERS)
    assert {place(module) for module in modules()} <= known


def test_no_circles() -> None:
    graph = {
        module: {entry.target for entry in ours(module) if entry.target != module}
        for module in modules()
        if place(module) not in FACES
    }
    found = [" -> ".join(circle) for circle in circles(graph)]
    assert not found, "\n" + "\n".join(found)


def test_scratch_is_numpy_alone() -> None:
    allowed = {"numpy", "__future__", *sys.stdlib_module_names}
    faults = [
        where(module, entry)
        for module in modules()
        if place(module) == "scratch"
        for entry in libraries(module)
        if entry.target not in allowed
    ]
    assert not faults, "\n" + "\n".join(faults)


def test_training_is_framework_free_but_for_its_frameworks() -> None:
    faults = [
        where(module, entry)
        for module in modules()
        if place(module) == "training" and module.split(".")[2:3] not in (["torch"], ["keras"])
        for entry in libraries(module)
        if entry.target in HEAVY
    ]
    assert not faults, "\n" + "\n".join(faults)


def canonical(requirement: str) -> str:
    """The name of a distribution, or of what is required, in the one spelling of PEP 503."""
    found = re.match(r"[\w.-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def declared() -> set[str]:
    """Every distribution that an installation may ask for: the dependencies and all extras."""
    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return {canonical(entry) for part in (project["dependencies"], *extras) for entry in part}


def test_every_library_is_declared() -> None:
    """What comes along with another library today may not tomorrow."""
    known, distributions = declared(), packages_distributions()
    faults = [
        where(module, entry)
        for module in modules()
        for entry in libraries(module)
        if entry.target not in sys.stdlib_module_names
        # Of a library that is not installed, the name is all there is to go by.
        and not known & set(map(canonical, distributions.get(entry.target, [entry.target])))
    ]
    assert not faults, "\n" + "\n".join(faults)


FRAMEWORKS = {
    "tensorflow": {f"{PACKAGE}.training.keras.library"},
    "keras": {f"{PACKAGE}.training.keras.library"},
}
"""Libraries that one module alone imports: the others take them from there, loaded as we want."""


def test_tensorflow_is_loaded_in_one_place() -> None:
    faults = [
        where(module, entry)
        for module in modules()
        for entry in libraries(module)
        if module not in FRAMEWORKS.get(entry.target, {module})
    ]
    assert not faults, "\n" + "\n".join(faults)


def test_keras_is_seen_by_its_own_modules_alone() -> None:
    """Beside them: the conversion of networks, and numerics when asked."""
    own, engine = f"{PACKAGE}.training.keras", f"{PACKAGE}.techniques.frameworks.keras"
    faults = [
        where(module, entry)
        for module in modules()
        if module != engine and not module.startswith(own)
        for entry in ours(module)
        if entry.target.startswith(own) and not entry.lazy
    ]
    assert not faults, "\n" + "\n".join(faults)


def loads_light(module: str) -> bool:
    """Whether a module must load without torch, TensorFlow, SciPy, scikit-learn, transformers."""
    if place(module) == "cli":
        return module == f"{PACKAGE}.cli"  # the commands behind it load when they run
    if module.startswith(f"{PACKAGE}.techniques.frameworks."):
        return module.endswith(".numpy")  # the others are their frameworks' own
    light = {"__init__", "core", "report", "studies", "study", "techniques"}
    return place(module) in light


def test_light_modules_import_nothing_heavy() -> None:
    faults = []
    for module in filter(loads_light, modules()):
        for entry in libraries(module):
            at_start = not entry.lazy and not entry.typing_only
            if entry.target in HEAVY and at_start:
                faults.append(f"{where(module, entry)} at module level")
    assert not faults, "\n" + "\n".join(faults)


def test_estimators_alone_load_scikit_learn() -> None:
    faults = [
        f"{where(module, entry)} at module level"
        for module in modules()
        if place(module) != "estimators"
        for entry in libraries(module)
        if entry.target == "sklearn" and not entry.lazy and not entry.typing_only
    ]
    assert not faults, "\n" + "\n".join(faults)


def test_study_computes_with_scipy_in_its_statistics_alone() -> None:
    faults = [
        where(module, entry)
        for module in modules()
        if place(module) == "study" and module.split(".")[-1] != STATISTICAL
        for entry in libraries(module)
        if entry.target == "scipy"
    ]
    assert not faults, "\n" + "\n".join(faults)


PROBE = """
import importlib, json, sys
heavy = set(json.loads(sys.argv[1]))
loaded = {}
for name in sys.argv[2:]:
    before = heavy & sys.modules.keys()
    importlib.import_module(name)
    loaded[name] = sorted(heavy & sys.modules.keys() - before)
print(json.dumps({name: new for name, new in loaded.items() if new}))
"""


@pytest.mark.parametrize(
    "part", ["__init__", "core", "scratch", "studies", "techniques", "study", "report", "cli"]
)
def test_loading_leaves_heavy_libraries_out(part: str) -> None:
    """Imports every light module of a part in a fresh interpreter and looks at what came along."""
    light = [
        module
        for module in modules()
        if place(module) == part and (loads_light(module) or part == "scratch")
    ]
    if not light:
        pytest.skip(f"no {PACKAGE}.{part} yet")
    paths = [str(SOURCE), os.environ.get("PYTHONPATH", "")]
    result = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(sorted(HEAVY)), *light],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {}


# The reader itself, on sources made for it.


def test_reader_tells_lazy_and_typing_imports_apart() -> None:
    tree = ast.parse(
        "import a\n"
        "if TYPE_CHECKING:\n    import b\nelse:\n    import c\n"
        "class K:\n    import d\n    def f(self):\n        import e\n"
        "try:\n    import g\nexcept ImportError:\n    pass\n"
    )
    found = {
        node.names[0].name: (lazy, typing_only)
        for node, lazy, typing_only in statements(tree)
        if isinstance(node, ast.Import)
    }
    assert found == {
        "a": (False, False),
        "b": (False, True),
        "c": (False, False),
        "d": (False, False),
        "e": (True, False),
        "g": (False, False),
    }


@pytest.mark.parametrize(
    ("module", "target", "right"),
    [
        ("cli.run", "core.cell", True),
        ("study.run", "report.page", True),
        ("core.cell", "data.splits", False),
        ("training.torch.step", "models.cnn", False),
        ("models.cnn", "training.loop", False),
        ("techniques.cnn", "models.cnn", True),
        ("techniques.cnn", "analysis.errors", False),
        ("report.page", "study.tables", False),
        ("data.catalogue", "estimators", False),
        ("estimators.base", "training.loop", True),
        ("estimators.base", "cli", False),
        ("cli.run", "estimators", False),
    ],
)
def test_arrows_are_judged(
    monkeypatch: pytest.MonkeyPatch, module: str, target: str, right: bool
) -> None:
    known = {f"{PACKAGE}.{name}": SOURCE / "x.py" for name in (module, target)}
    monkeypatch.setattr(f"{__name__}.modules", lambda: known)
    entry = Import(f"{PACKAGE}.{target}", 1, lazy=True, typing_only=False)
    assert (arrow_fault(f"{PACKAGE}.{module}", entry) is None) is right


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("PyYAML>=6.0.1,<7", "pyyaml"),
        ("huggingface_hub>=0.30", "huggingface-hub"),
        ("bakeoff[text]", "bakeoff"),
        ("tensorflow>=2.18; sys_platform == 'darwin'", "tensorflow"),
    ],
)
def test_requirements_are_read(requirement: str, name: str) -> None:
    assert canonical(requirement) == name


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]
