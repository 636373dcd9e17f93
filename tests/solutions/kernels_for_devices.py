"""Compile the kernels for CUDA devices, as far as it goes without a device and NVIDIA's libraries.

numba infers the types and makes LLVM's intermediate code; LLVM's own backend for NVIDIA's
processors makes assembler of that, where a device would use NVIDIA's. A program of its own: one
process has numba's simulator, or its compiler. Prints, as JSON, of each kernel the assembler and
the type of each variable; and what numba warned of when small grids were asked for.
"""

import json
import sys
import warnings

import llvmlite.binding as llvm
from numba import types
from numba.cuda.compiler import compile_cuda

from autograder.questions import find_assignment
from autograder.release import read_source
from cnnlab.simulator import SIMULATED, cuda
from solutions.cuda_convolution import conv_kernel, conv_tiled_kernel
from solutions.cuda_pooling import max_pool_kernel

ARGUMENTS = {  # arrays by their number of axes, and whole numbers
    conv_kernel: (4, 4, 1, 4, "stride", "pad"),
    conv_tiled_kernel: (4, 4, 1, 4, "pad"),
    max_pool_kernel: (4, 4, "size", "stride"),
}


def shown_kernels():
    """Those of the notebook's text, which add two arrays."""
    space = {}
    for cell in read_source(find_assignment("5_gpu")).cells:
        if "\ndef add" in "\n" + cell.source:
            exec(cell.source, space)
    return {kernel: (1, 1, 1) for name, kernel in space.items() if name.startswith("add")}


def compiled(kernel, arguments, dtype, machine):
    signature = [
        types.int64 if isinstance(axes, str) else types.Array(dtype, axes, "C")
        for axes in arguments
    ]
    result = compile_cuda(kernel, types.void, tuple(signature), cc=(7, 0))
    module = llvm.parse_assembly(result.library.get_llvm_str())
    module.verify()
    variables = {name: str(type_) for name, type_ in result.type_annotation.typemap.items()}
    return {"assembler": machine.emit_assembly(module), "variables": variables}


if __name__ == "__main__":
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("nvptx64-nvidia-cuda")
    machine = target.create_target_machine(cpu="sm_70")
    dtype = getattr(types, sys.argv[1])
    assert not SIMULATED
    kernels = ARGUMENTS | shown_kernels()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for kernel in kernels:
            cuda.jit(kernel)[(2, 2, 1), (4, 4, 1)]
    found = {
        kernel.__name__: compiled(kernel, arguments, dtype, machine)
        for kernel, arguments in kernels.items()
    }
    print(json.dumps({"kernels": found, "told": [str(warning.message) for warning in told]}))
