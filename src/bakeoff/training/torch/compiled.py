"""The training pass of a network as one compiled program (torch.compile with Inductor).

What is compiled is the module's forward pass, and with it its backward pass, for batches of exactly
one size: all other passes, the last batch of an epoch for instance, run eagerly. So which program
computes a batch is a function of the batch alone, never of what ran before: torch would otherwise
compile a second program for all sizes when it meets another one, and may use that from then on.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bakeoff.core.cache import cache_folder
from bakeoff.training.torch.memory import is_out_of_memory

COMPILERS = ("g++", "clang++") if sys.platform == "linux" else ("clang++", "g++")


def compiler() -> str | None:
    """The C++ compiler that Inductor would call, or None."""
    for name in (os.environ.get("CXX"), *COMPILERS):
        if name and (found := shutil.which(name)):
            return found
    return None


@cache
def compiler_version() -> str | None:
    """The first line in which the compiler introduces itself."""
    found = compiler()
    if found is None:
        return None
    try:
        told = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return found
    return (told.stdout.splitlines() or [found])[0].strip()


def lacking(device: str) -> str | None:
    """What compiling needs and is not there, for people; None: nothing."""
    if compiler() is None:
        return f"no C++ compiler is there ({' or '.join(COMPILERS)}, or $CXX)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's headers are not there (Python.h)"
    if device == "cuda" and importlib.util.find_spec("triton") is None:
        return "triton, which compiles for GPUs, is not installed"
    return None


def keep_programs() -> None:
    """Compiled programs go where our caches are, unless the user has said where."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "programs"))


class TrainingPass:
    """A module's pass in training: compiled for one size of batches, eager for the others.

    Args:
        module: On its device.
        compiles: Whether to compile at all.

    Attributes:
        seconds: What compiling took.
        failure: Why it could not be compiled: it runs eagerly then, for good.
    """

    def __init__(self, module: nn.Module, compiles: bool) -> None:
        self._module, self._compiles = module, compiles
        self._size: int | None = None
        self._program: Any = None
        self.seconds = 0.0
        self.failure: str | None = None

    def wants(self, inputs: Tensor, size: int) -> bool:
        """Whether to `prepare` for inputs of that size: there is no program yet, or another's."""
        return (
            self._compiles and self.failure is None and self._size != size and len(inputs) == size
        )

    def prepare(self, inputs: Tensor) -> None:
        """Compile for inputs (B, C, H, W) like these.

        Called in the context in which the pass is going to run, before there are gradients.
        Weights and averages are left as they were.

        Raises:
            RuntimeError: where memory is short.
        """
        began = time.perf_counter()
        try:
            self._program = _compile(self._module, inputs)
        except Exception as error:  # whatever a compiler may say
            if is_out_of_memory(error):
                raise  # of the pass, not of the compiler: a smaller one may do
            lines = str(error).strip().splitlines()
            self.failure = f"{type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")
            self._program = None
        self._size = len(inputs)
        self.seconds += time.perf_counter() - began

    def forget(self) -> None:
        """Compile anew before the next pass: the precision is another one."""
        self._size = self._program = None

    def fits(self, inputs: Tensor) -> bool:
        """Whether the program is for inputs of this size."""
        return self._program is not None and len(inputs) == self._size

    def __call__(self, inputs: Tensor) -> Tensor:
        """(B, C, H, W) to the module's outputs."""
        outputs: Tensor = (self._program if self.fits(inputs) else self._module)(inputs)
        return outputs


def _compile(module: nn.Module, inputs: Tensor) -> Any:
    """A program that has run forward and backward once, on these inputs."""
    import torch._dynamo
    import torch._inductor.config as inductor

    with warnings.catch_warnings(), _untouched(module):
        warnings.simplefilter("ignore")  # torch's own, about itself
        # Programs of networks before count towards a limit, beyond which torch silently gives up.
        torch._dynamo.reset()
        # Compiling in processes of its own would leave them behind, and their time uncounted.
        with inductor.patch(compile_threads=1):
            program = torch.compile(module, fullgraph=True, dynamic=False)
            program(inputs).float().sum().backward()
    return program


@contextmanager
def _untouched(module: nn.Module) -> Iterator[None]:
    """Put averages and counts of a module back, and take the gradients away."""
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                buffer.copy_(before[name])
        module.zero_grad(set_to_none=True)
