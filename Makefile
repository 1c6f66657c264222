# depthbias: set-up and the commands of the README. `make demo` and `make test` set up .venv themselves.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# For pipelines of diffusers that read prompts; beside the environment, as they make every import of diffusers slower.
PROMPTS := transformers tokenizers typer annotated-doc shellingham
CORES ?= all
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test proofs mutants lint slurm validator sweeps bench format pull push clean

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(0 if ok else "error: Python %d.%d found, 3.11 to 3.13 needed: make PYTHON=python3.12 $(MAKECMDGOALS)" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,export]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps --target .venv/prompts --upgrade $(PROMPTS)
	@touch $@

demo: $(READY)  ## run the active studies (digits: about 16 minutes on 2 cores), print their answers, write results/report.html
	$(BIN)/snakemake --cores $(CORES)
	$(BIN)/snakemake --report results/report.html
	@$(BIN)/python -m depthbias.config.answers

test: $(READY)  ## unit tests and a tiny real study, under 10 minutes on 2 cores
	$(BIN)/python -m pytest -n 2

proofs: $(READY)  ## the slower tests: versioning, scheduler, faults
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m slow

mutants: $(READY)  ## change one thing in measures/ and estimates/ at a time: do the fast tests see it? Hours
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,export,mutants]'
	$(BIN)/mutmut run --max-children 2
	$(BIN)/python tests/mutants.py

lint: $(READY)  ## ruff, mypy, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

sweeps: $(READY)  ## training-set size, width and time on MNIST at 16x16: under 20 minutes on 2 cores
	$(BIN)/snakemake --cores $(CORES) sweeps_mnist-sweep

slurm:  ## install SLURM for its test in `make proofs` (Debian, Ubuntu; needs root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends slurmctld slurmd slurm-client munge

validator: $(READY)  ## install roc-validator for its test in `make proofs`; apart, as it needs an older rich
	$(PYTHON) -m venv .venv/validator
	.venv/validator/bin/python -m pip install --quiet --disable-pip-version-check roc-validator==0.13.0

bench: $(READY)  ## paired speed measurements against diffusers
	$(BIN)/python -m benchmarks

format: $(READY)  ## put the code into the format that lint checks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

pull: $(READY)  ## bring recorded data and results from the DVC remote (docs/dvc.md)
	$(BIN)/dvc pull

push: $(READY)  ## make the active studies, record them, send them to the DVC remote
	CORES=$(CORES) $(BIN)/dvc repro
	$(BIN)/dvc push

clean:  ## remove the environment and caches (data/ and results/ stay)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
