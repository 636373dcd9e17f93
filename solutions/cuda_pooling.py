"""Max pooling forward as a CUDA kernel: one thread per output."""

from cnnlab.simulator import cuda


def max_pool_kernel(x, out, size, stride):
    """Compute one output of a max pooling layer: a CUDA kernel, which each thread runs.

    Thread (column, row, plane) = cuda.grid(3) computes out[n, c, row, column], where
    plane = n * C + c counts the planes: those of image 0, then those of image 1, ...

    Args:
        x: images, shape (N, C, H, W), floats
        out: shape (N, C, H', W'), of the same dtype: the outputs are written here
        size: int, rows and columns of a window
        stride: int, pixels from one window to the next, the same down and across

    Returns:
        nothing: a kernel writes its results into an array

    A thread beyond the last column, row or plane does nothing. The numbers may be negative, all of
    them. Windows may overlap, or leave gaps; every window lies inside of the image. Only out is
    written to.
    """
    ### BEGIN SOLUTION
    column, row, plane = cuda.grid(3)
    N, C, H_out, W_out = out.shape
    if column >= W_out or row >= H_out or plane >= N * C:
        return
    n, c = plane // C, plane % C
    top, left = row * stride, column * stride
    best = x[n, c, top, left]
    for i in range(size):
        for j in range(size):
            value = x[n, c, top + i, left + j]
            if value > best:
                best = value
    out[n, c, row, column] = best
    ### END SOLUTION
