"""Pretrained folders of seeded weights, small enough to be made in a test."""

from pathlib import Path
from typing import Any, Literal, get_args

import torch

Encoder = Literal[
    "albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet",
    "roberta", "xlm-roberta",
]  # fmt: skip
Decoder = Literal[
    "gemma", "gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "opt", "phi", "qwen2", "qwen3"
]
Kind = Encoder | Decoder
ENCODERS: tuple[Encoder, ...] = get_args(Encoder)
DECODERS: tuple[Decoder, ...] = get_args(Decoder)
KINDS: tuple[Kind, ...] = (*ENCODERS, *DECODERS)
WINDOW = 4
"""Tokens on each side that a token sees in a layer of a window; where only those before: in all."""

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
    """Of the model, in Transformers' words; the second layer has a window where one can."""
    import transformers

    common: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": limit,
        "vocab_size": len(VOCABULARY),
        "pad_token_id": 0,
    }
    if kind in DECODERS or kind == "modernbert":
        common |= {"bos_token_id": 2, "eos_token_id": 3}
    return transformers.AutoConfig.for_model(kind, **common | _own(kind, limit, layers))


def _own(kind: Kind, limit: int, layers: int) -> dict[str, Any]:
    """What an architecture's configuration has besides, or under a name of its own."""
    grouped = {"num_key_value_heads": 2, "attention_dropout": 0.1}
    shifted = {"max_position_embeddings": limit + 2, "pad_token_id": 1}
    sliding = {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1}
    found: dict[str, dict[str, Any]] = {
        "albert": {"embedding_size": 16},
        "camembert": shifted,
        "deberta-v2": {
            "relative_attention": True,
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
            "conv_kernel_size": 3,
        },
        "distilbert": {"hidden_dim": 64},
        "electra": {"embedding_size": 16},
        "gemma": grouped | {"head_dim": 8},
        "gpt_neo": {
            "num_layers": layers,
            "attention_types": [[["global"], 1], [["local"], layers - 1]],
            "window_size": WINDOW,
            "attention_dropout": 0.1,
        },
        "gpt_neox": {"attention_dropout": 0.1, "hidden_dropout": 0.1},
        "llama": {"num_key_value_heads": 2},
        "mistral": grouped | {"sliding_window": WINDOW},
        "modernbert": {
            "local_attention": 2 * WINDOW,
            "global_attn_every_n_layers": 2,
            "attention_dropout": 0.1,
        },
        "mpnet": shifted,
        "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32, "attention_dropout": 0.1},
        "phi": {"attention_dropout": 0.1, "resid_pdrop": 0.1},
        "qwen2": grouped | sliding,
        "qwen3": grouped | sliding | {"head_dim": 8},
        "roberta": shifted,
        "xlm-roberta": shifted,
    }
    return found.get(kind, {})


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
    if kind in ENCODERS:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", 3)]
        )
        names |= {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    face: Any = transformers.PreTrainedTokenizerFast
    wrapped = face(tokenizer_object=made, model_max_length=limit, **names)
    wrapped.save_pretrained(str(folder))
