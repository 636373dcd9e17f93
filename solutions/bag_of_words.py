"""A bag of visual words, in the lecture's two steps: build a codebook, encode images."""

import numpy as np


def extract_patches(images, size, stride=1):
    """Cut every image into small square patches.

    Args:
        images: shape (N, H, W, C)
        size: int, the side of a patch in pixels
        stride: int >= 1, how many pixels from one patch to the next, down and across

    Returns:
        patches: shape (N, H', W', size * size * C), of the images' dtype. H' and W' count the
            places where a patch fits; patches[n, i, j] starts at row i * stride and column
            j * stride of image n. Its numbers come row by row, in a row pixel by pixel, in a
            pixel channel by channel, as reshape does it.

    What is left over at the right and lower edge is left out. images are left as they were.
    """
    ### BEGIN SOLUTION
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]  # (N, H', W', C, size, size)
    patches = windows.transpose(0, 1, 2, 4, 5, 3)
    return patches.reshape(*patches.shape[:3], -1)
    ### END SOLUTION


def fit_whitening(patches, epsilon=0.1):
    """Find the matrix that takes neighbouring pixels' likeness out of patches: ZCA whitening.

    Neighbouring pixels are nearly alike, so most of what two patches have in common says nothing.
    Whitening keeps what is special. With C the covariance matrix of the patches (their mean taken
    off, divided by the number of patches), and C = V diag(l) V^T with the eigenvectors as columns
    of V, the matrix is

        P = V diag(1 / sqrt(l + epsilon)) V^T

    Args:
        patches: shape (M, D), a patch per row, floats
        epsilon: a number > 0; directions that vary less than that, mostly noise, are not blown up

    Returns:
        (mean, P)
        mean: shape (D,), the mean patch
        P: shape (D, D). Patches are whitened by (patches - mean) @ P

    patches are left as they were. np.linalg.eigh is for symmetric matrices.
    Source: Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature
    learning" (2011); Bell and Sejnowski (1997).
    """
    ### BEGIN SOLUTION
    mean = np.mean(patches, axis=0)
    centred = patches - mean
    covariance = centred.T @ centred / len(patches)
    variances, directions = np.linalg.eigh(covariance)
    P = directions / np.sqrt(variances + epsilon) @ directions.T
    return mean, P
    ### END SOLUTION


def build_codebook(patches, words, num_iters=10):
    """Find typical patches, the visual words, by k-means.

    Each iteration has two steps: each patch joins the nearest word (by Euclidean distance); then
    each word moves to the mean of the patches that joined it. A word that nobody joined stays
    where it is.

    Args:
        patches: shape (M, D), a patch per row, floats
        words: shape (K, D), the words to start from, floats
        num_iters: int >= 0, how many iterations

    Returns:
        words: shape (K, D), the words after num_iters iterations, in the order of the start

    Thousands of words times a million patches fit into no memory: work through the patches in
    batches, if there are many. patches and the words to start from are left as they were.
    Sources: Lloyd (1957); Fei-Fei and Perona, "A Bayesian hierarchical model for learning natural
    scene categories" (2005).
    """
    ### BEGIN SOLUTION
    for _ in range(num_iters):
        sums = np.zeros(words.shape)
        counts = np.zeros(len(words))
        half_squares = np.sum(words**2, axis=1) / 2
        for start in range(0, len(patches), 2000):
            batch = patches[start : start + 2000]
            # |p - w|^2 / 2 without |p|^2, which is the same for all words
            nearest = np.argmin(half_squares - batch @ words.T, axis=1)
            joined = (nearest == np.arange(len(words))[:, None]).astype(batch.dtype)
            sums += joined @ batch
            counts += np.sum(joined, axis=1)
        means = sums / np.maximum(counts, 1)[:, None]
        words = np.where(counts[:, None] > 0, means, words).astype(words.dtype)
    return words.copy()
    ### END SOLUTION


def encode_images(patches, words, soft=True):
    """Describe every image by the visual words that it holds, quarter by quarter.

    Every patch answers every word with a number. With z_k the Euclidean distance of the patch to
    word k:

    - hard (soft=False): 1 for the nearest word (the first of them if several are as near), 0 for
      the others. Their sums are a *histogram of visual words*.
    - soft (soft=True): max(0, m - z_k), where m is the mean of the patch's K distances. So a patch
      speaks for all words that are nearer than average: the *triangle* encoding.

    The answers are summed up in each quarter of the image. With H' rows of patches, the upper
    quarters hold the first H' // 2 rows, the lower ones the rest; with columns it is the same.

    Args:
        patches: shape (N, H', W', D), what extract_patches returns, whitened. Floats.
        words: shape (K, D)
        soft: which of the two encodings

    Returns:
        features: shape (N, 4 * K), floats: all words for upper left, then upper right, lower left,
            lower right

    A loop over the images is fine. patches and words are left as they were.
    Sources: Fei-Fei and Perona (2005); the triangle, Coates, Lee and Ng (2011).
    """
    ### BEGIN SOLUTION
    N, rows, columns, D = patches.shape
    K = len(words)
    word_squares = np.sum(words**2, axis=1)
    features = np.zeros((N, 4 * K), dtype=np.result_type(patches, words))
    for n in range(N):
        flat = patches[n].reshape(-1, D)
        answers = flat @ (-2 * words.T)
        answers += word_squares
        if soft:
            answers += np.sum(flat**2, axis=1)[:, None]
            np.sqrt(np.maximum(answers, 0, out=answers), out=answers)
            np.subtract(np.mean(answers, axis=1)[:, None], answers, out=answers)
            np.maximum(answers, 0, out=answers)
        else:
            answers = (np.argmin(answers, axis=1)[:, None] == np.arange(K)).astype(features.dtype)
        answers = answers.reshape(rows, columns, K)
        quarters = [
            answers[vertical, horizontal].sum(axis=(0, 1))
            for vertical in (slice(rows // 2), slice(rows // 2, None))
            for horizontal in (slice(columns // 2), slice(columns // 2, None))
        ]
        features[n] = np.concatenate(quarters)
    return features
    ### END SOLUTION
