"""Convolution with a quarter of the multiplications: Winograd's, as matrix products.

A filter of 3 numbers slides over 6, which gives 4 results: that takes 12 multiplications, or 6.
A polynomial of 3 coefficients times one of 4 has 6 coefficients, and is known from its values at 6
points; values multiply one by one. Sliding a filter is that computation in the other direction, its
transpose. With constant matrices that lead to the values and back,

    y = A.T @ ((G @ g) * (B @ d)),    d: 6 numbers, g: the filter, y: the 4 results.

In two dimensions an image is cut into tiles of 6x6 pixels that overlap by 2, each gives 4x4
results, and instead of 9 * 16 = 144 multiplications for a channel and a filter there are 36. The
price are the transforms, and rounding: in float32 the error is 2 to 3 times that of the plain sum.

The sum over channels turns the multiplications into 36 matrix products, one for each point, and the
transforms are products with A, B and G: so everything is. The backward pass is the backward pass of
these products, in the opposite order.

Sources: Winograd, "Arithmetic complexity of computations" (1980); Lavin and Gray, "Fast algorithms
for convolutional neural networks" (arXiv:1509.09308); points with small rounding errors, Barabasz
et al. (arXiv:1803.10986).
"""

import functools
import threading

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.polynomial import polynomial

from .bands import add_padded, copy_padded, cut, share

# Values at as many of these as are needed, and at infinity. Small numbers, with each its inverse,
# the sign changed: that rounds least.
POINTS = (0, 1, -1, 2, -0.5, 0.5, -2)
LARGEST = len(POINTS) + 1  # pixels: the side of a tile
# Of a band: enough tiles for large products, numbers few enough for the cache.
TILES, NUMBERS = 256, 2**19


@functools.cache
def transforms(m, r):
    """The matrices of a filter of r numbers and tiles that give m results: A, B, G.

    A has shape (m + r - 1, m), B (m + r - 1, m + r - 1), G (m + r - 1, r).
    """
    points = np.array(POINTS[: m + r - 2], dtype=float)
    rest = [np.delete(points, k) for k in range(len(points))]
    A = _powers(points, m)
    G = _powers(points, r)
    B = np.zeros((m + r - 1, m + r - 1))
    for k, others in enumerate(rest):
        G[k] /= np.prod(points[k] - others)
        B[k, :-1] = polynomial.polyfromroots(others)
    B[-1] = polynomial.polyfromroots(points)
    return A, B, G


def _powers(points, count):
    """points ** 0, points ** 1, ... as columns; the last row is for infinity."""
    infinity = np.eye(count)[-1:]
    return np.concatenate([points[:, None] ** np.arange(count), infinity])


class Plan:
    """How a layer of stride 1 is cut into tiles, and the matrices for it.

    Arrays of tiles have shape (places in a tile, tiles, channels).
    """

    def __init__(self, x_shape, w_shape, pad, m, dtype):
        self.N, self.C, H, W = x_shape
        self.F, _, HH, WW = self.w_shape = w_shape
        self.H_out, self.W_out = H + 2 * pad - HH + 1, W + 2 * pad - WW + 1
        self.pad, self.m, self.dtype = pad, m, dtype
        self.side = m + HH - 1, m + WW - 1
        self.down, self.across = -(-self.H_out // m), -(-self.W_out // m)
        one_way, other_way = transforms(m, HH), transforms(m, WW)
        # both ways at once: the Kronecker product
        self.A, self.B, self.G = (
            np.kron(*pair).astype(dtype) for pair in zip(one_way, other_way, strict=True)
        )
        count = min(TILES, NUMBERS // (len(self.A) * max(self.C, self.F)))
        self.bands = cut(self.N, self.down, max(1, count // self.across))

    def filters(self, w):
        """w as values at the points, (points, C, F)."""
        flat = w.transpose(2, 3, 1, 0).reshape(-1, self.C * self.F)
        return (self.G @ flat).reshape(-1, self.C, self.F)

    def filters_back(self, dU):
        """The backward pass of filters: dw."""
        _, _, HH, WW = self.w_shape
        flat = self.G.T @ dU.reshape(len(dU), -1)
        return flat.reshape(HH, WW, self.C, self.F).transpose(3, 2, 0, 1)

    def load(self, x, band):
        """A band of x as values at the points, (points, tiles, C)."""
        images, first, last = band
        padded = self._padded(band)
        copy_padded(padded.transpose(0, 3, 1, 2), x[images], first * self.m - self.pad, self.pad)
        view = tiles(padded, self.side, self.m, last - first, self.across)
        V = self.B @ view.reshape(len(self.B), -1)  # reshape copies the tiles, one beside the other
        return V.reshape(len(V), -1, self.C)

    def load_back(self, dx, band, dV, lock):
        """The backward pass of load: dV is added to a band of dx."""
        images, first, last = band
        padded = self._padded(band)
        padded[:] = 0
        view = tiles(padded, self.side, self.m, last - first, self.across)
        dD = (self.B.T @ dV.reshape(len(dV), -1)).reshape(view.shape)
        for i in range(self.side[0]):
            for j in range(self.side[1]):
                view[i, j] += dD[i, j]  # tiles overlap, but not their pixels (i, j)
        source = padded.transpose(0, 3, 1, 2)
        add_padded(dx[images], source, first * self.m - self.pad, self.pad, lock)

    def store(self, out, band, M):
        """Values at the points, (points, tiles, F), to a band of out."""
        part, whole, view = self._results(out, band)
        view[:] = (self.A.T @ M.reshape(len(M), -1)).reshape(view.shape)
        part[:] = whole

    def store_back(self, dout, band):
        """The backward pass of store: dM, (points, tiles, F)."""
        part, whole, view = self._results(dout, band)
        view[:] = 0  # also where tiles reach beyond the edge
        whole[:] = part
        dM = self.A @ view.reshape(self.m**2, -1)
        return dM.reshape(len(dM), -1, self.F)

    def _padded(self, band):
        images, first, last = band
        rows = (last - first - 1) * self.m + self.side[0]
        columns = (self.across - 1) * self.m + self.side[1]
        return np.empty((images.stop - images.start, rows, columns, self.C), self.dtype)

    def _results(self, out, band):
        """A band of out; as much of an empty array with channels last; that array as tiles."""
        images, first, last = band
        part = out[images, :, first * self.m : last * self.m]
        # a row of pixels is a bit longer than F: with a power of two between them, all pixels of a
        # channel would compete for the same few lines of the cache
        shape = (images.stop - images.start, (last - first) * self.m, self.across * self.m)
        results = np.empty((*shape, self.F + 16), self.dtype)[..., : self.F]
        whole = results[:, : part.shape[2], : self.W_out].transpose(0, 3, 1, 2)
        return part, whole, tiles(results, (self.m, self.m), self.m, last - first, self.across)


def tiles(images, side, step, down, across):
    """Tiles of images, (n, rows, columns, C), as a view: (side, side, n, down, across, C)."""
    n, _, _, C = images.shape
    image, row, column, channel = images.strides
    strides = (row, column, image, step * row, step * column, channel)
    return as_strided(images, (*side, n, down, across, C), strides)


def forward(x, w, b, pad, m, threads, dtype):
    """out, (N, F, H', W'), by tiles that give m x m results; m + HH - 1 <= LARGEST, so for WW."""
    plan = Plan(x.shape, w.shape, pad, m, dtype)
    U = plan.filters(w)
    out = np.empty((plan.N, plan.F, plan.H_out, plan.W_out), dtype)
    # A.T turns a value at the points (1, 1) into the same number everywhere: here goes the bias
    at_one = plan.side[1] + 1

    def work(bands):
        for band in bands:
            V = plan.load(x, band)
            M = V @ U
            M[at_one] += b
            plan.store(out, band, M)

    share(work, plan.bands, threads)
    return out


def backward(dout, x, w, pad, m, threads, dtype):
    """(dx, dw)"""
    plan = Plan(x.shape, w.shape, pad, m, dtype)
    U = plan.filters(w)
    dx = np.zeros(x.shape, dtype)
    lock = threading.Lock()

    def work(bands):
        dU = np.zeros_like(U)
        for band in bands:
            V = plan.load(x, band)
            dM = plan.store_back(dout, band)
            for k, (values, gradients) in enumerate(zip(V, dM, strict=True)):
                dU[k] += values.T @ gradients
            plan.load_back(dx, band, dM @ U.transpose(0, 2, 1), lock)
        return dU

    dU = sum(share(work, plan.bands, threads))
    return dx, plan.filters_back(dU)
