"""Convolution forward as CUDA kernels: one thread per output, then with shared memory."""

from cnnlab.simulator import PATCH, TILE, cuda


def conv_kernel(x, w, b, out, stride, pad):
    """Compute ONE output of a convolution layer: a CUDA kernel, which each thread runs.

    Thread (column, row, plane) = cuda.grid(3) computes out[n, f, row, column], where
    plane = n * F + f counts the planes of out: those of image 0, then those of image 1, ...

    Args:
        x: images, shape (N, C, H, W), floats
        w: filters, shape (F, C, HH, WW), of the same dtype
        b: biases, shape (F,), of the same dtype
        out: shape (N, F, H', W'), of the same dtype: the outputs are written here
        stride: int, pixels from one window to the next, the same down and across
        pad: int, rows and columns of zeros around the image, on each of its four sides

    Returns:
        nothing: a kernel writes its results into an array

    The grid covers out, and often more: it comes in whole blocks of threads, 8 x 8 say. A thread
    beyond the last column, row or plane does nothing, and each other writes one number. Only out is
    written to.

    No padded copy of x is made. A window that reaches beyond the image meets zeros there; leave
    those products out. (x[n, c, -1, j] is no error. It is the last row.)

    A kernel is compiled for the device: it has loops, ifs and numbers, and no NumPy. Add up in a
    number of out's dtype; b[f] to begin with is one.
    """
    ### BEGIN SOLUTION
    column, row, plane = cuda.grid(3)
    N, F, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * F:
        return
    n, f = plane // F, plane % F
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    total = b[f]
    for c in range(C):
        for i in range(HH):
            r = row * stride - pad + i
            if r < 0 or r >= H:
                continue
            for j in range(WW):
                s = column * stride - pad + j
                if s >= 0 and s < W:
                    total += x[n, c, r, s] * w[f, c, i, j]
    out[n, f, row, column] = total
    ### END SOLUTION


def conv_tiled_kernel(x, w, b, out, pad):
    """Compute one output, as conv_kernel does with stride 1, and read each pixel once per block.

    The windows of neighbouring outputs overlap: with 3x3 filters, conv_kernel fetches each pixel
    nine times from the device's slow memory. Here the threads of a block work together. They
    compute a tile of TILE x TILE outputs, and all that these need of one channel is a patch of
    (TILE + HH - 1) x (TILE + WW - 1) pixels. For each channel, they
        1. copy the patch into shared memory, each thread its part, with zeros where it reaches
           beyond the image;
        2. wait for each other: cuda.syncthreads();
        3. add the products of their own window, out of shared memory;
        4. wait again, before the next channel's patch overwrites this one.

    Args:
        x: images, shape (N, C, H, W), floats
        w: filters, shape (F, C, HH, WW), of the same dtype; HH and WW are at most LARGEST = 7
        b: biases, shape (F,), of the same dtype
        out: shape (N, F, H', W'), of the same dtype, where H' = H + 2 * pad - HH + 1 and
            W' = W + 2 * pad - WW + 1: the outputs are written here
        pad: int, rows and columns of zeros around the image, on each of its four sides

    Returns:
        nothing

    It is launched with blocks of (TILE, TILE, 1) threads, and a grid of N * F planes. TILE is 8.
    Thread (column, row, plane) = cuda.grid(3) writes out[n, f, row, column], plane = n * F + f;
    within its block, it is the thread (cuda.threadIdx.x, cuda.threadIdx.y). The pixels of a patch
    are more than the threads: each thread copies up to four. No pixel is read twice from x.

    Threads beyond the edge of out write nothing, but they help to copy, and they come to every
    cuda.syncthreads() like all others: a thread that returned early is waited for in vain.

    The size of shared memory is fixed when the kernel is compiled. So the array has room for the
    largest filter: cuda.shared.array((PATCH, PATCH), x.dtype), where PATCH = TILE + LARGEST - 1.
    What is in it at the beginning is anything, not zeros.
    Source: Kirk and Hwu, "Programming Massively Parallel Processors", the chapter on convolution.
    """
    ### BEGIN SOLUTION
    patch = cuda.shared.array((PATCH, PATCH), x.dtype)
    column, row, plane = cuda.grid(3)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    _, F, H_out, W_out = out.shape
    _, C, H, W = x.shape
    _, _, HH, WW = w.shape
    n, f = plane // F, plane % F
    left, top = column - across - pad, row - down - pad  # the patch's corner, in the image
    inside = row < H_out and column < W_out
    total = b[f]
    for c in range(C):
        for i in range(down, TILE + HH - 1, TILE):
            for j in range(across, TILE + WW - 1, TILE):
                r, s = top + i, left + j
                if r >= 0 and r < H and s >= 0 and s < W:
                    patch[i, j] = x[n, c, r, s]
                else:
                    patch[i, j] = 0
        cuda.syncthreads()
        if inside:
            for i in range(HH):
                for j in range(WW):
                    total += patch[down + i, across + j] * w[f, c, i, j]
        cuda.syncthreads()
    if inside:
        out[n, f, row, column] = total
    ### END SOLUTION


def conv_on_device(x, w, b, stride=1, pad=0):
    """Run conv_kernel on the GPU: there with the arrays, launch, back with the result.

    Args:
        x: images, a NumPy array of shape (N, C, H, W), floats
        w: filters, shape (F, C, HH, WW), of the same dtype
        b: biases, shape (F,), of the same dtype
        stride: int, pixels from one window to the next, the same down and across
        pad: int, rows and columns of zeros around the image, on each of its four sides

    Returns:
        out: a NumPy array of shape (N, F, H', W'), of x's dtype

    Four steps: cuda.to_device copies an array to the device, and cuda.device_array makes one there;
    cuda.jit(conv_kernel) is the kernel; kernel[blocks, threads](...) launches it, where both are
    (x, y, z); .copy_to_host() waits until it is done and copies an array back. With threads
    (8, 8, 1), the blocks have to cover W' columns, H' rows and N * F planes: round up.

    You may take it that the windows fit evenly. x, w and b are left as they were.
    """
    ### BEGIN SOLUTION
    N, _, H, W = x.shape
    F, _, HH, WW = w.shape
    H_out, W_out = 1 + (H + 2 * pad - HH) // stride, 1 + (W + 2 * pad - WW) // stride
    out = cuda.device_array((N, F, H_out, W_out), x.dtype)
    blocks = ((W_out + TILE - 1) // TILE, (H_out + TILE - 1) // TILE, N * F)
    arrays = [cuda.to_device(array) for array in (x, w, b)]
    cuda.jit(conv_kernel)[blocks, (TILE, TILE, 1)](*arrays, out, stride, pad)
    return out.copy_to_host()
    ### END SOLUTION
