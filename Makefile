# make .venv   the environment, with the versions of constraints.txt
# make demo    the main job on embedded data
# make test    all tests, on two processes;  PYTEST_ARGS="-k resume" to choose, on one
# make check   style, types, architecture
# make format  let the formatter write
#
# Needs Python 3.11 or newer, pip, and a C compiler for the optional kernels.
# For a small, CPU-only torch from PyTorch's own index:
#   make .venv PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?= -n 2 --dist worksteal
DEMO_ARGS ?=

bin := .venv/bin
installed := .venv/.installed

.PHONY: help .venv demo test check check-style check-types check-architecture format
.DELETE_ON_ERROR:

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

.venv: $(installed)

# pip comes first: the one that Python 3.11 carries cannot read dependency groups. The build runs
# in this environment, so that the build backend is a pinned one too. pip would compile what it
# installs on one core; files of other Python versions among it do not compile, which is no fault.
$(installed): pyproject.toml constraints.txt setup.py $(wildcard src/bakeoff/scratch/kernels/*.pyx src/bakeoff/scratch/kernels/*.h)
	@$(PYTHON) -c 'import sys; sys.exit("bakeoff needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(bin)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt --upgrade pip setuptools cython
	$(bin)/python -m pip install --quiet --no-compile $(PIP_ARGS) -c constraints.txt --no-build-isolation -e '.[all,tensorflow]' --group dev
	-@$(bin)/python -m compileall -qq -j 0 .venv/lib src
	@touch $@

demo: $(installed)
	$(bin)/bakeoff demo $(DEMO_ARGS)

test: $(installed)
	$(bin)/python -m pytest $(PYTEST_ARGS)

check: check-style check-types check-architecture

check-style: $(installed)
	$(bin)/ruff check
	$(bin)/ruff format --check

check-types: $(installed)
	$(bin)/mypy

check-architecture: $(installed)
	$(bin)/python -m pytest --quiet tests/architecture

format: $(installed)
	$(bin)/ruff check --fix
	$(bin)/ruff format
