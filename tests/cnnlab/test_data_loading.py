"""load by name, the environment variable, and what importing costs."""

import subprocess
import sys

import pytest
from cifar_files import write_folder

from autograder.questions import PROJECT
from cnnlab.data import DataError, load


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"no data set 'mnist'. There are: 'toys', 'cifar10'"):
        load("mnist")


def test_the_toys_come_from_nowhere_else():
    with pytest.raises(DataError, match="takes no source"):
        load("toys", source="/tmp")


def test_the_variable_is_named_where_its_folder_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataError, match=r"CNNLAB_DATA=\S*gone: there is no such folder"):
        load("cifar10")
    assert load("toys").name == "toys"


def test_a_source_in_the_call_goes_before_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataError, match=r"source='\S*here': there is no such folder"):
        load("cifar10", source=tmp_path / "here")


def test_the_official_number_of_images_is_asked_for(tmp_path):
    """with the registry that is shipped: small files are refused"""
    write_folder(tmp_path, "binary", 20)
    with pytest.raises(DataError, match="20 images and 20 labels, 10,000 of each belong there"):
        load("cifar10", source=tmp_path)


def test_importing_cnnlab_loads_nothing_heavy():
    code = "import sys, cnnlab, cnnlab.data; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT / "starter", capture_output=True, text=True
    )
    loaded = set(run.stdout.split())
    assert "cnnlab.data.loading" in loaded
    assert not loaded & {"pooch", "requests", "tqdm", "PIL", "tarfile", "skimage", "torch"}


def test_the_toys_load_without_a_network_or_a_writable_disk():
    """as in the grader's sandbox"""
    run = subprocess.run(
        [
            *("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-all"),
            *(sys.executable, "-c", 'from cnnlab.data import load; print(load("toys"))'),
        ],
        cwd=PROJECT / "starter",
        capture_output=True,
        text=True,
    )
    assert run.stdout.startswith("<toys: 4,000 train"), run.stderr
