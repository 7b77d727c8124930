"""Samples per second of fine-tuning on CoLA: ours beside the Trainer of Transformers.

    python benchmarks/finetune.py $BAKEOFF_DATA/cola/cola_public/raw/in_domain_train.tsv

Both train every weight with batches of the same size, ours in what `auto` comes to here, the
Trainer with its defaults (float32, AdamW, dropout, sentences as they come). Freed memory is kept,
as in a cell of ours, for both. Ours has batches of sentences of about one length and
drops no weights of attention, so that attention stays fused; of its embedding learn the rows that
the sentences of the whole file reach, as in a study of it. Numbers first: with the same weights,
the same padded batch and no dropout, the loss and every gradient of ours, in float32 and as it
trains, beside a plain pass in float32 through Transformers' model.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparing import Target, compare, ratio
from torch.nn.functional import cross_entropy

from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams
from bakeoff.data.token_batches import PaddedBatches, TokenBatches, TokenExamples
from bakeoff.execution.allocator import keep_freed
from bakeoff.models.pretrained import find_folder, quietly
from bakeoff.models.used_rows import learn_used_rows
from bakeoff.techniques import find
from bakeoff.techniques.fine_tune import FineTunedPredictor, FineTuneSettings
from bakeoff.training.torch.step import TorchStep

RATE = 5e-5


def read(path: Path, count: int | None = None) -> tuple[list[str], np.ndarray]:
    """So many sentences, evenly spread, or all of them, and their labels."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    chosen = [rows[i] for i in np.linspace(0, len(rows) - 1, count or len(rows)).astype(int)]
    return [row[3] for row in chosen], np.array([int(row[1]) for row in chosen])


def predictor_of(weights: str, batch: int, dropout: float | None) -> FineTunedPredictor:
    """Ours, nothing learnt."""
    settings = FineTuneSettings.parse(
        {
            "model": {"weights": weights, "dropout": dropout},
            "training": {"batch_size": batch, "learning_rate": RATE},
        }
    )
    made = find("fine-tune").untrained(settings, (), 2)
    assert isinstance(made, FineTunedPredictor)
    return made


def numerics(weights: str, sentences: list[str], labels: np.ndarray, low: bool) -> dict[str, float]:
    """The greatest differences of the loss and of any gradient, over the greatest gradient.

    Ours in float32, or as it trains on this machine; theirs in float32.
    """
    import transformers

    made = predictor_of(weights, len(sentences), 0.0)
    module: Any = made.inference.module
    ids = torch.from_numpy(made.tokeniser.padded(sentences)).long()
    targets = torch.from_numpy(labels)
    with made.inference.autocast() if low else nullcontext():
        loss = cross_entropy(module(ids).float(), targets)
    loss.backward()
    folder = str(find_folder(weights))
    theirs = transformers.AutoModel.from_pretrained(
        folder, add_pooling_layer=False, attn_implementation="eager", dtype=torch.float32
    ).eval()
    head = torch.nn.Linear(theirs.config.hidden_size, 2)
    head.load_state_dict(module.output.state_dict())
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(sentences, padding=True, truncation=True, max_length=128, return_tensors="pt")
    hidden, real = theirs(**batch).last_hidden_state, batch["attention_mask"][:, :, None]
    wanted = cross_entropy(head((hidden * real).sum(1) / real.sum(1)), targets)
    wanted.backward()
    ours = dict(module.encoder.body.named_parameters())
    gaps = [float((ours[n].grad - p.grad).abs().max()) for n, p in theirs.named_parameters()]
    largest = max(float(p.grad.abs().max()) for p in theirs.parameters())
    return {"loss": abs(float(loss - wanted)), "gradients": max(gaps) / largest}


def ours(
    weights: str, sentences: list[str], labels: np.ndarray, batch: int, every: list[str]
) -> Callable[[], float]:
    """One epoch of our step; `every`: the sentences of the whole file."""
    made = predictor_of(weights, batch, None)
    tokens, _ = made.tokeniser(sentences)
    streams = Streams(0)
    body = made.inference.module.encoder.body
    known = made.tokeniser(every)[0].ids.astype(np.int64)
    learn_used_rows(body, torch.from_numpy(np.append(known, 0)))
    step = TorchStep(made.inference, made.settings.training, streams)
    batches = PaddedBatches(TokenBatches(TokenExamples(tokens, labels), batch, streams))

    def run() -> float:
        began = time.perf_counter()
        for number, some in enumerate(batches.epoch(0)):
            told = step(some, Position(number, 0, RATE))
        float(told["loss"])
        return time.perf_counter() - began

    return run


def trainer(
    weights: str, sentences: list[str], labels: np.ndarray, batch: int
) -> Callable[[], float]:
    """One epoch of the Trainer with its defaults."""
    import transformers

    folder = str(find_folder(weights))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    rows = [
        {**tokenizer(text, truncation=True), "labels": int(label)}
        for text, label in zip(sentences, labels, strict=True)
    ]

    def run() -> float:
        with tempfile.TemporaryDirectory() as out:
            arguments = transformers.TrainingArguments(
                out, num_train_epochs=1, per_device_train_batch_size=batch, report_to=[],
                save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=True,
            )  # fmt: skip
            made = transformers.Trainer(
                model=model,
                args=arguments,
                train_dataset=rows,
                data_collator=transformers.DataCollatorWithPadding(tokenizer),
            )
            began = time.perf_counter()
            made.train()
            return time.perf_counter() - began

    return run


def main() -> None:
    """Compare, and write a JSON document on stdout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="cola_public/raw/in_domain_train.tsv")
    parser.add_argument("--weights", default="minilm")
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8, help="the Trainer's default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    keep_freed()
    work = read(chosen.file, chosen.sentences)
    with quietly():
        few = work[0][:16], work[1][:16]
        gaps = {
            "float32": numerics(chosen.weights, *few, low=False),
            "as it trains": numerics(chosen.weights, *few, low=True),
        }
        ways = {
            "ours": ours(chosen.weights, *work, chosen.batch, read(chosen.file)[0]),
            "trainer": trainer(chosen.weights, *work, chosen.batch),
        }
        seconds = compare(ways, chosen.repeats)
    result = {
        "sentences": chosen.sentences,
        "batch": chosen.batch,
        "threads": chosen.threads,
        "repeats": chosen.repeats,
        "torch": torch.__version__,
        "differences": gaps,
        "samples_per_second": {
            name: round(chosen.sentences / float(np.median(s)), 1) for name, s in seconds.items()
        },
        "ratio": asdict(ratio(seconds, Target("ours", "trainer", 1 / 3))),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
