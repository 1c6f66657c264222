"""Threads that libraries start by themselves: none beyond those that a job was given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

# What OpenMP and the libraries of linear algebra look at when they are loaded. Snakemake sets them
# to the threads of a rule.
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started in the block have one thread each, as they share a job's."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
