"""Small causal models with drawn weights and a tokenizer of bytes, as folders of Transformers."""

from pathlib import Path
from typing import Any

import torch

KINDS = ("gpt2", "llama")
POSITIONS = 64
TEXT = (
    "the river runs past an old mill and a quiet town where people sell bread , fish and cloth in "
    "the morning ; at night the streets are empty and the bells ring twice ."
)
WORDS = TEXT.split()


def text_of(words: int, seed: int = 0) -> str:
    """Words in lines, drawn."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(WORDS), (words,), generator=generator).tolist()
    parts = [WORDS[i] for i in chosen]
    return "\n".join(" ".join(parts[i : i + 12]) for i in range(0, words, 12)) + "\n"


def config_of(kind: str, vocabulary: int) -> Any:
    """The configuration of a model of two layers."""
    import transformers

    ends: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
    if kind == "gpt2":
        return transformers.GPT2Config(
            vocab_size=vocabulary,
            n_positions=POSITIONS,
            n_embd=32,
            n_layer=2,
            n_head=4,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            **ends,
        )
    return transformers.LlamaConfig(
        vocab_size=vocabulary,
        max_position_embeddings=POSITIONS,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        **ends,
    )


def tokenizer_of() -> Any:
    """Byte-level BPE that was trained on a few words; id 0 ends a text."""
    import tokenizers
    import transformers

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([text_of(400)], trainer)
    face: Any = transformers.PreTrainedTokenizerFast
    return face(tokenizer_object=made, eos_token="<|end|>", bos_token="<|end|>")


def save_causal(folder: Path, kind: str, seed: int = 0, spread: float = 0.3) -> Path:
    """A folder with a model whose weights are drawn wide, so that its choices are clear."""
    import transformers

    from bakeoff.models.pretrained import quietly

    tokenizer = tokenizer_of()
    with quietly(), torch.random.fork_rng([]):
        torch.manual_seed(seed)
        face: Any = transformers.AutoModelForCausalLM
        model = face.from_config(config_of(kind, len(tokenizer)))
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                parameter.data.normal_(0, spread)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder
