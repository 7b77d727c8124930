"""Samples per second and memory of LoRA on CoLA: ours beside peft with the Trainer of Transformers.

    python benchmarks/language.py $BAKEOFF_DATA/cola/cola_public/raw/in_domain_train.tsv

Both put adapters of one rank beside the same layers of the same weights, and train them and a head
with batches of the same size: ours in what `auto` comes to here, in batches of sentences of about
one length, the Trainer with its defaults (float32, AdamW, sentences as they come). Freed memory is
kept, as in a cell of ours, for both. Numbers first: with the same adapters, the same head and the
same padded batches, the first updates' losses and the first gradients of adapters, beside a plain
loop of torch over peft's model in float32. Peak memory is that of a process of its
own that trains once.
Weights are `smollm2` unless others are named, encoders or language models.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparing import Target, compare, ratio
from finetune import read
from torch.nn.functional import cross_entropy

from bakeoff.core.protocols import Position
from bakeoff.core.streams import Streams
from bakeoff.data.token_batches import PaddedBatches, TokenBatches, TokenExamples
from bakeoff.execution.allocator import keep_freed
from bakeoff.models.lora import Adapters, adapted_layers, save_adapters, usual_targets
from bakeoff.models.pretrained import find_folder, quietly
from bakeoff.models.text_encoder import pooled
from bakeoff.techniques import find
from bakeoff.techniques.fine_tune import FineTunedPredictor, LoraSettings
from bakeoff.training.torch.step import TorchStep

RATE = 1e-3
UPDATES = 3
"""That are followed number by number."""


@dataclass(frozen=True)
class Work:
    """What both train on.

    Args:
        weights: Where `find_folder` looks.
        rank: Of the adapters.
        batch: Sentences of an update.
        sentences: N texts.
        labels: (N,).
    """

    weights: str
    rank: int
    batch: int
    sentences: list[str]
    labels: np.ndarray


def predictor_of(work: Work) -> FineTunedPredictor:
    """Ours, nothing learnt."""
    settings = LoraSettings.parse(
        {
            "model": {"weights": work.weights, "dropout": 0.0},
            "adapt": {"rank": work.rank, "alpha": 2.0 * work.rank},
            "training": {"batch_size": work.batch, "learning_rate": RATE},
        }
    )
    made = find("lora").untrained(settings, (), 2)
    assert isinstance(made, FineTunedPredictor)
    return made


def batches_of(made: FineTunedPredictor, work: Work) -> PaddedBatches:
    """In the order that our loop would have them."""
    tokens, _ = made.tokeniser(work.sentences)
    examples = TokenExamples(tokens, work.labels)
    return PaddedBatches(TokenBatches(examples, work.batch, Streams(0)))


def their_model(made: FineTunedPredictor, work: Work) -> tuple[Any, torch.nn.Linear]:
    """A model of peft's with our adapters, and our head."""
    import peft
    import transformers

    module: Any = made.inference.module
    folder, own = str(find_folder(work.weights)), made.settings.adapt
    body = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32)
    targets = usual_targets(made.tokeniser.pretrained.kind)
    with tempfile.TemporaryDirectory() as place:
        adapters = Adapters(targets, own.rank, own.alpha)
        save_adapters(module.encoder.body, adapters, Path(place), folder)
        model = peft.PeftModel.from_pretrained(body, place, is_trainable=True)
    head = torch.nn.Linear(module.output.in_features, 2)
    head.load_state_dict(module.output.state_dict())
    return model.eval(), head  # nothing is dropped


def numerics(work: Work) -> dict[str, float]:
    """The greatest differences of losses, and of the first gradients over the greatest of them."""
    made = predictor_of(work)
    module: Any = made.inference.module
    module.dropout.p = 0.0
    model, head = their_model(made, work)
    learning = [*(p for p in model.parameters() if p.requires_grad), *head.parameters()]
    optimiser = torch.optim.AdamW(learning, weight_decay=0.0)
    step = TorchStep(made.inference, made.settings.training, Streams(0))
    found = {"loss": 0.0, "gradients": 0.0}
    for number, batch in zip(range(UPDATES), batches_of(made, work).epoch(0), strict=False):
        ids, targets = torch.from_numpy(np.asarray(batch.items)), torch.from_numpy(batch.labels)
        real = ids >= 0
        hidden = model(
            input_ids=ids.clamp(min=0).long(), attention_mask=real.long()
        ).last_hidden_state
        loss = cross_entropy(head(pooled(hidden, real, module.encoder.pooling)), targets)
        optimiser.zero_grad()
        loss.backward()
        if number == 0:
            with made.inference.autocast():
                own = cross_entropy(module(ids.long()).float(), targets)
            own.backward()
            found["gradients"] = gradient_gap(module.encoder.body, model)
            module.zero_grad(set_to_none=True)
        told = step(batch, Position(number, 0, RATE))
        gap = abs(float(told["loss"]) / len(targets) - float(loss))
        found["loss"] = max(found["loss"], gap)
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = RATE
        optimiser.step()
    return found


def gradient_gap(body: Any, model: Any) -> float:
    """The greatest difference of an adapter's gradient, over the greatest gradient of theirs."""
    named = dict(model.named_parameters())
    gaps, sizes = [], []
    for path, layer in adapted_layers(body).items():
        for side in ("lora_A", "lora_B"):
            own = getattr(layer, side).weight.grad
            theirs = named[f"base_model.model.{path}.{side}.default.weight"].grad
            gaps.append(float((own - theirs).abs().max()))
            sizes.append(float(theirs.abs().max()))
    return max(gaps) / max(sizes)


def ours(work: Work) -> Callable[[], float]:
    """One epoch of our step."""
    made = predictor_of(work)
    batches = batches_of(made, work)
    step = TorchStep(made.inference, made.settings.training, Streams(0))

    def run() -> float:
        began = time.perf_counter()
        for number, some in enumerate(batches.epoch(0)):
            told = step(some, Position(number, 0, RATE))
        float(told["loss"])
        return time.perf_counter() - began

    return run


def trainer(work: Work) -> Callable[[], float]:
    """One epoch of the Trainer with its defaults, on a model of peft's."""
    import peft
    import transformers

    folder = str(find_folder(work.weights))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, dtype=torch.float32
    )
    plain.config.pad_token_id = tokenizer.pad_token_id
    config = peft.LoraConfig(
        task_type="SEQ_CLS",
        r=work.rank,
        lora_alpha=2 * work.rank,
        target_modules=list(usual_targets(plain.config.model_type)),
    )
    model = peft.get_peft_model(plain, config)
    rows = [
        {**tokenizer(text, truncation=True), "labels": int(label)}
        for text, label in zip(work.sentences, work.labels, strict=True)
    ]

    def run() -> float:
        with tempfile.TemporaryDirectory() as out:
            arguments = transformers.TrainingArguments(
                out, num_train_epochs=1, per_device_train_batch_size=work.batch, report_to=[],
                save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=True,
            )  # fmt: skip
            made = transformers.Trainer(
                model=model,
                args=arguments,
                train_dataset=rows,
                data_collator=transformers.DataCollatorWithPadding(tokenizer),
            )
            made.remove_callback(transformers.PrinterCallback)  # writes on stdout
            began = time.perf_counter()
            made.train()
            return time.perf_counter() - began

    return run


CONTENDERS = {"ours": ours, "trainer": trainer}


def peak_bytes(name: str) -> int:
    """What a process of its own takes at the most that trains once, with the same arguments."""
    command = [sys.executable, *sys.argv, "--alone", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, help="cola_public/raw/in_domain_train.tsv")
    parser.add_argument("--weights", default="smollm2")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--sentences", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8, help="the Trainer's default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--alone", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Compare, and write a JSON document on stdout."""
    chosen = parsed()
    torch.set_num_threads(chosen.threads)
    keep_freed()
    sentences, labels = read(chosen.file, chosen.sentences)
    work = Work(chosen.weights, chosen.rank, chosen.batch, sentences, labels)
    with quietly():
        if chosen.alone:
            CONTENDERS[chosen.alone](work)()
            # In KiB on Linux.
            print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            return
        peaks = {name: peak_bytes(name) for name in CONTENDERS}
        gaps = numerics(work)
        seconds = compare({name: make(work) for name, make in CONTENDERS.items()}, chosen.repeats)
    result = {
        **{name: getattr(chosen, name) for name in ("weights", "rank", "sentences", "batch")},
        "threads": chosen.threads,
        "repeats": chosen.repeats,
        "torch": torch.__version__,
        "precision": predictor_of(work).inference.precision,
        "differences": gaps,
        "samples_per_second": {
            name: round(chosen.sentences / float(np.median(s)), 1) for name, s in seconds.items()
        },
        "ratio": asdict(ratio(seconds, Target("ours", "trainer", 1 / 3))),
        "peak_mib": {name: round(peak / 2**20) for name, peak in peaks.items()},
        "peak_ratio": round(peaks["ours"] / peaks["trainer"], 3),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
