"""Print dvc.yaml: python workflow/dvc_stages.py > dvc.yaml (a test fails where it is out of date).

Its only long part are the code files that a stage depends on: those that the rules of the stage
name as their inputs, found in the same way.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from code_inputs import modules

HEADER = """\
# Made by `python workflow/dvc_stages.py > dvc.yaml`: docs/dvc.md.
# Snakemake is the only job graph; a stage hands over to it and records what came out.
# `CORES=4 dvc repro` takes four cores; SNAKEMAKE_PROFILE brings a cluster.
"""
WORKFLOW = [  # what plans the jobs, beside the rules themselves
    "Snakefile",
    "depthbias/config/reading.py",
    "workflow/code_inputs.py",
    "workflow/rules/common.smk",
]
RULES = {  # the rule files of a stage
    "data": ["data"],
    "results": ["train", "sample", "evaluate", "neighbors", "structure", "figures"],
}
STUDY = "${item.study}"


def stage(target: str) -> dict[str, Any]:
    """The command is hashed as it stands, so the machine's part, `\\${...}`, is the shell's."""
    return {"cmd": f"snakemake --cores \\${{CORES:-all}} {target}"}


def by_study(phase: str) -> dict[str, Any]:
    return {"matrix": {"study": "${active}"}, **stage(f"{phase}_{STUDY}")}


def code(name: str) -> list[str]:
    """The workflow, the rule files of a stage, its scripts and the library modules they use."""
    files = [f"workflow/rules/{file}.smk" for file in RULES[name]]
    text = "".join(Path(file).read_text(encoding="utf-8") for file in files)
    rules = re.findall(r'modules\("(\w+)"\)', text)
    scripts = [f"scripts/{rule}.py" for rule in rules]
    library = {module for rule in rules for module in modules(rule)}
    return sorted({*WORKFLOW, *files, *scripts, *library})


def kept(path: str, kind: str, description: str) -> dict[str, Any]:
    """An output that DVC stores; `persist`: finished files stay when others are made again."""
    return {path: {"persist": True, "type": kind, "desc": description}}


def shown(path: str, **options: str) -> dict[str, Any]:
    """An output that git stores."""
    return {path: {"cache": False, "persist": True, **options}}


def stages() -> dict[str, Any]:
    """Stages by study; the last one keeps Snakemake's records, which travel with the results."""
    images = f"images, split and training subsets of {STUDY}"
    trained = f"U-Nets of {STUDY} with all that is measured on them"
    drawn = {"template": "bar_horizontal", "x": "share", "y": "estimate"}
    blocks = ["data", "classes", "ratios", "subset_size", "seeds"]
    return {
        "data": by_study("data")
        | {
            "params": [f"studies.{STUDY}.{block}" for block in blocks],
            "deps": code("data"),
            "outs": [kept(f"data/{STUDY}", "dataset", images)],
        },
        "results": by_study("figures")
        | {
            "params": [f"studies.{STUDY}"],
            "deps": [f"data/{STUDY}", *code("results")],
            "outs": [kept(f"results/{STUDY}", "model", trained)],
            "metrics": [shown(f"metrics/{STUDY}.json")],
            "plots": [shown(f"metrics/{STUDY}.csv", **drawn)],
        },
        "records": stage("all")
        | {
            "params": ["active"],
            "deps": ["metrics"],
            "outs": [
                kept(".snakemake/metadata", "provenance", "how each file was made, by Snakemake")
            ],
        },
    }


class Plain(yaml.SafeDumper):
    """Repeats a value in full instead of pointing at it."""

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    text = yaml.dump({"stages": stages()}, Dumper=Plain, sort_keys=False, width=120)
    print(HEADER + text, end="")
