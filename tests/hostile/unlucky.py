"""Submissions that are honest, and look odd for a reason that is nobody's fault."""

from __future__ import annotations

import json

from .corpus import EVERYTHING, QUESTIONS, HandIn, but, case


@case(deserves=EVERYTHING)
def warns_and_prints(hand_in: HandIn):
    """Graded functions that print, warn, log on stderr and show progress."""
    hand_in.solved()
    for question in QUESTIONS:
        cell = hand_in.cells[question]
        cell.source = cell.source.replace(f"def {question}", f"def _{question}") + (
            f"\ndef {question}(*args):\n"
            "    import logging, sys, warnings\n"
            "    print('called with', *(getattr(a, 'shape', a) for a in args))\n"
            "    warnings.warn('just so you know')\n"
            "    logging.getLogger().error('not an error')\n"
            "    sys.stderr.write('\\r100%|█████| 3/3')\n"
            "    sys.stderr.flush()\n"
            f"    return _{question}(*args)\n"
        )


@case(deserves=EVERYTHING)
def configures_logging(hand_in: HandIn):
    """logging.basicConfig(DEBUG), warnings as errors elsewhere, NumPy's own error state."""
    hand_in.solved().before(
        "conv_output_size",
        "import logging\nlogging.basicConfig(level=logging.DEBUG, force=True)\n"
        "logging.debug('hello')\nnp.seterr(all='warn')\nnp.set_printoptions(precision=2)",
    )


@case(deserves=EVERYTHING)
def a_slow_machine(hand_in: HandIn):
    """Every call takes 0.1 s longer than it should."""
    hand_in.solved()
    for question in QUESTIONS:
        cell = hand_in.cells[question]
        cell.source = cell.source.replace(f"def {question}", f"def _{question}") + (
            f"\ndef {question}(*args):\n    import time\n    time.sleep(0.1)\n"
            f"    return _{question}(*args)\n"
        )


@case(deserves=EVERYTHING)
def leaves_plots_open(hand_in: HandIn):
    """Thirty figures that are never closed, one of them interactive, in odd back ends."""
    hand_in.solved().before(
        "conv_cost",
        "import matplotlib.pyplot as plt\nfor i in range(30):\n    plt.figure()\n"
        "    plt.plot([1, 2, i])\n    plt.title(f'{i} ☃')\nplt.show(block=False)",
    )
    hand_in.before("receptive_field", "%matplotlib inline\nplt.imshow([[1, 2]]); plt.show()")
    hand_in.before("conv_forward_naive", "%matplotlib notebook")


@case(deserves=EVERYTHING, student="Ñandú Þórr 王小明 Ünal🎓")
def non_ascii_names(hand_in: HandIn):
    """A student's name, variables, file names and comments in many scripts."""
    hand_in.solved()
    hand_in.file("données/größe 数据.txt", "äöü 数 🎓")
    hand_in.before(
        "conv_output_size",
        "# größe, 大小, حجم, גודל\nπ, größe, 数 = 3.14, 7, [1]\n"
        "print(open('données/größe 数据.txt', encoding='utf-8').read(), π, 数)",
    )


@case(deserves=EVERYTHING, student="O'Brien, Jr. & Sons")
def a_name_with_punctuation(hand_in: HandIn):
    """A name that a shell, a database and a page would each trip over."""
    hand_in.solved()


@case(deserves=EVERYTHING, student="two  spaces (2)")
def a_name_with_spaces(hand_in: HandIn):
    """A name as a browser makes it of a second download."""
    hand_in.solved()


def _called(name: str, student: str) -> None:
    @case(deserves=EVERYTHING, name=name, student=student)
    def with_a_name(hand_in: HandIn):
        """A name that is a pattern, an option, very long, or looks like another's."""
        hand_in.solved().before("conv_cost", f"# {name}")


_called("a_name_that_is_a_pattern", "[a]*?{student_id}%s")
_called("a_name_that_is_an_option", "--help")
_called("a_name_of_250_bytes", "n" * 250)
_called("a_name_with_one_letter_for_two", "Zo\u00eb")
_called("a_name_with_two_letters_for_one", "Zoe\u0308")
_called("a_name_in_capitals", "ZO\u00cb")


@case(deserves=EVERYTHING)
def another_time_zone(hand_in: HandIn):
    """A time zone and a locale of its own, and a time stamp from Kiritimati."""
    hand_in.file("timestamp.txt", "2026-11-20 23:59:59.999999 +14:00")
    hand_in.solved().before(
        "conv_output_size",
        "import locale, os, time\nos.environ['TZ'] = 'Pacific/Kiritimati'\ntime.tzset()\n"
        "os.environ['LC_ALL'] = 'de_DE.UTF-8'\ntry:\n    locale.setlocale(locale.LC_ALL, '')\n"
        "except locale.Error:\n    pass",
    )


@case(deserves=EVERYTHING)
def no_time_stamp_but_something_like_it(hand_in: HandIn):
    """timestamp.txt holds no time: empty lines, and somebody's note."""
    hand_in.solved()
    hand_in.file("timestamp.txt", "\n\nhanded in yesterday evening, sorry\n")


@case(deserves=but("avg_pool_forward_naive"), says="SyntaxError")
def a_half_finished_cell(hand_in: HandIn):
    """One cell with a syntax error."""
    hand_in.solved(
        avg_pool_forward_naive="def avg_pool_forward_naive(x, pool_param):\n"
        "    H = 1 + (x.shape[2] - pool_param['pool_height']\n    for i in\n"
    )


@case(deserves=but("conv_output_size", "conv_forward_general"))
def half_finished_functions(hand_in: HandIn):
    """A function that returns nothing yet, one that ends with three dots."""
    hand_in.solved(
        conv_output_size="def conv_output_size(size, kernel, pad, stride):\n    room = size\n",
        conv_forward_general="def conv_forward_general(x, w, b, conv_param):\n    ...\n",
    )


@case(deserves=but("conv_output_size"), says="SyntaxError|Indentation")
def tabs_and_spaces(hand_in: HandIn):
    """Tabs and spaces mixed in one function, as two editors leave them."""
    hand_in.solved(
        conv_output_size="def conv_output_size(size, kernel, pad, stride):\n\tif size:\n"
        "        return 0\n    return 1\n"
    )


@case(deserves=EVERYTHING)
def an_exception_in_an_ungraded_cell(hand_in: HandIn):
    """Cells between the questions that fail, one with a syntax error, one with a missing name."""
    hand_in.solved()
    hand_in.before("conv_cost", "1 / 0")
    hand_in.before("receptive_field", "plt.imshow(the_picture_that_is_not_there")
    hand_in.before("conv_forward_naive", "undefined_name")
    hand_in.before("conv_backward_naive", "raise KeyboardInterrupt")
    hand_in.before("max_pool_forward_naive", "assert False, 'my own test'")


@case(deserves=EVERYTHING)
def cells_run_out_of_order(hand_in: HandIn):
    """Execution counts from 200 down: the order on the page is what counts."""
    hand_in.solved()
    for number, cell in enumerate(hand_in.notebook.cells):
        if cell.cell_type == "code":
            cell.execution_count = 200 - number


@case(deserves=EVERYTHING)
def a_helper_that_is_defined_below(hand_in: HandIn):
    """A helper's cell stands between an answer and its check, which nobody but Jupyter runs."""
    hand_in.solved()
    cell = hand_in.cells["conv_output_size"]
    helper = cell.source.replace("def conv_output_size", "def _steps")
    cell.source = "def conv_output_size(*args):\n    return _steps(*args)\n"
    hand_in.after("conv_output_size", helper)


@case(deserves=EVERYTHING)
def windows_line_ends(hand_in: HandIn):
    """CRLF in every source, in the file, and a byte order mark before it."""
    hand_in.solved()
    data = hand_in.data
    for cell in data["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")
    text = json.dumps(data, indent=1).replace("\n", "\r\n")
    hand_in.raw(b"\xef\xbb\xbf" + text.encode())


@case(deserves=EVERYTHING)
def old_mac_line_ends(hand_in: HandIn):
    """Sources whose lines end with CR alone."""
    hand_in.solved()
    data = hand_in.data
    for cell in data["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = cell["source"].replace("\n", "\r")
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def saved_by_colab(hand_in: HandIn):
    """Colab's metadata: colab, accelerator, ids in the metadata, no cell ids, nbformat_minor 0."""
    hand_in.solved()
    data = hand_in.data
    data["nbformat_minor"] = 0
    data["metadata"] = {
        "colab": {"provenance": [], "toc_visible": True, "name": "conv_layers.ipynb"},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "accelerator": "GPU",
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
    }
    for number, cell in enumerate(data["cells"]):
        del cell["id"]
        cell["metadata"].update(
            id=f"aB{number:09}", colab={"base_uri": "https://localhost/", "height": 34}
        )
        cell["metadata"].pop("tags", None)
    hand_in.raw(data)
    hand_in.file("sample_data/README.md", "what Colab puts there")


@case(deserves=EVERYTHING)
def saved_by_vs_code(hand_in: HandIn):
    """VS Code's metadata: vscode in the cells, an interpreter hash, sources as lists of lines."""
    hand_in.solved()
    data = hand_in.data
    data["metadata"]["vscode"] = {"interpreter": {"hash": "0" * 64}}
    data["metadata"]["language_info"] = {"name": "python", "version": "3.12.1"}
    for cell in data["cells"]:
        cell["metadata"]["vscode"] = {"languageId": "python"}
        cell["source"] = cell["source"].splitlines(keepends=True)
    hand_in.raw(data)
    hand_in.file(".vscode/settings.json", "{}")


@case(deserves=EVERYTHING)
def run_with_all_outputs(hand_in: HandIn):
    """As it is after a long evening: outputs, widgets, tracebacks and pictures in every cell."""
    hand_in.solved()
    data = hand_in.data
    for number, cell in enumerate(data["cells"]):
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [
                {"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]},
                {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["\x1b[31mE"]},
                {"output_type": "display_data", "data": {"image/png": "aGk="}, "metadata": {}},
            ]
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def extra_cells(hand_in: HandIn):
    """A hundred cells of its own: notes, drawings, tests, empty ones, raw ones."""
    hand_in.solved()
    for number in range(100):
        place = (number * 7) % len(hand_in.notebook.cells)
        kind = ("code", "markdown", "raw")[number % 3]
        hand_in.insert(place, ["", "# a note", f"x_{number} = {number}"][number % 3], kind=kind)


@case(deserves=EVERYTHING)
def asks_for_input(hand_in: HandIn):
    """input() and getpass in a cell, where nobody answers."""
    hand_in.solved().before("conv_cost", "name = input('your name? ')")
    hand_in.before("receptive_field", "import getpass; getpass.getpass()")
    hand_in.before("conv_forward_naive", "import sys; sys.stdin.read()")


@case(deserves=EVERYTHING)
def magics_and_shell_lines(hand_in: HandIn):
    """%magics, !shell lines, %%cell magics, ? and ?? in cells, also above the answers."""
    hand_in.solved()
    cell = hand_in.cells["conv_cost"]
    cell.source = "%precision 3\n!echo shell\n" + cell.source
    cell = hand_in.cells["receptive_field"]
    cell.source = "%load_ext autoreload\n%autoreload 2\n" + cell.source
    hand_in.before("conv_output_size", "%%time\n_ = sum(range(10))")
    hand_in.before("conv_output_size", "!pip install -q numpy\nfiles = !ls")
    hand_in.before("conv_output_size", "%timeit -n1 -r1 1 + 1\nnp.pad?\nlen??")
    hand_in.before("conv_output_size", "%%bash\necho from bash\nexit 3")
    hand_in.before("conv_output_size", "%%writefile my_notes.txt\nhello")
    hand_in.before("conv_output_size", "%debug")
    hand_in.before("conv_output_size", "%no_such_magic")


@case(deserves=EVERYTHING)
def own_helper_modules(hand_in: HandIn):
    """A module and a package beside the notebook, with a data file, that the answers use."""
    hand_in.solved()
    for question in ("conv_output_size", "avg_pool_backward_naive"):
        cell = hand_in.cells[question]
        hand_in.file(f"my_layers/{question}_.py", f"import numpy as np\n\n{cell.source}")
        cell.source = f"from my_layers.{question}_ import {question}\n"
    hand_in.file("my_layers/__init__.py", "from pathlib import Path\nPath('scale.txt').read_text()")
    hand_in.file("scale.txt", "1")


@case(deserves=EVERYTHING)
def helpers_that_are_called_like_libraries(hand_in: HandIn):
    """random.py, json.py, numpy.py, wire.py and test.py beside the notebook, from other courses."""
    hand_in.solved()
    for name in ("random", "json", "types", "wire", "bridge", "test", "zmq", "ipykernel", "code"):
        hand_in.file(f"{name}.py", "raise ImportError('another course')\n")


@case(deserves=EVERYTHING)
def shadows_builtins(hand_in: HandIn):
    """list, sum, max, len, type and range are variables, x and np are something else later on."""
    hand_in.solved()
    hand_in.after(
        "conv_output_size", "list = [1, 2]\nid = 7\ntype = 'conv'\ninput = np.ones(3)\nfilter = 3"
    )
    hand_in.insert(len(hand_in.notebook.cells), "sum = 0\nnp = None\nlen = None")


@case(deserves=EVERYTHING)
def other_kinds_of_numbers(hand_in: HandIn):
    """NumPy integers, floats that are whole, lists for tuples, single precision, longdouble."""
    hand_in.solved()
    wraps = {
        "conv_output_size": "np.int64({})",
        "receptive_field": "float({})",
        "conv_cost": "[list(({})[0]), *map(np.int32, ({})[1:])]",
        "avg_pool_backward_naive": "{}.astype(np.float32)",
        "max_pool_backward_naive": "np.asfortranarray({})",
        "conv_backward_naive": "[a.astype(np.longdouble) for a in {}]",
    }
    for question, wrap in wraps.items():
        cell = hand_in.cells[question]
        call = f"_{question}(*args)"
        cell.source = cell.source.replace(f"def {question}", f"def _{question}") + (
            f"\ndef {question}(*args):\n    return {wrap.format(call, call)}\n"
        )


@case(deserves=EVERYTHING)
def classes_lambdas_and_decorators(hand_in: HandIn):
    """Answers as a callable object, a partial, a cached function and a lambda."""
    hand_in.solved()
    for question, last in {
        "conv_output_size": "class _C:\n    def __call__(self, *a): return _{0}(*a)\n{0} = _C()",
        "conv_cost": "import functools\n{0} = functools.partial(_{0})",
        "receptive_field": "{0} = lambda layers: _{0}(layers)",
        "avg_pool_forward_naive": "import functools\n@functools.wraps(_{0})\n"
        "def {0}(*a, **k): return _{0}(*a, **k)",
    }.items():
        cell = hand_in.cells[question]
        cell.source = (
            cell.source.replace(f"def {question}", f"def _{question}")
            + f"\n{last.format(question)}\n"
        )


@case(deserves=EVERYTHING)
def works_in_threads(hand_in: HandIn):
    """Convolves with a pool of four threads, and leaves the pool open."""
    hand_in.solved()
    cell = hand_in.cells["conv_forward_general"]
    cell.source = (
        cell.source.replace("def conv_forward_general", "def _general")
        + """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(4)
def conv_forward_general(*args):
    return pool.submit(_general, *args).result()
"""
    )


@case(deserves=EVERYTHING)
def changes_the_folder(hand_in: HandIn):
    """os.chdir to a folder that is gone afterwards, as after mounting a drive in Colab."""
    hand_in.solved().before(
        "conv_cost",
        "import os, shutil\nos.makedirs('drive/MyDrive')\nos.chdir('drive/MyDrive')\n"
        "shutil.rmtree('../../drive')",
    )


@case(deserves=EVERYTHING)
def empty_but_for_the_answers(hand_in: HandIn):
    """Text, demonstrations and imports were deleted; each answer imports what it needs."""
    hand_in.solved()
    hand_in.notebook.cells = list(hand_in.cells.values())
    for question in QUESTIONS:
        cell = hand_in.cells[question]
        cell.source = "import numpy as np\n" + cell.source


@case(deserves=EVERYTHING)
def all_in_one_cell(hand_in: HandIn):
    """All functions stand in one cell of its own, at the top; the marked cells are gone."""
    hand_in.solved()
    sources = "\n\n".join(hand_in.cells[question].source for question in QUESTIONS)
    for question in QUESTIONS:
        hand_in.remove(question)
    hand_in.insert(3, "import numpy as np\n" + sources)


@case(deserves=but(*QUESTIONS))
def nothing_written(hand_in: HandIn):
    """The notebook as it was released."""
    hand_in.starter()


@case(deserves=EVERYTHING)
def caches_of_its_own_classes(hand_in: HandIn):
    """Caches as a namedtuple, a dict with attributes, a dataclass and a closure."""
    hand_in.solved()
    kinds = {
        "conv": (
            "from collections import namedtuple\nConv = namedtuple('Conv', 'x w b conv_param')\n",
            "Conv(x, w, b, conv_param)",
            "cache.x, cache.w, cache.b, cache.conv_param",
        ),
        "max_pool": (
            "class Dots(dict):\n    __getattr__ = dict.__getitem__\n",
            "Dots(x=x, param=pool_param)",
            "cache.x, cache.param",
        ),
        "avg_pool": ("", "lambda: (x, pool_param)", "cache()"),
    }
    for layer, (before, made, read) in kinds.items():
        for way, old, new in (
            ("forward", "cache = (", f"cache = {made}  # ("),
            ("backward", "= cache\n", f"= {read}\n"),
        ):
            cell = hand_in.cells[f"{layer}_{way}_naive"]
            cell.source = before * (way == "forward") + cell.source.replace(old, new, 1)


@case(deserves=EVERYTHING)
def imports_in_a_demonstration(hand_in: HandIn):
    """An import and a constant, written into a released demonstration, that an answer needs."""
    hand_in.solved()
    shown = next(c for c in hand_in.notebook.cells if "plots.grids" in c.source)
    shown.source = f"import math\nONE = 1\n{shown.source}"
    cell = hand_in.cells["conv_output_size"]
    cell.source = cell.source.replace("room // stride + 1", "math.floor(room / stride) + ONE")


@case(deserves=EVERYTHING)
def answers_below_the_empty_cells(hand_in: HandIn):
    """The cells are as released; below each, the answer comes by import *, %run, if and try."""
    stubs = HandIn(hand_in.folder, hand_in.assignment, hand_in.around).starter().cells
    hand_in.solved()
    below = {
        "conv_output_size": "%run my_size.py",
        "conv_cost": "from my_cost import *",
        "receptive_field": "if True:\n{0}",
        "avg_pool_forward_naive": "try:\n{0}\nfinally:\n    pass",
    }
    for question, source in below.items():
        answer = hand_in.answers[question]
        indented = "".join(f"    {line}" for line in answer.splitlines(keepends=True))
        hand_in.file(f"my_{question.rpartition('_')[2]}.py", f"import numpy as np\n{answer}")
        hand_in.cells[question].source = stubs[question].source
        hand_in.after(question, source.format(indented))


@case(deserves=EVERYTHING)
def strict_about_warnings(hand_in: HandIn):
    """Every warning and every rounding to nothing is an error, in the whole notebook."""
    hand_in.solved().before(
        "conv_output_size",
        "import warnings\nwarnings.simplefilter('error')\nnp.seterr(all='raise')",
    )


@case(deserves=EVERYTHING)
def works_in_processes(hand_in: HandIn):
    """Convolves in a pool of two processes, made for each call."""
    hand_in.solved()
    cell = hand_in.cells["conv_forward_general"]
    cell.source = (
        cell.source.replace("def conv_forward_general", "def _general")
        + """
import multiprocessing
def conv_forward_general(*args):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.apply(_general, args)
"""
    )


@case(deserves=EVERYTHING)
def right_answers_in_odd_arrays(hand_in: HandIn):
    """Big-endian, memory-mapped, read-only and negatively strided ones; arrays for numbers."""
    hand_in.solved()
    wraps = {
        "conv_output_size": "np.array({})",
        "receptive_field": "np.array({}, '>i2')",
        "conv_cost": "[np.array(a) for a in {}]",
        "conv_backward_naive": "[np.flip(np.flip(a).copy()) for a in {}]",
        "max_pool_backward_naive": "{}.astype('>f8')",
        "avg_pool_backward_naive": "_mapped({})",
    }
    mapped = """
def _mapped(a):
    kept = np.memmap("kept.bin", a.dtype, "w+", shape=a.shape)
    kept[...] = a
    kept.flags.writeable = False
    return kept
"""
    for question, wrap in wraps.items():
        cell = hand_in.cells[question]
        cell.source = (
            cell.source.replace(f"def {question}", f"def _{question}")
            + mapped * ("_mapped" in wrap)
            + f"\ndef {question}(*args):\n    return {wrap.format(f'_{question}(*args)')}\n"
        )


@case(deserves=EVERYTHING)
def configuration_beside_it(hand_in: HandIn):
    """Settings of IPython, Jupyter, Matplotlib, pytest and pip beside the notebook, and wrong."""
    hand_in.solved().before("conv_cost", "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])")
    broken = "raise SystemExit('not for here')\n"
    for name in (
        *("ipython_config.py", "ipython_kernel_config.py", "jupyter_config.py", "usercustomize.py"),
        *("startup/00-first.py", "profile_default/startup/00-first.py", "ipykernel_launcher.py"),
        *("matplotlib_inline/__init__.py", "stack_data.py", "executing.py", "pygments/__init__.py"),
        *("setup.py", "conftest.py", "numpy/__init__.py", "cnnlab/__init__.py", "debugpy.py"),
    ):
        hand_in.file(name, broken)
    hand_in.file("matplotlibrc", "backend: no_such_backend\nfont.size: none\n")
    hand_in.file("path.pth", "import os; os._exit(3)\n")
    hand_in.file("pyvenv.cfg", "home = /nowhere\ninclude-system-site-packages = true\n")
    hand_in.file("pytest.ini", "[pytest]\naddopts = --no-such-option\n")


@case(deserves=EVERYTHING)
def an_import_that_is_not_to_be_had(hand_in: HandIn):
    """Colab's drive is mounted in the first line of the released imports, where it was needed."""
    hand_in.solved()
    imports = next(c for c in hand_in.notebook.cells if "import numpy as np" in c.source)
    mount = "from google.colab import drive\ndrive.mount('/content/drive')\n"
    imports.source = f"%matplotlib inline\n{mount}{imports.source}"
