"""The nearest neighbour classifier: distances without a loop, and a vote."""

import numpy as np


def knn_distances(X, X_train):
    """Measure how far every image is from every training image, without a loop.

    Args:
        X: images as rows, shape (N, D): each row holds the D numbers of one image
        X_train: training images as rows, shape (M, D)

    Returns:
        distances: shape (N, M), floats; distances[i, j] is the Euclidean (L2) distance of X[i]
            and X_train[j]: the square root of the sum of the squared differences

    X and X_train may be pixels as they come from a file (uint8, whole numbers from 0 to 255), in
    which 3 - 5 is 254: compute in float64. (float32 has too few digits for the difference of large
    sums.) They are left as they were.

    No loop, and no array of N x M x D numbers: for 500 and 4,000 images of 32 x 32 x 3 numbers that
    would be 49 GB. Multiply (a - b)^2 out; its middle part is a matrix product.
    """
    ### BEGIN SOLUTION
    X, X_train = X.astype(np.float64), X_train.astype(np.float64)
    squares = np.sum(X**2, axis=1)[:, None] + np.sum(X_train**2, axis=1)
    # rounding can leave a tiny negative number where two images are the same
    return np.sqrt(np.maximum(squares - 2 * X @ X_train.T, 0))
    ### END SOLUTION


def knn_predict(distances, y_train, k=1):
    """Let the k nearest training images vote on the class of each image.

    Args:
        distances: shape (N, M): of each of N images to each of M training images
        y_train: shape (M,), the classes of the training images, integers from 0 up
        k: int from 1 to M, how many neighbours vote

    Returns:
        y: shape (N,), integers: for each image the class that most of its k nearest have. If
            several classes have as many votes, the smallest of them.

    A loop over the images is fine. distances and y_train are left as they were.
    Source: Fix and Hodges, "Discriminatory analysis: nonparametric discrimination" (1951).
    """
    ### BEGIN SOLUTION
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    # bincount counts the votes, and argmax takes the first of several largest
    return np.array([np.argmax(np.bincount(votes)) for votes in y_train[nearest]])
    ### END SOLUTION
