"""Pretrained folders of seeded weights, small enough to be made in a test."""

from pathlib import Path
from typing import Any, Literal

import torch

Kind = Literal["bert", "distilbert", "llama", "gpt2"]

WORDS = "a the film plot acting was is good bad great awful fine dull not very he she they saw it"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = (
    *SPECIAL,
    *WORDS.split(),
    *(f"##{letter}" for letter in LETTERS),
    *(letter for letter in LETTERS if letter != "a"),
)
LIMIT = 32


def save_tiny(
    folder: Path,
    kind: Kind = "bert",
    *,
    causal: bool = False,
    seed: int = 0,
    limit: int = LIMIT,
    layers: int = 2,
) -> Path:
    """Write a model of a few layers of width 32 with its tokenizer.

    Args:
        folder: To be made.
        kind: The architecture.
        causal: With the head over the vocabulary.
        seed: Of the weights.
        limit: The most tokens it reads.
        layers: How many.
    """
    import transformers

    from bakeoff.models.pretrained import quietly

    with quietly(), torch.random.fork_rng([]):
        torch.manual_seed(seed)
        config = configuration(kind, limit, layers)
        face: Any = transformers.AutoModelForCausalLM if causal else transformers.AutoModel
        model = face.from_config(config)
        for name, parameter in model.named_parameters():  # so that gains and biases matter, too
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter, 1.0 if "norm" in name.lower() else 0.0, 0.1)
            else:
                torch.nn.init.normal_(parameter, 0.0, 0.2)
        model.save_pretrained(str(folder))
        save_tokenizer(folder, kind, limit=limit)
    return folder


def configuration(kind: Kind, limit: int, layers: int = 2) -> Any:
    """Of the model, in Transformers' words."""
    import transformers

    sizes: Any = {"vocab_size": len(VOCABULARY), "pad_token_id": 0}
    if kind == "gpt2":
        return transformers.GPT2Config(
            n_embd=32, n_layer=layers, n_head=4, n_positions=limit, bos_token_id=2, eos_token_id=3,
            **sizes,
        )  # fmt: skip
    if kind == "distilbert":
        return transformers.DistilBertConfig(
            dim=32,
            hidden_dim=64,
            n_layers=layers,
            n_heads=4,
            max_position_embeddings=limit,
            **sizes,
        )
    common: Any = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": limit,
    }
    if kind == "llama":
        return transformers.LlamaConfig(
            num_key_value_heads=2, bos_token_id=2, eos_token_id=3, **common, **sizes
        )
    return transformers.BertConfig(**common, **sizes)


def save_tokenizer(
    folder: Path, kind: Kind = "bert", vocabulary: Any = VOCABULARY, limit: int = LIMIT
) -> None:
    """A tokenizer of word pieces; encoders' puts [CLS] and [SEP] around a text."""
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    ids = {word: i for i, word in enumerate(vocabulary)}
    made = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = {"unk_token": "[UNK]"}
    if kind in ("bert", "distilbert"):
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", 3)]
        )
        names |= {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    face: Any = transformers.PreTrainedTokenizerFast
    wrapped = face(tokenizer_object=made, model_max_length=limit, **names)
    wrapped.save_pretrained(str(folder))
