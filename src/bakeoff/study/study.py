"""A study: a question, a control recipe, variants given as changed fields, a metric, seeds."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

from bakeoff.core.errors import InputError, unknown
from bakeoff.study.declaration import Declaration, changed, extended, readable

if TYPE_CHECKING:
    from bakeoff.study.run import Finished, Options

__all__ = ["Study", "built_in_names", "changed", "load_study", "parse_yaml", "read_yaml"]

BUILT_IN = Path(__file__).parent.parent / "studies"
BOOLEAN = "tag:yaml.org,2002:bool"


class Study(Declaration):
    """A controlled comparison.

    >>> import bakeoff
    >>> study = bakeoff.Study(
    ...     question="Does a hidden layer pay on small digits?",
    ...     dataset="digits",
    ...     seeds=3,
    ...     control={"technique": "softmax", "training": {"epochs": 5}},
    ...     variants={"hidden-layer": {"technique": "mlp", "training": {"epochs": 5}}},
    ... )
    >>> finished = study.run(out=folder)
    >>> verdict = finished.results["verdicts"][0]
    >>> verdict["a"], verdict["b"], verdict["metric"]
    ('hidden-layer', 'softmax', 'test/accuracy')
    >>> finished.report.name
    'report.html'

    Args:
        question: What is asked, in a sentence.
        dataset: A catalogue name, or a mapping with `folder`, `table`, `hub` or `corpus`.
        control: The recipe all variants are compared with.
        variants: Changed fields by name: `a.b: v` sets one field, `a: {...}` replaces all of `a`.
        factors: Values of fields, crossed with all recipes; verdicts inside each level.
        search: Fields whose values are chosen on validation first, for every recipe alike, as in
            `{"grid": {"training.learning_rate": [0.01, 0.1]}}`.
        resampling: Cross-validation, as in `{"folds": 5, "repeats": 1}`.
        metric: `test/<name>`, or with resampling `fold/<name>`, with scikit-learn's spellings.
        margin: Differences smaller than this do not matter; None: set from the control's
            validation score before the first test score is read.
        seeds: A number, for looks after as many, twice and four times as many; `{"exactly": n}` or
            a list, for one look; `{"race": True}`, for more of them while pairs are undecided. With
            resampling, seeds in each fold: 1 by default.
        name: Of the study, and of its run folder below `runs/`.
        references: Figures from elsewhere, for the report.

    Raises:
        InputError: with every fault of its fields and recipes.
    """

    if not TYPE_CHECKING:  # which sees the fields as the arguments

        def __new__(cls, **content: Any) -> Self:
            """Told of its faults as a study file is, before pydantic tells them in its own way."""
            if content:
                cls.parse(content)
            return super().__new__(cls)

    @classmethod
    def parse(cls, value: object, where: str = "") -> Self:
        """As `Frozen.parse`, with the faults of its recipes where it has faults of its own."""
        try:
            return super().parse(value, where)
        except InputError as error:
            more = _faults_of_recipes(value) if isinstance(value, Mapping) and not where else ()
            raise InputError([*error.faults, *more]) from None

    def only(self, names: Sequence[str]) -> Self:
        """The study with some of its variants, and with those that these need as inputs.

        Args:
            names: Of variants; empty: all of them. The control, which always runs, may be named.

        Raises:
            InputError: for a name that it does not have, or faults of its recipes.
        """
        from bakeoff.study.resolve import declare

        if not names:
            return self
        planned = declare(self)
        needed: defaultdict[str, set[str]] = defaultdict(set)
        for p in planned:
            needed[p.plain_name].update(name for one in p.whole for name in one.inputs)
        allowed = [self.control_name, *self.variants]
        for name in names:
            if name not in allowed:
                raise unknown("recipe", name, allowed, "only")
        wanted, waiting = set[str](), [self.control_name, *names]
        while waiting:
            if (name := waiting.pop()) not in wanted:
                wanted.add(name)
                waiting += needed[name]
        kept = {name: change for name, change in self.variants.items() if name in wanted}
        update: dict[str, Any] = {"variants": kept}
        if self.search is not None:
            tried = {
                p.plain_name: {path for one in p.tries for path in one.values} for p in planned
            }
            update["search"] = self.search.only({n: own for n, own in tried.items() if n in wanted})
        return self.model_copy(update=update)

    def run(self, out: Path | str | None = None, options: "Options | None" = None) -> "Finished":
        """Run what is missing, judge, and write results and report into `out`.

        Args:
            out: The run folder; `runs/<name>` by default.
            options: `bakeoff.study.run.Options`: workers, seeds, offline, watcher.

        Raises:
            InputError: for bad settings or data, before anything runs.
            Interrupted: where a signal stopped the run; calling again continues it.
        """
        from bakeoff.study.run import Options, run

        return run(self, Path(out or Path("runs") / self.name), options or Options())


def _faults_of_recipes(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of a study that cannot be read whole."""
    from bakeoff.study.resolve import declare

    study = readable(content)
    if study is not None:
        try:
            declare(study)
        except InputError as error:
            return error.faults
    return ()


def built_in_names() -> list[str]:
    """The names of the built-in studies, sorted."""
    return sorted(path.stem for path in BUILT_IN.glob("*.yaml"))


def load_study(name_or_file: str | Path, settings: Mapping[str, Any] | None = None) -> Study:
    """A built-in study by name, or one's own by file.

    Args:
        name_or_file: `digits-first`, or a path that ends in .yaml, .yml or .json.
        settings: Changed fields by dotted path; paths that name a recipe's section
            (`training.epochs`) mean the control. Behind `variants.` the longest name of a variant
            counts, and all behind `factors.` or `search.grid.` is the field that varies: these may
            hold dots.

    Raises:
        InputError: for an unknown study, a file that is not YAML, or fields that are not allowed.
    """
    path = Path(name_or_file)
    if path.suffix not in (".yaml", ".yml", ".json"):
        if str(name_or_file) not in built_in_names():
            files = "or a file that ends in .yaml, .yml or .json"
            raise unknown("study", name_or_file, [*built_in_names(), files])
        path = BUILT_IN / f"{name_or_file}.yaml"
    content = {"name": path.stem} | read_yaml(path)
    for field, value in (settings or {}).items():
        content = _with_field(content, field, value)
    return Study.parse(content)


def _with_field(content: Mapping[str, Any], field: str, value: object) -> dict[str, Any]:
    """A study's content with one field set.

    Raises:
        InputError: where it has no such variant, or something on the way has no fields.
    """
    section, _, inside = field.partition(".")
    named = content.get(section) or {}
    if inside and isinstance(named, Mapping):
        if section == "factors":
            return {**content, section: {**named, inside: value}}
        if section == "variants":
            return {**content, section: _with_variant(named, inside, value)}
        if section == "search" and inside.startswith("grid."):
            grid = {**(named.get("grid") or {}), inside.removeprefix("grid."): value}
            return {**content, section: {**named, "grid": grid}}
    whole = field if section in Study.model_fields else f"control.{field}"
    return changed(content, {whole: value})


def _with_variant(variants: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """A study's variants with one of them, or one field of one, set.

    Raises:
        InputError: where it has no such variant, or that is no mapping.
    """
    names = [str(name) for name in variants if f"{path}.".startswith(f"{name}.")]
    name = max(names, key=len, default=path.partition(".")[0])
    field = path[len(name) + 1 :]
    if not field:
        return {**variants, name: value}
    if name not in variants:
        raise unknown("variant", name, list(variants))
    change = variants[name] or {}
    if not isinstance(change, Mapping):
        raise InputError(f"variants.{name}: input should be a mapping (received {change!r})")
    return {**variants, name: extended(change, field, value)}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the booleans of YAML 1.2 (core schema: true and false alone).

    By YAML 1.1 `on:` is the key true and `no` is false. Of two equal keys it would keep the last
    and say nothing.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, name in enumerate(names):
            if name in names[:number]:
                problem = f"the key '{name}' occurs twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != BOOLEAN]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    BOOLEAN, re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def parse_yaml(text: str) -> Any:
    """What a YAML text says, read as study files are.

    Raises:
        yaml.YAMLError: where it is not YAML, or a key occurs twice.
    """
    return _Loader(text).get_single_data()


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        InputError: where it cannot be read, is not YAML, or holds something else.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(f"{path}: a mapping of fields is needed, not {type(content).__name__}")
    return content
