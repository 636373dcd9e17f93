"""The bar stays out of stderr, and Ctrl-C waits."""

import os
import signal
import subprocess
import sys
import threading

import nbformat
import pytest
from nbclient import NotebookClient
from tqdm import tqdm

from cnnlab.progress import interrupts_kept, progress_bar


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_the_bar_goes_to_stdout_and_can_be_hidden(capsys, monkeypatch):
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm)  # not a widget, whatever else runs in this process
    with progress_bar(3) as bar:
        bar.update(3)
    out, err = capsys.readouterr()
    assert "3/3" in out and err == ""
    with progress_bar(3, shown=False) as bar:
        bar.update(3)
    assert capsys.readouterr() == ("", "")


def test_importing_it_says_nothing_on_stderr():
    code = "from cnnlab.progress import progress_bar\nprogress_bar(2).close()"
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True)
    assert done.stderr == b"" and b"0/2" in done.stdout


def test_the_environment_hides_all_bars():
    code = "from cnnlab.progress import progress_bar\nbar = progress_bar(2)\nassert bar.disable"
    env = {**os.environ, "TQDM_DISABLE": "1"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)


@pytest.mark.slow
def test_the_environment_hides_the_widgets_of_notebooks_too():
    """in a real kernel: a widget has another id each time, so no two runs would be the same"""
    code = (
        "from cnnlab.progress import progress_bar\nbar = progress_bar(2)\nbar.update()\nbar.close()"
    )
    for value, shown in (("1", 0), ("0", 1)):
        cell = nbformat.v4.new_code_cell(code)
        notebook = nbformat.v4.new_notebook(cells=[cell])
        client = NotebookClient(notebook, timeout=60, kernel_name="python3")
        client.execute(env={**os.environ, "TQDM_DISABLE": value})
        assert len([o for o in cell.outputs if o.output_type != "error"]) == shown
        assert not [o for o in cell.outputs if o.output_type == "error"]


def test_the_first_interrupt_is_noted_the_second_raises_and_then_all_is_as_before():
    before = signal.getsignal(signal.SIGINT)
    with interrupts_kept() as stop:
        assert not stop
        press_ctrl_c()
        assert stop
        with pytest.raises(KeyboardInterrupt):
            press_ctrl_c()
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_get_no_signals():
    seen = []

    def work():
        with interrupts_kept() as stop:
            seen.append(bool(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
