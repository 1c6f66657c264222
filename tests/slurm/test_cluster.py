"""The test cluster keeps its hands off a machine on which SLURM is in use."""

import cluster
import pytest


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with everything that is needed; its /etc/slurm is a folder of this test."""
    monkeypatch.delenv("SLURM_CONF", raising=False)
    monkeypatch.setattr(cluster.os, "getuid", lambda: 0)
    monkeypatch.setattr(cluster.shutil, "which", lambda name: f"/usr/bin/{name}")
    files = [tmp_path / "slurm.conf", tmp_path / "gres.conf"]
    monkeypatch.setattr(cluster, "CONFIGURED", files)
    return files


def test_it_may_start_where_nothing_is_configured(machine):
    assert cluster.obstacle() == ""


@pytest.mark.parametrize("which", [0, 1])
def test_a_configuration_is_neither_replaced_nor_removed(machine, tmp_path, which):
    machine[which].write_text("ClusterName=theirs\n")
    reason = cluster.start(tmp_path / "mine")
    assert reason == f"{machine[which]} exists: SLURM is in use here"
    cluster.stop(tmp_path / "mine")
    assert machine[which].read_text() == "ClusterName=theirs\n"
    assert not (tmp_path / "mine").exists()


def test_running_daemons_are_left_alone(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster, "running", lambda: "slurmd runs (process 7): SLURM is in use here")
    assert "slurmd runs" in cluster.start(tmp_path / "mine")
    assert not any(path.exists() for path in machine)


def test_a_cluster_of_another_folder_is_not_stopped_by_name(machine, tmp_path):
    machine[0].write_text(f"{cluster.MARK}{tmp_path}/other\n")
    cluster.stop(tmp_path / "mine")
    assert machine[0].exists()
    cluster.stop(tmp_path / "other")
    assert not machine[0].exists()


def test_without_root_packages_or_with_a_configuration_elsewhere(machine, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", "/opt/slurm/slurm.conf")
    assert "SLURM_CONF" in cluster.obstacle()
    monkeypatch.setattr(cluster.shutil, "which", lambda name: None)
    assert "apt-get install" in cluster.obstacle()
    monkeypatch.setattr(cluster.os, "getuid", lambda: 1000)
    assert "root" in cluster.obstacle()
