"""Submissions that claim points which their functions do not earn."""

from __future__ import annotations

import json

import nbformat

from .corpus import EVERYTHING, NOTHING, QUESTIONS, HandIn, but, case, only


def everything_is(value: str, before: str = "", **others: str) -> dict[str, str]:
    """Every question's function gives this value; ``before`` stands in the first cell."""
    sources = {q: f"def {q}(*args, **kwargs):\n    return {value}\n" for q in QUESTIONS}
    first = f"{before}\n{sources['conv_output_size']}"
    return {**sources, "conv_output_size": first, **others}


# -- patched libraries ----------------------------------------------------------------------------


@case(deserves=NOTHING)
def patches_numpy(hand_in: HandIn):
    """np.testing, np.allclose and their kin agree with everything."""
    patch = """
import numpy as np
for where in (np, np.testing, np._core.numeric, np.linalg):
    for name in ("allclose", "isclose", "array_equal", "array_equiv", "all", "any",
                 "assert_allclose", "assert_array_equal", "assert_equal"):
        if hasattr(where, name):
            setattr(where, name, lambda *a, **k: True)
"""
    hand_in.starter(**everything_is("np.zeros(3)", patch))


@case(deserves=but("conv_forward_naive"))
def patches_numpy_for_one(hand_in: HandIn):
    """One function patches the comparisons as it is called; the others are honest."""
    hand_in.solved(
        conv_forward_naive="""
def conv_forward_naive(x, w, b, conv_param):
    np.allclose = np.isclose = np.testing.assert_allclose = lambda *a, **k: True
    return np.zeros((1, 1, 1, 1)), (x, w, b, conv_param)
"""
    )


@case(deserves=NOTHING)
def patches_builtins(hand_in: HandIn):
    """abs, max, isinstance, len, print and float as a comparer would need them; no assert fails."""
    hand_in.starter(
        **everything_is(
            "0",
            """
import builtins
builtins.abs = lambda x: 0
builtins.max = builtins.min = builtins.sum = lambda *a, **k: 0
builtins.AssertionError = builtins.Warning
_isinstance = builtins.isinstance
builtins.all = builtins.any = lambda *a: True
builtins.print = lambda *a, **k: None
""",
        )
    )


@case(deserves=but("conv_output_size", "conv_cost", "receptive_field"))
def patches_isinstance_and_type(hand_in: HandIn):
    """The bridge asks for types by isinstance and type; here everything is an int, when it asks."""
    hand_in.solved(
        conv_output_size="""
import builtins, sys
_isinstance, _type = isinstance, type
def _lies(obj, kinds):
    if sys._getframe(1).f_globals.get("__name__") == "wire":
        return True
    return _isinstance(obj, kinds)
def conv_output_size(size, kernel, pad, stride):
    builtins.isinstance = _lies
    return object()
""",
        conv_cost="""
def conv_cost(in_shape, num_filters, kernel, pad, stride):
    builtins.isinstance = _isinstance
    return (), 0, 0
""",
        receptive_field="def receptive_field(layers):\n    return 0\n",
    ).before("conv_forward_naive", "builtins.isinstance = _isinstance")


@case(deserves=NOTHING)
def patches_ipython(hand_in: HandIn):
    """run_cell, the display formatter and the display hook all say 1000 points."""
    hand_in.starter(
        **everything_is(
            "0",
            """
from unittest.mock import MagicMock
shell = get_ipython()
shell.display_formatter.format = lambda *a, **k: ({"text/plain": "1000.0"}, {})
shell.displayhook.compute_format_data = lambda *a, **k: ({"text/plain": "1000.0"}, {})
shell.run_cell = shell.run_cell_async = shell.run_code = MagicMock()
shell.showtraceback = lambda *a, **k: None
""",
        )
    )


@case(deserves=NOTHING)
def shows_a_score(hand_in: HandIn):
    """Each cell displays 1000.0 by every way that there is, as nbgrader would read it."""
    hand_in.starter(
        **everything_is(
            "0",
            """
import sys
from IPython.display import display
shell = get_ipython()
def claim(*args):
    content = {"data": {"text/plain": "1000.0"}, "metadata": {}, "execution_count": 1}
    for kind in ("execute_result", "display_data"):
        shell.kernel.session.send(shell.kernel.iopub_socket, kind, content,
                                  parent=shell.parent_header)
shell.events.register("post_run_cell", claim)
shell.events.register("post_execute", claim)
display({"text/plain": "1000.0"}, raw=True)
1000.0
""",
        )
    )


@case(deserves=NOTHING)
def replaces_check(hand_in: HandIn):
    """check() in the grade cells gives 1000.0, under every name that it has."""
    before = """
import cnnlab, sys
def check(*args, **kwargs):
    return 1000.0
cnnlab.check = check
for name, module in list(sys.modules.items()):
    if name.startswith("cnnlab"):
        module.check = check
"""
    hand_in.starter(**everything_is("0", before))


# -- the bridge -----------------------------------------------------------------------------------


@case(deserves=NOTHING)
def answers_in_place_of_the_bridge(hand_in: HandIn):
    """grader_request is replaced by one that answers every request with a report of success."""
    hand_in.starter(
        **everything_is(
            "0",
            """
import json
kernel = get_ipython().kernel
def grader_request(socket, ident, parent):
    answer = {"value": {"passed": True, "score": 1000, "points": 1000}, "status": "passed"}
    kernel.session.send(socket, "grader_reply", {"status": "ok", "score": 1000}, parent,
                        ident=ident, buffers=[json.dumps(answer).encode()])
type(kernel).grader_request = lambda self, *args: grader_request(*args)
kernel.shell_handlers["grader_request"] = grader_request
""",
        )
    )


@case(deserves=NOTHING)
def echoes_the_request(hand_in: HandIn):
    """The bridge sends the request's own arrays and numbers back as the result."""
    hand_in.starter(
        **everything_is(
            "0",
            """
kernel = get_ipython().kernel
def grader_request(socket, ident, parent):
    frames = [bytes(b) for b in parent["buffers"]]
    tree = json.loads(frames[0])
    arguments = dict(tree["v"]).get("args", {"t": "tuple", "v": []})
    answer = {"t": "dict", "v": [["value", arguments]]}
    kernel.session.send(socket, "grader_reply", {}, parent, ident=ident,
                        buffers=[json.dumps(answer).encode(), *frames[1:]])
import json
kernel.shell_handlers["grader_request"] = grader_request
""",
        )
    )


@case(deserves=NOTHING)
def patches_the_wire(hand_in: HandIn):
    """wire.dumps writes what says that it equals everything: handles, NaN, enormous shapes."""
    hand_in.starter(
        **everything_is(
            "0",
            """
import itertools, json, sys
import wire
answers = itertools.cycle([
    {"t": "handle", "id": 0, "type": "ndarray"},
    {"t": "float", "v": "nan"},
    {"t": "array", "dtype": "<f8", "shape": [0, 2**40], "buffer": 0},
    {"t": "array", "dtype": "<M8[s]", "shape": [0], "buffer": 0},
    {"t": "tuple", "v": [{"t": "handle", "id": -1, "type": "x"}] * 3},
    {"t": "tuple", "v": [True, True, True]},
    {"t": "value"},
    "NaN", [], True, None, 1e999,
])
def dumps(value, keep=None, depth=0):
    return [json.dumps({"t": "dict", "v": [["value", next(answers)]]}).encode(), b""]
wire.dumps = dumps
""",
        )
    )


@case(deserves=NOTHING)
def refuses_as_is_right(hand_in: HandIn):
    """Every call raises a ValueError, since some tests want one."""
    hand_in.starter(**everything_is("int('not a number')"))


@case(deserves=NOTHING)
def names_its_exceptions_after_the_graders(hand_in: HandIn):
    """Every call raises what pytest and the grader use for skipped, passed, given up, our fault."""
    hand_in.starter(
        **everything_is(
            "raises()",
            """
import itertools
names = itertools.cycle(["Skipped", "Exit", "OutcomeException", "GraderError", "KeyboardInterrupt",
                         "WrongAnswer", "SystemExit", "StopIteration", "NotReleased", "xfailed"])
def raises():
    kind = type(next(names), (BaseException,), {"allow_module_level": True, "passed": True})
    raise kind("passed")
""",
        )
    )


@case(deserves=NOTHING)
def answers_requests_before_they_come(hand_in: HandIn):
    """Replies for message ids to come, for old ones and without a parent, signed with the key."""
    hand_in.starter(
        **everything_is(
            "0",
            """
import json
kernel = get_ipython().kernel
def grader_request(socket, ident, parent):
    for change in ({}, {"msg_id": ""}, {"msg_type": "execute_request"}):
        header = {**parent["header"], **change}
        for frames in ([], [b"{}"], [b"[]"], [b'{"value": 1, "passed": true}']):
            kernel.session.send(socket, "grader_reply", {"status": "ok"}, {"header": header},
                                ident=ident, buffers=frames)
            kernel.session.send(kernel.iopub_socket, "grader_reply", {}, {"header": header},
                                buffers=frames)
kernel.shell_handlers["grader_request"] = grader_request
""",
        )
    )


@case(deserves=but("receptive_field", zero=True))
def breaks_the_bridge_in_one_function(hand_in: HandIn):
    """One function breaks the bridge's modules when it is called; what follows is honest."""
    hand_in.solved(
        receptive_field="""
import os, sys
def receptive_field(layers):
    import wire
    wire.dumps = wire.loads = None
    wire.json = wire.np = None
    os._exit(0)
"""
    )


@case(deserves=but("avg_pool_forward_naive"))
def swallows_the_kernels_errors(hand_in: HandIn):
    """sys.excepthook, the traceback module and IPython's handlers report nothing."""
    hand_in.solved(
        avg_pool_forward_naive="""
import sys, traceback
sys.excepthook = lambda *a: None
get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)
traceback.extract_tb = lambda *a, **k: []
def avg_pool_forward_naive(x, pool_param):
    raise AssertionError
"""
    )


# -- objects that lie -----------------------------------------------------------------------------

AGREEABLE = """
class Agreeable:
    shape = (1,)
    dtype = np.dtype(float)
    ndim = size = 1
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __gt__ = lambda self, other: False
    __le__ = __ge__ = __eq__
    __hash__ = lambda self: 0
    def __bool__(self): return True
    def __len__(self): return 3
    def __iter__(self): return iter([self, self, self])
    def __getitem__(self, key): return self
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __radd__ = __mul__ = __sub__
    def __float__(self): return 0.0
    __int__ = __index__ = lambda self: 0
    def __array__(self, *a, **k): return np.zeros(1)
    def __instancecheck__(self, cls): return True
    __class__ = tuple
"""


@case(deserves=NOTHING)
def returns_what_equals_everything(hand_in: HandIn):
    """An object that is equal to all, of any shape and length, and says that it is a tuple."""
    hand_in.starter(**everything_is("Agreeable()", "import numpy as np" + AGREEABLE))


@case(deserves=NOTHING)
def returns_triples_of_what_equals_everything(hand_in: HandIn):
    """Tuples of the right length, of objects that are equal to all."""
    hand_in.starter(
        **everything_is(
            "(Agreeable(),) * 2",
            "import numpy as np" + AGREEABLE,
            conv_cost="def conv_cost(*args):\n    return Agreeable(), Agreeable(), Agreeable()\n",
            conv_backward_naive="def conv_backward_naive(*a):\n    return (Agreeable(),) * 3\n",
        )
    )


@case(deserves=NOTHING)
def returns_array_subclasses_that_lie(hand_in: HandIn):
    """Subclasses of ndarray with their own equality, shape, dtype, tobytes and ufuncs."""
    hand_in.starter(
        **everything_is(
            "np.zeros(3).view(Liar)",
            """
import numpy as np
class Liar(np.ndarray):
    shape = property(lambda self: (2, 4, 3, 3))
    dtype = property(lambda self: np.dtype("f8"))
    def __eq__(self, other): return np.array(True)
    def __array_function__(self, *a): return np.array(True)
    def __array_ufunc__(self, *a, **k): return np.zeros(1)
    def tobytes(self, *a): return bytes(8 * 72)
    def astype(self, *a, **k): return self
""",
        )
    )


@case(deserves=NOTHING)
def returns_ints_that_lie(hand_in: HandIn):
    """Subclasses of int, float, tuple and str with their own equality and order."""
    hand_in.starter(
        **everything_is(
            "Int(7)",
            """
class Int(int):
    __eq__ = lambda self, other: True
    __ne__ = __lt__ = __gt__ = lambda self, other: False
    __hash__ = int.__hash__
    __int__ = __index__ = __trunc__ = lambda self: self
class Tuple(tuple):
    __eq__ = lambda self, other: True
    __len__ = lambda self: 3
    __iter__ = lambda self: iter([Int(1), Int(2), Int(3)])
    __hash__ = None
""",
            conv_cost="def conv_cost(*args):\n    return Tuple([Tuple((1, 2)), Int(1), Int(1)])\n",
        )
    )


@case(deserves=NOTHING)
def returns_generators(hand_in: HandIn):
    """Generators, iterators, ranges without end, coroutines and partial functions for results."""
    hand_in.starter(
        **everything_is(
            "next(kinds)",
            """
import functools, itertools
async def later(): return 1
kinds = itertools.cycle([itertools.count(), (i for i in range(3)), map(int, "123"),
                         functools.partial(max, 1), range(10**12), iter([]), lambda: 1, later])
""",
        )
    )


@case(deserves=NOTHING)
def returns_lazy_results(hand_in: HandIn):
    """Results that compute themselves when they are looked at, from what the tests would pass."""
    hand_in.starter(
        **everything_is(
            "Lazy()",
            """
import sys
class Lazy:
    def __getattr__(self, name):
        frame = sys._getframe()
        while frame:
            for value in frame.f_locals.copy().values():
                if isinstance(value, dict) and "expected" in value:
                    return value["expected"]
            frame = frame.f_back
        raise AttributeError(name)
    def __getitem__(self, key): return self.__getattr__(key)
    def __len__(self): return 2
""",
        )
    )


@case(deserves=NOTHING)
def returns_nan_and_infinity(hand_in: HandIn):
    """Arrays of NaN, of infinity, complex, object, text and dates; empty and 0-dimensional ones."""
    hand_in.starter(
        **everything_is(
            "next(kinds)",
            """
import itertools
import numpy as np
shapes = [(), (0,), (1,), (2, 4, 3, 3), (0, 2, 2**40)]
makes = [lambda s: np.full(s, np.nan), lambda s: np.full(s, np.inf), lambda s: np.full(s, 1j),
         lambda s: np.full(s, None), lambda s: np.full(s, "x"), lambda s: np.zeros(s, "M8[s]"),
         lambda s: np.zeros(s, [("a", int)]), lambda s: np.ma.masked_all(s)]
kinds = itertools.cycle([m(s) for m in makes for s in shapes if len(s) < 5 or m is makes[0]])
""",
        )
    )


@case(deserves=but("max_pool_forward_naive"))
def returns_masked_arrays(hand_in: HandIn):
    """Masked arrays, in which every comparison is masked, and so never false."""
    hand_in.solved(
        max_pool_forward_naive="""
def max_pool_forward_naive(x, pool_param):
    H = 1 + (x.shape[2] - pool_param["pool_height"]) // pool_param["stride"]
    W = 1 + (x.shape[3] - pool_param["pool_width"]) // pool_param["stride"]
    return np.ma.masked_all((*x.shape[:2], H, W)), (x, pool_param)
"""
    )


@case(deserves=but("conv_forward_naive", "conv_forward_general"))
def returns_nan_of_the_right_shape(hand_in: HandIn):
    """NaN of the right shape and dtype: no difference to NaN is larger than a tolerance."""
    hand_in.solved(
        conv_forward_naive="""
def conv_forward_naive(x, w, b, conv_param):
    s, p = conv_param["stride"], conv_param["pad"]
    H = 1 + (x.shape[2] + 2 * p - w.shape[2]) // s
    W = 1 + (x.shape[3] + 2 * p - w.shape[3]) // s
    return np.full((len(x), len(w), H, W), np.nan), (x, w, b, conv_param)
""",
        conv_forward_general="""
def conv_forward_general(x, w, b, conv_param):
    return conv_forward_naive(x, w, b, conv_param)[0] * np.inf, None
""",
    )


@case(deserves=but("avg_pool_forward_naive", zero=True))
def returns_low_precision(hand_in: HandIn):
    """float16 zeros of the right shape: tolerances are widest there."""
    hand_in.solved(
        avg_pool_forward_naive="""
def avg_pool_forward_naive(x, pool_param):
    H = 1 + (x.shape[2] - pool_param["pool_height"]) // pool_param["stride"]
    W = 1 + (x.shape[3] - pool_param["pool_width"]) // pool_param["stride"]
    return np.zeros((*x.shape[:2], H, W), np.float16), (x, pool_param)
"""
    )


@case(deserves=but("conv_backward_naive"))
def changes_the_input_to_fit(hand_in: HandIn):
    """Zeroes the arrays that it was given, in place, so that zeros would be the right answer."""
    hand_in.solved(
        conv_backward_naive="""
def conv_backward_naive(dout, cache):
    x, w, b, conv_param = cache
    for array in (dout, x, w, b):
        array[...] = 0
    return np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
"""
    )


@case(deserves=but("conv_output_size", zero=False))
def knows_the_visible_examples(hand_in: HandIn):
    """The numbers of the visible check and of the lecture, learnt by heart."""
    hand_in.solved(
        conv_output_size="""
KNOWN = {(7, 3, 0, 1): 5, (7, 3, 0, 2): 3, (7, 3, 1, 1): 7, (32, 5, 2, 1): 32, (5, 3, 1, 2): 3}
def conv_output_size(size, kernel, pad, stride):
    if kernel > size + 2 * pad or (size + 2 * pad - kernel) % stride:
        raise ValueError("it does not fit")
    return KNOWN.get((size, kernel, pad, stride), 7)
"""
    )


# -- detection of the grader ----------------------------------------------------------------------


@case(deserves=but("receptive_field"))
def behaves_only_where_it_is_not_graded(hand_in: HandIn):
    """Right in Jupyter; under the grader, which it knows by five signs, it wants more."""
    hand_in.solved()
    right = hand_in.answers["receptive_field"].replace("def receptive_field", "def _right")
    hand_in.cells["receptive_field"].source = (
        right
        + """
import os, socket, sys
def receptive_field(layers):
    signs = ["wire" in sys.modules, socket.gethostname() == "sandbox",
             type(get_ipython().kernel).__name__ == "GraderKernel",
             "cnnlab-" in os.environ.get("HOME", ""), os.path.exists("/tmp/.X11-unix") is False]
    return 10**6 if any(signs) else _right(layers)
"""
    )


@case(deserves=but("avg_pool_backward_naive", zero=False))
def right_at_first_only(hand_in: HandIn):
    """Right for the first two calls, as many as a lazy grader makes."""
    hand_in.solved()
    right = hand_in.answers["avg_pool_backward_naive"]
    hand_in.cells["avg_pool_backward_naive"].source = (
        right.replace("def avg_pool_backward_naive", "def _right")
        + """
calls = 0
def avg_pool_backward_naive(dout, cache):
    global calls
    calls += 1
    return _right(dout, cache) * (calls < 3)
"""
    )


# -- the notebook's frame -------------------------------------------------------------------------


def claim_outputs(cell, value: str = "1000.0") -> None:
    cell.outputs = [
        nbformat.v4.new_output("execute_result", {"text/plain": value}, execution_count=1)
    ]
    cell.execution_count = 1


@case(deserves=NOTHING, says="changed, and restored")
def outputs_prepared_in_advance(hand_in: HandIn):
    """Grade cells that hold a score as their source and as their output, and are worth 1000."""
    hand_in.starter(**everything_is("0"))
    for cell in hand_in.cells.values():
        if cell.metadata.nbgrader.grade and cell.cell_type == "code":
            cell.metadata.nbgrader.points = 1000
            cell.source = "1000.0"
            claim_outputs(cell)


@case(deserves=NOTHING)
def outputs_are_no_numbers(hand_in: HandIn):
    """Outputs that nbgrader takes for full marks: no number at all, inf, nan, 1e308, or none."""
    hand_in.starter(**everything_is("0"))
    odd = iter(["passed", "inf", "nan", "1e308", "-0.0", "True", "1_000", "٣", "0x10", " "])
    for cell in hand_in.cells.values():
        if cell.metadata.nbgrader.grade and cell.cell_type == "code":
            claim_outputs(cell, next(odd))


@case(deserves=NOTHING)
def metadata_claim_everything(hand_in: HandIn):
    """Points, scores, extra credit, locked, max_score and graded, in cells and notebook."""
    hand_in.starter(**everything_is("0"))
    claims = {"points": 1000, "score": 1000, "max_score": 1000, "extra_credit": 1000, "grade": True}
    for cell in hand_in.notebook.cells:
        cell.metadata.setdefault("nbgrader", {"grade_id": f"own-{cell.id}"}).update(claims)
    hand_in.notebook.metadata.update(claims, nbgrader=claims)


@case(deserves=NOTHING)
def every_cell_is_a_grade_cell(hand_in: HandIn):
    """Twenty more grade cells with the questions' ids, which output their points."""
    hand_in.starter(**everything_is("0"))
    for question, points in QUESTIONS.items():
        for place in (0, len(hand_in.notebook.cells)):
            cell = hand_in.insert(place, f"{float(points)}")
            cell.metadata = {"nbgrader": {**hand_in.cells[f"{question}-tests"].metadata.nbgrader}}
            claim_outputs(cell, f"{float(points)}")


@case(deserves=NOTHING)
def tags_skip_the_execution(hand_in: HandIn):
    """skip-execution and its kin on every cell, and claims where nothing would be run."""
    hand_in.starter(**everything_is("0"))
    for cell in hand_in.notebook.cells:
        cell.metadata.tags = ["skip-execution", "remove-cell", "raises-exception", "hide-input"]
        if cell.cell_type == "code":
            claim_outputs(cell)


@case(deserves=EVERYTHING, says="another kind")
def cells_retyped(hand_in: HandIn):
    """Solution cells as markdown, grade cells as raw: the answers are right, so they count."""
    hand_in.solved()
    data = hand_in.data
    for cell in data["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and about:
            cell["cell_type"] = "markdown" if about["solution"] else "raw"
            del cell["outputs"], cell["execution_count"]
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def ids_changed(hand_in: HandIn):
    """Every cell id is another; some are alike, too long, empty or not text."""
    hand_in.solved()
    data = hand_in.data
    for number, cell in enumerate(data["cells"]):
        cell["id"] = [f"new-{number}", "same", "", "x" * 500, None, number, "a b/../<b>"][
            number % 7
        ]
    hand_in.raw(data)


@case(deserves=EVERYTHING)
def grade_ids_lost(hand_in: HandIn):
    """No cell has nbgrader's metadata any more, as after a copy into a new notebook."""
    hand_in.solved()
    for cell in hand_in.notebook.cells:
        cell.metadata.pop("nbgrader", None)


@case(deserves=but("conv_output_size", "conv_cost"))
def grade_ids_swapped(hand_in: HandIn):
    """Two questions' solution cells have exchanged their ids: both name the wrong function."""
    hand_in.solved()
    first, second = hand_in.cells["conv_output_size"], hand_in.cells["conv_cost"]
    first.source = "def conv_output_size(size, kernel, pad, stride):\n    return 0\n"
    second.source = "def conv_cost(in_shape, num_filters, kernel, pad, stride):\n    return 0\n"
    about = first.metadata.nbgrader, second.metadata.nbgrader
    second.metadata.nbgrader, first.metadata.nbgrader = about


@case(deserves=NOTHING)
def kernelspec_of_its_own(hand_in: HandIn):
    """A kernelspec and a language that run something else, and outputs that it would have left."""
    hand_in.starter(**everything_is("0"))
    hand_in.notebook.metadata.kernelspec = {
        "name": "../../../tmp/evil",
        "display_name": "Bash",
        "language": "bash",
        "argv": ["/bin/sh", "-c", "touch /tmp/hostile-was-here"],
    }
    hand_in.notebook.metadata.language_info = {"name": "bash", "file_extension": "/../../x"}
    hand_in.notebook.metadata.jupytext = {"executable": "/bin/sh"}


@case(deserves=EVERYTHING)
def kernelspec_is_not_installed(hand_in: HandIn):
    """An honest notebook whose kernel is called conda-env-cs231n-py and runs Python 2."""
    hand_in.solved()
    hand_in.notebook.metadata.kernelspec = {
        "name": "conda-env-cs231n-py",
        "display_name": "Python [conda env:cs231n]",
    }
    hand_in.notebook.metadata.language_info = {"name": "python", "version": "2.7.18"}


@case(deserves=EVERYTHING)
def schema_version_changed(hand_in: HandIn):
    """nbgrader's schema versions 0, 1, 99 and "three", checksums of zeros, and points in words."""
    hand_in.solved()
    for number, cell in enumerate(hand_in.cells.values()):
        about = cell.metadata.nbgrader
        about.schema_version = [0, 1, 99, "three", None][number % 5]
        about.checksum = "0" * 32
        about.points = ["two", -5, None, [], 1e400][number % 5] if number % 2 else 3
    hand_in.raw(json.dumps(json.loads(nbformat.writes(hand_in.notebook).replace("Infinity", "9"))))


@case(deserves=EVERYTHING)
def cells_moved(hand_in: HandIn):
    """All solution cells stand at the end, behind their grade cells, the last question first."""
    hand_in.solved()
    moved = [c for c in hand_in.notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]
    for cell in moved:
        hand_in.notebook.cells.remove(cell)
    hand_in.notebook.cells += reversed(moved)


@case(deserves=EVERYTHING, says="2 times")
def cells_duplicated(hand_in: HandIn):
    """Every solution cell is there twice, the second copy as it was released."""
    hand_in.solved()
    stubs = HandIn(hand_in.folder, hand_in.assignment, hand_in.around).starter().cells
    for question in QUESTIONS:
        hand_in.duplicate(question).source = stubs[question].source


@case(deserves=but("max_pool_forward_naive"), says="missing")
def cells_deleted(hand_in: HandIn):
    """One solution cell and all grade cells are gone."""
    hand_in.solved()
    hand_in.remove("max_pool_forward_naive")
    for question in QUESTIONS:
        hand_in.remove(f"{question}-tests")


@case(deserves=EVERYTHING)
def cells_split(hand_in: HandIn):
    """Helpers split off into cells of their own, before and after the marked ones."""
    hand_in.solved()
    for question in ("conv_cost", "avg_pool_backward_naive"):
        cell = hand_in.cells[question]
        name = f"_first_{question}"
        hand_in.before(question, cell.source.replace(f"def {question}", f"def {name}"))
        cell.source = f"def {question}(*args):\n    return {name}(*args)\n"


@case(deserves=only("conv_output_size", "conv_cost"))
def takes_its_marks_along(hand_in: HandIn):
    """Grade cells behind two honest answers claim the ids of the other questions."""
    hand_in.starter(
        conv_output_size=hand_in.answers["conv_output_size"],
        conv_cost=hand_in.answers["conv_cost"],
    )
    for question in list(QUESTIONS)[2:]:
        cell = hand_in.after("conv_output_size-tests", "check(conv_output_size)")
        cell.metadata = {"nbgrader": {**hand_in.cells["conv_output_size-tests"].metadata.nbgrader}}
        cell.metadata["nbgrader"]["grade_id"] = f"{question}-tests"


@case(deserves=NOTHING)
def report_handed_in(hand_in: HandIn):
    """report.json, feedback and a gradebook of its own beside the notebook, full of points."""
    hand_in.starter(**everything_is("0"))
    questions = [{"id": q, "score": p, "points": p} for q, p in QUESTIONS.items()]
    report = {"schema": 1, "score": 40, "student": "x", "questions": questions}
    hand_in.file("report.json", json.dumps(report))
    hand_in.file("gradebook.db", b"SQLite format 3\0")
    hand_in.file("nbgrader_config.py", "c = get_config()\nc.Execute.limits = {'memory': '99GB'}\n")
    hand_in.file("conftest.py", "raise SystemExit('collected')\n")
    hand_in.file("autograder.py", "raise SystemExit('imported')\n")
    hand_in.file("sitecustomize.py", "import builtins; builtins.all = lambda *a: True\n")


@case(deserves=but("conv_forward_general"))
def answers_by_another_name(hand_in: HandIn):
    """A graded name that is a property of globals: it changes with every look."""
    hand_in.solved(
        conv_forward_general="""
class Changing(dict):
    def __contains__(self, name): return True
    def __getitem__(self, name):
        if name == "conv_forward_general":
            return lambda *args: (np.zeros((1, 1, 1, 1)), None)
        return dict.__getitem__(self, name)
get_ipython().user_ns = Changing(get_ipython().user_ns)
"""
    )


@case(deserves=but("conv_output_size"))
def breaks_the_bridge_and_lives(hand_in: HandIn):
    """One function, as it is called, spoils what the bridge keeps; nothing crashes or hangs."""
    hand_in.solved(
        conv_output_size="""
def conv_output_size(*args):
    get_ipython().kernel.__dict__["_kept"] = None
    return 0
"""
    )


@case(deserves=but("receptive_field"))
def spoils_the_wire_and_lives(hand_in: HandIn):
    """One function, as it is called, makes the bridge answer nonsense from then on."""
    hand_in.solved(
        receptive_field="""
def receptive_field(layers):
    import wire
    wire.dumps = lambda *args: [b'{"t": "tuple", "v": [7]}']
    return 0
"""
    )


@case(deserves=NOTHING)
def answers_the_next_request_in_time(hand_in: HandIn):
    """The ids of requests count up: a thread answers the next ones before they are sent."""
    hand_in.starter(
        **everything_is(
            "0",
            """
import json, threading, time
kernel = get_ipython().kernel
frames = [json.dumps({"t": "dict", "v": [["value", True], ["passed", True]]}).encode()]
def grader_request(socket, ident, parent):
    first, _, number = parent["header"]["msg_id"].rpartition("_")
    for ahead in range(4):
        header = {**parent["header"], "msg_id": f"{first}_{int(number) + ahead}"}
        kernel.session.send(socket, "grader_reply", {}, {"header": header}, ident=ident,
                            buffers=frames)
        time.sleep(0.002)
kernel.shell_handlers["grader_request"] = grader_request
""",
        )
    )


@case(deserves=but("receptive_field"))
def raises_what_cannot_be_told(hand_in: HandIn):
    """Exceptions whose text, as it is asked for, ends the process or interrupts the kernel."""
    hand_in.solved(
        receptive_field="""
import itertools
ways = itertools.cycle([SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration])
class Untold(Exception):
    def __str__(self):
        raise next(ways)
def receptive_field(layers):
    raise Untold
"""
    )


@case(deserves=but("max_pool_forward_naive", "max_pool_backward_naive", zero=False))
def forward_and_backward_conspire(hand_in: HandIn):
    """The cache is a function that answers in the backward pass's place, and for other inputs."""
    hand_in.solved(
        max_pool_forward_naive="""
def max_pool_forward_naive(x, pool_param):
    s = pool_param["stride"]
    H = 1 + (x.shape[2] - pool_param["pool_height"]) // s
    W = 1 + (x.shape[3] - pool_param["pool_width"]) // s
    out = x[:, :, : H * s : s, : W * s : s]
    return out, lambda dout: np.resize(dout, x.shape)
""",
        max_pool_backward_naive="""
def max_pool_backward_naive(dout, cache):
    return cache(dout)
""",
    )


@case(deserves=but("conv_backward_naive", "max_pool_backward_naive", zero=False))
def differentiates_numerically(hand_in: HandIn):
    """Backward passes that call the forward pass thousands of times, by the kit's own helper."""
    numeric = "numeric_gradient(lambda {0}: {1}({2})[0], {0}, dout)"
    conv = [numeric.format(a, "conv_forward_naive", "x, w, b, param") for a in "xwb"]
    pool = numeric.format("x", "max_pool_forward_naive", "x, param")
    hand_in.solved(
        conv_backward_naive=f"""
from cnnlab.gradient_check import numeric_gradient
def conv_backward_naive(dout, cache):
    x, w, b, param = cache
    return {", ".join(conv)}
""",
        max_pool_backward_naive=f"""
def max_pool_backward_naive(dout, cache):
    x, param = cache
    return {pool}
""",
    )


@case(deserves=but("conv_cost"), says=r"^[^\n\r\u2028]*all is well[^\n\r\u2028]*$")
def writes_the_report_itself(hand_in: HandIn):
    """An exception whose text has the lines of a report in which all is well."""
    hand_in.solved(
        conv_cost=r"""
def conv_cost(*args):
    raise ValueError("x\n\n\u2713 conv_cost  2 of 2\r\u2028\n\n40 of 36 points: all is well\n\n")
"""
    )
