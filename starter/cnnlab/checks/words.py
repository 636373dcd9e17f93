"""The steps for the bag of visual words."""

from __future__ import annotations

import itertools

import numpy as np

from cnnlab.checks.expect import array, parts, unchanged
from cnnlab.checks.steps import CheckFailed, step


@step("extract_patches", "a 3x3 image gives 2x2 patches of 2x2")
def _(f):
    image = np.arange(9.0).reshape(1, 3, 3, 1)
    right = np.array([[[[0.0, 1, 3, 4], [1, 2, 4, 5]], [[3, 4, 6, 7], [4, 5, 7, 8]]]])
    array(
        f(image, 2, 1),
        right,
        "patches",
        "patches[0, i, j] starts at row i and column j; its numbers come row by row.",
        known=[
            (right[..., [0, 2, 1, 3]], "the patches are transposed: row by row."),
            (right.swapaxes(1, 2), "the places are transposed: axis 1 runs down, axis 2 across."),
        ],
        known_shapes={
            (4, 4): "all patches in one list: keep the rows and columns of places apart.",
            (1, 1, 1, 4): "the last row and column of patches are missing: one more place than "
            "there are steps.",
        },
        inputs={"image": image[0, :, :, 0]},
    )


@step("extract_patches", "three channels: those of a pixel stay together")
def _(f):
    image = np.array([[[[0.0, 1, 2], [10, 11, 12]], [[100, 101, 102], [110, 111, 112]]]])
    array(
        f(image, 2, 1),
        image.reshape(1, 1, 1, 12),
        "patches",
        "row by row, in a row pixel by pixel, in a pixel channel by channel.",
        known=[
            (
                np.moveaxis(image, 3, 1).reshape(1, 1, 1, 12),
                "channel by channel; the three channels of a pixel belong together.",
            )
        ],
    )


@step("extract_patches", "stride 2, an image that is not square")
def _(f):
    image = np.arange(10.0).reshape(1, 2, 5, 1)
    array(
        f(image, 2, 2),
        [[[[0, 1, 5, 6], [2, 3, 7, 8]]]],
        "patches",
        "the second patch starts at column 2; the last column is left over.",
        known_shapes={(1, 1, 4, 4): "the stride is not used."},
    )


@step("extract_patches", "patches of 3, stride 2: on 4 rows there is one place, on 6 columns two")
def _(f):
    image = np.arange(24.0).reshape(1, 4, 6, 1)
    right = [[[[0, 1, 2, 6, 7, 8, 12, 13, 14], [2, 3, 4, 8, 9, 10, 14, 15, 16]]]]
    cause = "there are (H − size) // stride + 1 places down: 1 // 2 + 1."
    array(f(image, 3, 2), right, "patches", cause)


@step("extract_patches", "bytes stay bytes: uint8 in, uint8 out")
def _(f):
    came = np.asarray(f(np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1), 2, 2))
    if came.dtype != np.uint8:
        cause = "the images' dtype is kept: np.empty(shape, dtype=images.dtype)."
        raise CheckFailed(f"patches of dtype {came.dtype}", "uint8, an eighth of the memory", cause)
    array(
        came.astype(float),
        [[[[0, 1, 4, 5], [2, 3, 6, 7]], [[8, 9, 12, 13], [10, 11, 14, 15]]]],
        "patches",
        "as with floats.",
    )


@step("extract_patches", "two images, each cut by itself")
def _(f):
    images = np.arange(16.0).reshape(2, 2, 4, 1)
    right = np.array([[[0.0, 4], [1, 5], [2, 6], [3, 7]], [[8, 12], [9, 13], [10, 14], [11, 15]]])
    came = f(images, 1, 1)
    array(came, images, "patches", "patches of one pixel are the image itself.")
    came = np.moveaxis(np.asarray(f(images[:, :, :, [0, 0]], 1, 1)), 1, 2)[..., 0]
    array(came, right, "patches", "an image's patches stay with their image.")


@step("extract_patches", "images are left as they were")
def _(f):
    images = np.arange(32.0).reshape(1, 4, 4, 2)
    with unchanged(images=images):
        f(images, 2, 1)


_ALONG = np.array([[7**0.5, 0], [-(7**0.5), 0], [0, 1], [0, -1]])  # variances 3.5 and 0.5
_MOVED = _ALONG + np.array([5, 2])
_BOTH = ("mean", "P")


@step("fit_whitening", "the mean patch")
def _(f):
    mean, _ = parts(f(_MOVED.copy(), 0.5), _BOTH)
    array(mean, [5, 2], "mean", "the mean over the patches: axis 0.")


@step("fit_whitening", "variances 3.5 and 0.5, epsilon 0.5: P has 1/2 and 1 on its diagonal")
def _(f):
    _, P = parts(f(_MOVED.copy(), 0.5), _BOTH)
    variances = np.array([3.5, 0.5])
    turned = [
        ([[0, a / 2], [b, 0]], "the last Vᵀ is missing: patches come out turned.")
        for a, b in itertools.product((1, -1), repeat=2)
    ]
    array(
        P,
        [[0.5, 0], [0, 1]],
        "P",
        "take the mean off, divide the covariance by the number of patches, 1 / sqrt(3.5 + 0.5).",
        known=[
            (np.diag([0.25, 1]), "the square root is missing."),
            (np.diag(variances**-0.5), "epsilon is missing: 1 / sqrt(l + epsilon)."),
            (np.diag(1 / (variances**0.5 + 0.5)), "epsilon belongs under the root."),
            (np.diag((variances * 4 / 3 + 0.5) ** -0.5), "divide by M, not by M − 1."),
            (np.diag((variances * 4 + 0.5) ** -0.5), "divide by the number of patches."),
            (np.diag([2, 1]), "multiplied by the root: divide."),
            *turned,
        ],
        inputs={"patches": _MOVED},
    )


@step("fit_whitening", "the same, turned by 45 degrees")
def _(f):
    turn = np.array([[1, 1], [-1, 1]]) / 2**0.5
    _, P = parts(f(_ALONG @ turn, 0.5), _BOTH)
    cause = "V, with the eigenvectors as columns, stands left; Vᵀ stands right."
    array(P, [[0.75, -0.25], [-0.25, 0.75]], "P", cause)


@step("fit_whitening", "whitened, 500 patches vary as much in every direction")
def _(f):
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 3)) + 2
    mean, P = parts(f(patches.copy(), 1e-9), _BOTH)
    white = (patches - np.asarray(mean, dtype=float)) @ np.asarray(P, dtype=float)
    cause = (
        "are V and Vᵀ exchanged? np.linalg.eigh returns V with the eigenvectors as columns: "
        "V stands left, Vᵀ right."
    )
    array(white.T @ white / 500, np.eye(3), "the covariance", cause, tolerance=1e-4)


@step("fit_whitening", "patches are left as they were")
def _(f):
    patches = _MOVED.copy()
    with unchanged(patches=patches):
        f(patches, 0.5)


@step("build_codebook", "four patches, two words, one iteration")
def _(f):
    patches = np.array([[0.0, 0], [0, 2], [10, 0], [10, 4]])
    words = np.array([[1.0, 1], [9, 1]])
    array(
        f(patches, words, 1),
        [[0, 1], [10, 2]],
        "words",
        "the first two patches join the first word; a word moves to the mean of its patches.",
        known=[([[0, 2], [20, 4]], "these are sums: divide by the number of patches.")],
        shape_cause="as many words as before, of the same length.",
        inputs={"patches": patches, "words": words},
    )


@step("build_codebook", "a long word is not a near word")
def _(f):
    patches, words = np.array([[1.0, 1], [1, 2], [9, 9]]), np.array([[1.0, 1], [10, 10]])
    product = "patches join the word with the largest product: take the smallest distance."
    known = [([[1, 1], [11 / 3, 4]], product)]
    array(f(patches, words, 1), [[1, 1.5], [9, 9]], "words", product, known=known)


@step("build_codebook", "means, not medians")
def _(f):
    known = [([[0]], "that is the median: take the mean.")]
    patches = np.array([[0.0], [0], [9]])
    array(f(patches, np.array([[1.0]]), 1), [[3]], "words", "3 is the mean.", known=known)


@step("build_codebook", "two iterations, three, and none")
def _(f):
    patches, words = np.array([[0.0], [2], [3], [10]]), np.array([[0.0], [3]])
    after = [[[0], [3]], [[0], [5]], [[1], [6.5]], [[5 / 3], [10]]]
    for count in (2, 3, 0):
        array(
            f(patches.copy(), words.copy(), count),
            after[count],
            f"words after {count} iterations",
            "in each iteration all patches choose again, among the words as they are now.",
            known=[
                (after[1], "there is one iteration only: is the return inside the loop?"),
                (after[min(count + 1, 3)], "one iteration too many."),
            ],
        )


@step("build_codebook", "a word that nobody joins stays where it is")
def _(f):
    patches, words = np.array([[0.0, 0], [0, 2]]), np.array([[0.0, 0.5], [9, 9]])
    array(
        f(patches, words, 1),
        [[0, 1], [9, 9]],
        "words",
        "the mean of no patches is 0/0: leave such a word alone.",
        known=[([[0, 1], [0, 0]], "it was moved to 0: leave it where it is.")],
    )


@step("build_codebook", "20,004 patches: the last batch too")
def _(f):
    patches = np.repeat([[0.0], [10], [11]], [19_996, 4, 4], axis=0)
    cause = "all patches count, also those of the last, shorter batch."
    array(f(patches, np.array([[0.0], [10]]), 1), [[0], [10.5]], "words", cause)


@step("build_codebook", "patches and words are left as they were")
def _(f):
    patches, words = np.array([[0.0, 0], [0, 2]]), np.array([[0.0, 0.5], [9, 9]])
    with unchanged(patches=patches, words=words):
        f(patches, words, 3)


# one number a patch, words 0 and 10, one patch in each quarter
_PATCHES = np.array([[[[1.0], [9]], [[2], [14]]]])
_WORDS = np.array([[0.0], [10]])
_ORDER = "the order is upper left, upper right, lower left, lower right."


@step("encode_images", "hard: which word is nearest, in each quarter")
def _(f):
    array(
        f(_PATCHES.copy(), _WORDS.copy(), False),
        [[1, 0, 0, 1, 1, 0, 0, 1]],
        "features",
        "patch 1 is nearest to word 0, patch 9 to word 10, ...",
        known=[
            ([[1, 0, 1, 0, 0, 1, 0, 1]], _ORDER),
            ([[4, 0, 0, 4, 3, 0, 0, 5]], "soft is False here: count the nearest word."),
        ],
        known_shapes={(1, 2): "the whole image at once: each quarter by itself."},
        shape_cause="four quarters with two words each: 8 numbers.",
        inputs={"patches": _PATCHES[0, :, :, 0], "words": _WORDS},
    )


@step("encode_images", "soft: how much nearer than average")
def _(f):
    array(
        f(_PATCHES.copy(), _WORDS.copy(), True),
        [[4, 0, 0, 4, 3, 0, 0, 5]],
        "features",
        "patch 1 has the distances 1 and 9, their mean is 5: max(0, 5 − 1) and max(0, 5 − 9).",
        known=[
            ([[1, 0, 0, 1, 1, 0, 0, 1]], "soft is True here."),
            ([[40, 0, 0, 40, 30, 0, 0, 90]], "squared distances: take the root first."),
            ([[4, -4, -4, 4, 3, -3, -5, 5]], "what is farther than average is silent: max with 0."),
            (
                [[5, 0, 0, 5, 4, 0, 0, 2]],
                "the mean runs over all patches: each patch has its own, over its distances to "
                "the words (axis=1, keepdims=True).",
            ),
        ],
    )


@step("encode_images", "3x3 patches: the middle row and column are lower and right")
def _(f):
    array(
        f(np.array([[0.0, 10, 0], [0, 0, 0], [0, 0, 0]]).reshape(1, 3, 3, 1), _WORDS.copy(), False),
        [[1, 0, 1, 1, 2, 0, 4, 0]],
        "features",
        "the upper quarters have 3 // 2 = 1 row.",
        known=[
            ([[3, 1, 2, 0, 2, 0, 1, 0]], "the middle went to the upper left."),
            ([[1, 0, 0.5, 0.5, 1, 0, 1, 0]], "averaged in each quarter: add up."),
            ([[1, 0, 1, 0, 1, 0, 1, 0]], "the middle row and column are left out."),
        ],
    )


@step("encode_images", "two images, more columns than rows")
def _(f):
    patches = np.array([[[[0.0], [0], [10], [10]]] * 2, [[[10.0], [10], [10], [0]]] * 2])
    right = [[2, 0, 0, 2, 2, 0, 0, 2], [0, 2, 1, 1, 0, 2, 1, 1]]
    halves = "the columns are halved by the number of rows: W' // 2, not H' // 2."
    known = [([[1, 0, 1, 2, 1, 0, 1, 2], [0, 1, 1, 2, 0, 1, 1, 2]], halves)]
    cause = "a row for each image."
    array(f(patches, _WORDS.copy(), False), right, "features", cause, known=known)


@step("encode_images", "patches and words are left as they were")
def _(f):
    patches, words = _PATCHES.copy(), _WORDS.copy()
    with unchanged(patches=patches, words=words):
        f(patches, words, True)
