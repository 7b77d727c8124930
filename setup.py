"""Builds the optional kernels; everything else about the package stands in pyproject.toml.

Where there is no Cython or no C compiler the package installs all the same, and computes with
NumPy alone.
"""

import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

NAME = "bakeoff.scratch.kernels._compiled"
SOURCE = "src/bakeoff/scratch/kernels/_compiled.pyx"
HEADER = "src/bakeoff/scratch/kernels/flat.h"
# No fused multiply-adds, so that every machine rounds as NumPy does; and square roots in vectors.
GCC = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


class BuildKernels(build_ext):
    """`build_ext` with OpenMP where the compiler has it."""

    def build_extensions(self) -> None:
        """Optimise, and add OpenMP's flags if a program that uses it can be linked."""
        microsoft = self.compiler.compiler_type == "msvc"
        openmp = ["/openmp"] if microsoft else ["-fopenmp"]
        found = self._links(openmp, [] if microsoft else openmp)
        for extension in self.extensions:
            extension.extra_compile_args = ["/O2"] if microsoft else GCC
            if found:
                extension.extra_compile_args = [*extension.extra_compile_args, *openmp]
                extension.extra_link_args = [] if microsoft else openmp
        super().build_extensions()

    def _links(self, compile_flags: list[str], link_flags: list[str]) -> bool:
        """Whether a small OpenMP program compiles and links."""
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text(PROBE, encoding="utf-8")
            try:
                objects = self.compiler.compile(
                    [str(probe)], output_dir=folder, extra_postargs=compile_flags
                )
                self.compiler.link_executable(
                    objects, str(Path(folder, "probe")), extra_postargs=link_flags
                )
            except (CompileError, LinkError):
                return False
        return True


setup(
    ext_modules=[
        Extension(
            NAME, [SOURCE], include_dirs=[str(Path(HEADER).parent)], depends=[HEADER], optional=True
        )
    ],
    cmdclass={"build_ext": BuildKernels},
)
