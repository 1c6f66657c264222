"""Files as Snakemake would have recorded them."""

import json

from depthbias.system.snakemake_records import record_path

END = {"prepare": 105.0, "train": 205.0}  # of the job of a rule


def record(folder, path, rule, command, inputs=(), start=100.0, **more):
    """Write a file and Snakemake's record of it."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(path)
    place = record_path("metadata", path, folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    told = {"rule": rule, "input": list(inputs), "log": [], "shellcmd": command}
    told |= {"starttime": start, "endtime": END.get(rule, 500.0), "incomplete": False}
    place.write_text(json.dumps(told | more))
