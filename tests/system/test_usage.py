"""What a job took: time and memory, added up over its parts, and the table of it."""

import runpy
import sys
import time

import pandas as pd
import pytest
import torch
from conftest import ROOT

from depthbias.report.usage_table import read_usage, sections
from depthbias.system import usage
from depthbias.system.errors import UserError
from depthbias.system.files import write_json
from depthbias.system.usage import Meter, processor_name

CPU = torch.device("cpu")
RECORD = {
    "device": "NVIDIA A100",
    "driver": "550.54",
    "precision": "bf16",
    "wall_seconds": 12.34,
    "device_seconds": 10.0,
    "peak_memory_bytes": 3 * 2**20,
    "parts": 1,
}


def compute(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_the_cpu_counts_what_was_computed_the_clock_everything():
    meter = Meter(CPU)
    compute(0.2)
    time.sleep(0.3)
    spent = meter.spent()
    assert spent["wall_seconds"] >= 0.5 > spent["device_seconds"] >= 0.2
    assert spent["parts"] == 1
    assert 10 * 2**20 < spent["peak_memory_bytes"] < 2**40


def test_peak_memory_is_the_most_at_a_time():
    before = Meter(CPU).spent()["peak_memory_bytes"]
    block = torch.ones(before // 4 + 2**24)  # 4 bytes each: more than all there was until now
    del block
    assert Meter(CPU).spent()["peak_memory_bytes"] >= before + 2**25


def test_parts_add_up_and_the_larger_memory_stays():
    first = {"wall_seconds": 100.0, "device_seconds": 50.0, "peak_memory_bytes": 2**50, "parts": 2}
    meter = Meter(CPU)
    meter.add(first)
    spent = meter.spent()
    assert 100 <= spent["wall_seconds"] < 160 and 50 <= spent["device_seconds"] < 110
    assert spent["peak_memory_bytes"] == 2**50 and spent["parts"] == 3
    meter.add(first | {"peak_memory_bytes": 1})
    assert 1 < meter.spent()["peak_memory_bytes"] < 2**50


def test_the_record_names_the_machine():
    found = Meter(CPU).record("fp32")
    assert found["precision"] == "fp32" and found["driver"] == ""
    assert found["device"] == processor_name() != ""
    assert set(found) == set(RECORD)


def test_a_processor_without_a_name_is_its_architecture(tmp_path):
    assert processor_name(tmp_path / "none").startswith("CPU (")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast 3000\n")
    assert processor_name(tmp_path / "cpuinfo") == "Fast 3000"


def test_a_gpu_counts_by_its_own_clock_and_memory(monkeypatch):
    """The calls to CUDA, stood in for: an event is when it was recorded, in milliseconds."""
    clock = iter([1000.0, 5500.0])

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self, stream):
            self.at, self.waited = next(clock), False

        def synchronize(self):
            self.waited = True

        def elapsed_time(self, last):
            assert last.waited, "read before the device was there"
            return last.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 123_456)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA A100")
    monkeypatch.setattr(usage, "driver_version", lambda: "550.54")
    found = Meter(torch.device("cuda")).record("bf16")
    assert (found["device_seconds"], found["peak_memory_bytes"]) == (4.5, 123_456)
    assert (found["device"], found["driver"]) == ("NVIDIA A100", "550.54")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_real_gpu():
    device = torch.device("cuda")
    meter = Meter(device)
    a = torch.randn(4096, 4096, device=device)
    for _ in range(50):
        a = a @ a / 4096
    found = meter.record("fp32")
    assert 0 < found["device_seconds"] <= found["wall_seconds"] * 1.05
    assert found["peak_memory_bytes"] >= 2 * a.nbytes and found["driver"][0].isdigit()


def records():
    """Two depths, two seeds of the first; one seed's sampling went on after an interruption."""
    slow = RECORD | {"wall_seconds": 20.0, "device_seconds": 3600.0, "peak_memory_bytes": 2**30}
    return [
        ("90-10/depth3/0/train", RECORD),
        ("90-10/depth2/0/train", RECORD),
        ("90-10/depth2/1/train", slow),
        ("90-10/depth2/0/ddim-50", RECORD | {"driver": "", "device": "Fast 3000", "parts": 2}),
    ]


def test_table_totals_by_job_architecture_and_device_then_every_run(tmp_path):
    table = read_usage(files(tmp_path, records()), "mnist")
    assert list(table.architecture) == ["depth2", "depth2", "depth2", "depth3"]
    totals, runs = sections(table)
    cells = {tuple(row[:3]): row for row in totals.rows}
    assert cells["depth2", "training", "NVIDIA A100"][5:] == ["2", "16.2", "1805.0", "1.00", "1024"]
    assert cells["depth2", "DDIM, 50 steps", "Fast 3000"][3] == "-"
    assert len(runs.rows) == 4 and [row[-1] for row in runs.rows] == ["1", "1", "2", "1"]
    assert all(len(row) == len(part.header) for part in (totals, runs) for row in part.rows)


def files(folder, found):
    """The usage of jobs, told as "ratio/architecture/seed/job", in files."""
    for number, (told, content) in enumerate(found):
        ratio, architecture, seed, job = told.split("/")
        run = {"study": "mnist", "ratio": ratio, "architecture": architecture, "seed": seed}
        if job != "train":
            run["sampler"] = job
        described = {"run": run, **content} if isinstance(content, dict) else content
        write_json(folder / f"{number}.json", described)
    return [folder / f"{number}.json" for number in range(len(found))]


def script(monkeypatch, folder, found):
    outputs = [
        w for kind in ("csv", "md", "html") for w in (f"--output-{kind}", folder / f"t.{kind}")
    ]
    command = ["--study", "mnist", "--usage", *files(folder, found), *outputs]
    monkeypatch.setattr(sys, "argv", ["write_usage.py", *map(str, command)])
    runpy.run_path(str(ROOT / "scripts/write_usage.py"))["main"]()


def test_the_script_writes_the_table_in_three_forms(monkeypatch, tmp_path):
    script(monkeypatch, tmp_path, records())
    table = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    assert table.driver.tolist().count("550.54") == 3 and table.seed.tolist() == [0, 1, 0, 0]
    assert table.peak_memory_bytes.max() == 2**30
    assert "550.54" in (tmp_path / "t.md").read_text()
    assert "<td>Fast 3000</td>" in (tmp_path / "t.html").read_text()


def test_a_record_that_is_none_is_named(monkeypatch, tmp_path):
    broken = [("90-10/depth2/0/train", {"device": "x"})]
    with pytest.raises(UserError, match=r"0\.json: not what a run took"):
        script(monkeypatch, tmp_path, broken)
    with pytest.raises(UserError, match=r"0\.json: not what a run took"):
        script(monkeypatch, tmp_path, [("90-10/depth2/0/train", ["a", "list"])])
    with pytest.raises(UserError, match=r"0\.json: a run of study 'mnist', not of 'digits'"):
        read_usage(files(tmp_path, records()), "digits")
    with pytest.raises(UserError, match=r"0\.json: unknown architecture 'depth99'"):
        read_usage(files(tmp_path, [("90-10/depth99/0/train", RECORD)]), "mnist")
    assert not list(tmp_path.glob("t.*"))
