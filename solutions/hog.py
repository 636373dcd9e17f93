"""Histograms of oriented gradients: which edges run where, whatever the colour."""

import numpy as np


def hog_feature(im, cell=8, nbin=9, block=1):
    """Describe an image by the directions of its edges, cell by cell: HoG.

    1. *Gradients*. Across: the pixel to the right minus the pixel to the left. Down: the pixel
       below minus the pixel above. Neither is halved. Across is 0 in the first and last column,
       down is 0 in the first and last row. Each colour channel has its own; per pixel the channel
       with the longest gradient counts (the first of them if several are equally long).
    2. *Directions*, unsigned: the angle of the gradient in degrees, modulo 180, so that an edge
       from dark to bright counts the same as one from bright to dark. (0 is a gradient that points
       across, 90 one that points down.) The range from 0 to 180 is cut into nbin equal bins; each
       holds its lower edge. No interpolation between bins.
    3. *Cells* of cell x cell pixels. In each cell, each bin sums up the lengths of the gradients
       that fall into it, divided by the number of the cell's pixels.
    4. *Blocks* of block x block cells, at every place where a block fits: they overlap. The numbers
       of a block, v, are divided by sqrt(sum of v^2 + 1e-10), so that the contrast of the light
       does not matter. With block=1 each cell is its own block; with block=0 nothing is divided.

    Args:
        im: one image, shape (H, W, 3), or a batch, shape (N, H, W, 3), uint8 or floats
        cell: int >= 1, the side of a cell in pixels; it divides H and W
        nbin: int >= 1, the number of directions
        block: int >= 0, the side of a block in cells; 0 for no normalisation

    Returns:
        shape (F,) for one image, (N, F) for a batch, floats. Block by block (row by row), in a
        block cell by cell (row by row), in a cell bin by bin. The lecture's 320 x 240 image has
        30 rows of 40 cells with 9 numbers: F is 10,800.

    im is left as it was. Take care with uint8, in which 3 - 5 is 254.
    Source: Dalal and Triggs, "Histograms of oriented gradients for human detection" (2005).
    """
    ### BEGIN SOLUTION
    dtype = np.float32 if im.dtype == np.uint8 else np.float64
    H, W = im.shape[-3:-1]
    # a plane per channel: (3, N, H, W), each in one stretch of memory
    planes = np.moveaxis(im.reshape(-1, H, W, 3), 3, 0).astype(dtype, order="C")
    down, across = np.empty_like(planes), np.empty_like(planes)
    # In one long row of all pixels the next one is 1 further, the one below W. (One subtraction of
    # a long row is faster than many of short ones.) Then the borders, where rows have been mixed.
    pixels = planes.reshape(-1)
    np.subtract(pixels[2:], pixels[:-2], out=across.reshape(-1)[1:-1])
    np.subtract(pixels[2 * W :], pixels[: -2 * W], out=down.reshape(-1)[W:-W])
    across[..., [0, -1]] = 0
    down[:, :, [0, -1]] = 0

    # per pixel, the channel with the longest gradient
    squares = down**2 + across**2
    longest, dy, dx = squares[0], down[0], across[0]
    for c in (1, 2):
        longer = (squares[c] > longest).astype(dtype)  # 1 where this channel is the better one
        dy = dy + longer * (down[c] - dy)
        dx = dx + longer * (across[c] - dx)
        longest = np.maximum(longest, squares[c])

    # The cosine of the angle, of gradients that point up that of the opposite one. It falls from 1
    # at 0 degrees to -1 at 180, so the bin is the number of edges between bins that it has passed:
    # the same as with an arctangent, and several times faster.
    lengths = np.sqrt(longest)
    upside_down = (dy < 0) | ((dy == 0) & (dx < 0))
    cosine = dx * (1 - 2 * upside_down.astype(dtype)) / np.maximum(lengths, dtype(1e-30))
    passed = np.zeros(cosine.shape, dtype=np.int16)
    for edge in np.cos(np.arange(1, nbin) * np.pi / nbin):
        passed += cosine <= dtype(edge)

    # every cell of every image has its own stretch of one long row of bins
    rows, columns = H // cell, W // cell
    cell_of_pixel = np.arange(H)[:, None] // cell * columns + np.arange(W) // cell
    bins = passed + (cell_of_pixel * nbin).astype(np.int32)
    bins += np.arange(len(bins), dtype=np.int32)[:, None, None] * (rows * columns * nbin)
    histograms = np.bincount(
        bins.ravel(), weights=lengths.ravel(), minlength=len(bins) * rows * columns * nbin
    ).reshape(-1, rows, columns, nbin)
    histograms /= cell**2
    if block == 0:
        return histograms.reshape(*im.shape[:-3], -1)

    sides = (rows - block + 1, columns - block + 1)
    blocks = [
        histograms[:, r : r + sides[0], c : c + sides[1]]
        for r in range(block)
        for c in range(block)
    ]
    blocks = np.stack(blocks, axis=3)  # (N, rows, columns, cells of the block, bins)
    sizes = np.sqrt(np.sum(blocks**2, axis=(3, 4), keepdims=True) + 1e-10)
    return (blocks / sizes).reshape(*im.shape[:-3], -1)
    ### END SOLUTION
