"""The typical bugs of assignment 1.

Each function runs inside the student's kernel too, pasted there by its source: it may use np,
``reference`` and its arguments, nothing else. Its docstring is the hint. A wrong forward pass
returns a right cache, so that it does no harm to the backward pass.
"""

from types import SimpleNamespace

import numpy as np

from autograder.diagnose import misconception
from solutions import (
    bag_of_words,
    histograms,
    hog,
    linear_classifier,
    neighbours,
    perceptron,
    two_layer,
)

reference = SimpleNamespace(
    knn_distances=neighbours.knn_distances,
    knn_predict=neighbours.knn_predict,
    softmax_loss=linear_classifier.softmax_loss,
    svm_loss=linear_classifier.svm_loss,
    linear_backward=linear_classifier.linear_backward,
    color_histogram_hsv=histograms.color_histogram_hsv,
    hog_feature=hog.hog_feature,
    extract_patches=bag_of_words.extract_patches,
    fit_whitening=bag_of_words.fit_whitening,
    build_codebook=bag_of_words.build_codebook,
    encode_images=bag_of_words.encode_images,
    two_layer_forward=two_layer.two_layer_forward,
    two_layer_backward=two_layer.two_layer_backward,
    perceptron_update=perceptron.perceptron_update,
)


# --- knn_distances --------------------------------------------------------------------------------


@misconception("knn_distances")
def forgets_the_square_root(X, X_train):
    """These are squared distances: the square root is missing."""
    return reference.knn_distances(X, X_train) ** 2


@misconception("knn_distances")
def adds_up_absolute_differences(X, X_train):
    """These are L1 distances, sums of absolute differences. Square the differences, and take the
    square root of the sum: L2."""
    X, X_train = X.astype(np.float64), X_train.astype(np.float64)
    return np.stack([np.sum(np.abs(X_train - x), axis=1) for x in X])


@misconception("knn_distances")
def computes_in_bytes(X, X_train):
    """The pixels are subtracted or squared as uint8, where 3 - 5 is 254 and 20 * 20 is 144. Make
    floats of them first."""
    return np.stack([np.sqrt(np.sum((X_train - x) ** 2, axis=1)) for x in X])


@misconception("knn_distances")
def has_a_column_for_each_test_image(X, X_train):
    """The result is transposed: a row for each image of X, a column for each training image."""
    return reference.knn_distances(X_train, X)


@misconception("knn_distances")
def takes_the_product_once(X, X_train):
    """The product of both images is taken off once only: (a - b)^2 = a^2 - 2 a b + b^2."""
    X, X_train = X.astype(np.float64), X_train.astype(np.float64)
    squares = np.sum(X**2, axis=1)[:, None] + np.sum(X_train**2, axis=1)
    return np.sqrt(np.maximum(squares - X @ X_train.T, 0))


@misconception("knn_distances")
def takes_the_mean_of_the_squares(X, X_train):
    """The squares are averaged. A distance adds them up."""
    return reference.knn_distances(X, X_train) / np.sqrt(X.shape[1])


# --- knn_predict ----------------------------------------------------------------------------------


@misconception("knn_predict")
def asks_the_nearest_only(distances, y_train, k=1):
    """Only the nearest image is asked, whatever k is."""
    return reference.knn_predict(distances, y_train, 1)


@misconception("knn_predict")
def asks_the_farthest(distances, y_train, k=1):
    """The farthest images vote: the smallest distances are the nearest."""
    return reference.knn_predict(-distances, y_train, k)


@misconception("knn_predict")
def leaves_out_the_nearest(distances, y_train, k=1):
    """The nearest image is left out. That is right only where an image is its own neighbour."""
    nearest = np.argsort(distances, axis=1, kind="stable")[:, 1 : k + 1]
    return np.array([np.argmax(np.bincount(votes)) for votes in y_train[nearest]])


@misconception("knn_predict")
def returns_the_places_of_the_neighbours(distances, y_train, k=1):
    """The place of the nearest image in the training set comes back. Look its class up: y_train."""
    return np.argmin(distances, axis=1)


@misconception("knn_predict")
def averages_the_classes(distances, y_train, k=1):
    """The classes of the neighbours are averaged. They are names, not quantities: let them vote."""
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.round(np.mean(y_train[nearest], axis=1)).astype(int)


@misconception("knn_predict")
def gives_ties_to_the_largest_class(distances, y_train, k=1):
    """Where several classes have as many votes, the largest of them wins. Take the smallest."""
    top = np.max(y_train)
    return top - reference.knn_predict(distances, top - y_train, k)


# --- softmax_loss ---------------------------------------------------------------------------------


@misconception("softmax_loss")
def softmax_adds_up_the_images(x, y):
    """The losses of the images are added up. Take their mean, in the loss and in dx."""
    loss, dx = reference.softmax_loss(x, y)
    return loss * len(x), dx * len(x)


@misconception("softmax_loss")
def softmax_gradient_is_not_averaged(x, y):
    """The loss is a mean over the images, but dx is not divided by their number."""
    loss, dx = reference.softmax_loss(x, y)
    return loss, dx * len(x)


@misconception("softmax_loss")
def returns_the_probabilities(x, y):
    """dx holds the probabilities only. At the right class, 1 is to be taken off."""
    loss, dx = reference.softmax_loss(x, y)
    dx[np.arange(len(x)), y] += 1 / len(x)
    return loss, dx


@misconception("softmax_loss")
def lets_exp_overflow(x, y):
    """exp of a large score overflows. Subtract each image's largest score first."""
    n = np.arange(len(x))
    p = np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)
    loss = -np.mean(np.log(p[n, y]))
    dx = p / len(x)
    dx[n, y] -= 1 / len(x)
    return loss, dx


@misconception("softmax_loss")
def sums_over_the_images(x, y):
    """The exponentials are summed over the images: axis 0. Sum over the classes, axis 1, so that
    the probabilities of each image add up to 1."""
    n = np.arange(len(x))
    e = np.exp(x - np.max(x))
    p = e / np.sum(e, axis=0, keepdims=True)
    loss = -np.mean(np.log(p[n, y]))
    dx = p / len(x)
    dx[n, y] -= 1 / len(x)
    return loss, dx


@misconception("softmax_loss")
def forgets_the_minus_sign(x, y):
    """The loss is negative: it is minus the logarithm of the probability."""
    loss, dx = reference.softmax_loss(x, y)
    return -loss, dx


@misconception("softmax_loss")
def takes_another_logarithm(x, y):
    """The logarithm has base 10 (or 2). Take the natural one, np.log."""
    loss, dx = reference.softmax_loss(x, y)
    return loss / np.log(10), dx


# --- svm_loss -------------------------------------------------------------------------------------


@misconception("svm_loss")
def charges_the_right_class_too(x, y):
    """The right class is charged as well: its own margin is always 1. Leave it out of the sum."""
    loss, dx = reference.svm_loss(x, y)
    return loss + 1, dx


@misconception("svm_loss")
def has_no_margin(x, y):
    """The margin is missing: a wrong class costs max(0, s_j - s_y + 1)."""
    n = np.arange(len(x))
    margins = np.maximum(0, x - x[n, y][:, None])
    dx = (margins > 0).astype(float)
    dx[n, y] = -np.sum(dx, axis=1)
    return np.sum(margins) / len(x), dx / len(x)


@misconception("svm_loss")
def pulls_the_right_class_once(x, y):
    """The right class gets -1 once. It takes part in every margin above 0: count them."""
    loss, dx = reference.svm_loss(x, y)
    dx[np.arange(len(x)), y] = -1 / len(x)
    return loss, dx


@misconception("svm_loss")
def leaves_the_right_class_alone(x, y):
    """The right class gets no gradient, but every margin above 0 would shrink if its score grew."""
    loss, dx = reference.svm_loss(x, y)
    dx[np.arange(len(x)), y] = 0
    return loss, dx


@misconception("svm_loss")
def svm_adds_up_the_images(x, y):
    """The losses of the images are added up. Take their mean, in the loss and in dx."""
    loss, dx = reference.svm_loss(x, y)
    return loss * len(x), dx * len(x)


@misconception("svm_loss")
def svm_gradient_is_not_averaged(x, y):
    """The loss is a mean over the images, but dx is not divided by their number."""
    loss, dx = reference.svm_loss(x, y)
    return loss, dx * len(x)


@misconception("svm_loss")
def charges_the_worst_class_only(x, y):
    """Only the worst of the wrong classes is charged. Add up all that come too close."""
    n = np.arange(len(x))
    margins = np.maximum(0, x - x[n, y][:, None] + 1)
    margins[n, y] = 0
    worst = np.argmax(margins, axis=1)
    dx = np.zeros(x.shape)
    dx[n, worst] = margins[n, worst] > 0
    dx[n, y] = -np.sum(dx, axis=1)
    return np.mean(np.max(margins, axis=1)), dx / len(x)


@misconception("svm_loss")
def counts_margins_below_zero(x, y):
    """Margins below 0 are counted as well. A class that is far enough away costs nothing: max with
    0."""
    n = np.arange(len(x))
    margins = x - x[n, y][:, None] + 1
    margins[n, y] = 0
    dx = np.ones(x.shape)
    dx[n, y] = 1 - x.shape[1]
    return np.sum(margins) / len(x), dx / len(x)


# --- linear_backward ------------------------------------------------------------------------------


@misconception("linear_backward")
def forgets_the_penalty(dscores, X, W, reg):
    """The penalty is missing in dW: it changes with every weight, by reg times the weight."""
    return reference.linear_backward(dscores, X, W, 0.0)


@misconception("linear_backward")
def penalty_without_its_half(dscores, X, W, reg):
    """The penalty's gradient is twice too large. With reg / 2 in front, the 2 of the square
    cancels."""
    return reference.linear_backward(dscores, X, W, 2 * reg)


@misconception("linear_backward")
def adds_the_penalty_itself(dscores, X, W, reg):
    """The penalty itself is added to dW. Add its gradient: how it changes with each weight."""
    dW, db = reference.linear_backward(dscores, X, W, 0.0)
    return dW + reg / 2 * np.sum(W**2), db


@misconception("linear_backward")
def averages_once_more(dscores, X, W, reg):
    """The gradients are divided by the number of images once more. The mean is in dscores
    already."""
    dW, db = reference.linear_backward(dscores / len(X), X, W, reg)
    return dW, db


@misconception("linear_backward")
def averages_the_bias(dscores, X, W, reg):
    """db is a mean over the images. Each image used the bias: add up."""
    dW, _ = reference.linear_backward(dscores, X, W, reg)
    return dW, np.mean(dscores, axis=0)


@misconception("linear_backward")
def sums_db_over_the_classes(dscores, X, W, reg):
    """db is summed over the classes, axis 1. There is one bias per class: sum over the images."""
    dW, _ = reference.linear_backward(dscores, X, W, reg)
    return dW, np.sum(dscores, axis=1)


@misconception("linear_backward")
def transposes_dW(dscores, X, W, reg):
    """dW is transposed: its rows belong to the numbers of an image, its columns to the classes."""
    dW, db = reference.linear_backward(dscores, X, W, reg)
    return dW.T.copy(), db


# --- color_histogram_hsv --------------------------------------------------------------------------


@misconception("color_histogram_hsv")
def never_normalizes(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """The counts are never divided by their sum. Do it if normalized is True."""
    return reference.color_histogram_hsv(im, nbin, xmin, xmax, False)


@misconception("color_histogram_hsv")
def always_normalizes(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """The counts are divided by their sum even if normalized is False."""
    return reference.color_histogram_hsv(im, nbin, xmin, xmax, True)


@misconception("color_histogram_hsv")
def divides_by_the_width_of_a_bin(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """A density comes back: the shares are divided by the width of a bin as well. The bins should
    add up to 1 (np.histogram's density=True needs a factor)."""
    histogram = reference.color_histogram_hsv(im, nbin, xmin, xmax, normalized)
    return histogram * nbin / (xmax - xmin) if normalized else histogram


@misconception("color_histogram_hsv")
def counts_lightness(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """The largest of the three numbers is counted: that is lightness (value), not hue."""
    value = np.max(im.astype(float), axis=-1)
    value = value.reshape(-1, im.shape[-3] * im.shape[-2])
    edges = np.linspace(xmin, xmax, nbin + 1)
    counts = np.array([np.histogram(v, bins=edges)[0] for v in value]).astype(float)
    if normalized:
        counts /= np.maximum(np.sum(counts, axis=1, keepdims=True), 1)
    return counts.reshape(*im.shape[:-3], nbin)


@misconception("color_histogram_hsv")
def takes_blue_for_red(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """Red and blue are exchanged: the channels are red, green, blue."""
    return reference.color_histogram_hsv(im[..., ::-1], nbin, xmin, xmax, normalized)


@misconception("color_histogram_hsv")
def loses_the_purple_reds(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """Reds with more blue than green have a negative hue, and are lost or in the wrong bin. Once
    round the circle: add 6 sixths."""
    pixels = im.astype(float).reshape(-1, im.shape[-3] * im.shape[-2], 3)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    lost = (red > green) & (red >= blue) & (green < blue)
    kept = np.zeros((len(pixels), nbin))
    for n in range(len(pixels)):
        rest = pixels[n][~lost[n]]
        if len(rest):
            kept[n] = reference.color_histogram_hsv(rest[None], nbin, xmin, xmax, normalized)
    return kept.reshape(*im.shape[:-3], nbin)


@misconception("color_histogram_hsv")
def subtracts_bytes(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """The channels are subtracted as uint8, where 3 - 5 is 254. Make floats of them first."""
    if im.dtype != np.uint8:
        return reference.color_histogram_hsv(im, nbin, xmin, xmax, normalized)
    pixels = im.reshape(-1, im.shape[-3] * im.shape[-2], 3)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    top, low = np.max(pixels, axis=-1), np.min(pixels, axis=-1)
    d = np.maximum(top - low, 1).astype(float)
    sixths = np.where(green == top, 2 + (blue - red) / d, 4 + (red - green) / d)
    sixths = np.where(red == top, (green - blue) / d % 6, sixths)
    hue = np.where(top == low, 0, sixths) / 6 * xmax
    edges = np.linspace(xmin, xmax, nbin + 1)
    counts = np.array([np.histogram(h, bins=edges)[0] for h in hue]).astype(float)
    if normalized:
        counts /= np.maximum(np.sum(counts, axis=1, keepdims=True), 1)
    return counts.reshape(*im.shape[:-3], nbin)


@misconception("color_histogram_hsv")
def counts_a_batch_together(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """A batch gets one histogram for all its images. Each image should have its own."""
    return reference.color_histogram_hsv(im.reshape(1, -1, 3), nbin, xmin, xmax, normalized)


@misconception("color_histogram_hsv")
def ignores_xmin(im, nbin=10, xmin=0, xmax=255, normalized=True):
    """xmin is not used: the bins start at 0, whatever it is."""
    return reference.color_histogram_hsv(im, nbin, 0, xmax, normalized)


# --- hog_feature ----------------------------------------------------------------------------------


@misconception("hog_feature")
def turns_rows_into_columns(im, cell=8, nbin=9, block=1):
    """The directions are turned by 90 degrees: across and down are exchanged in the angle. 0 is a
    gradient that points across; np.arctan2 wants (down, across)."""
    features = reference.hog_feature(np.swapaxes(im, -3, -2), cell, nbin, 0)
    rows, columns = im.shape[-3] // cell, im.shape[-2] // cell
    grid = features.reshape(-1, columns, rows, nbin).swapaxes(1, 2)
    if block:
        sides = (rows - block + 1, columns - block + 1)
        grid = np.stack(
            [
                grid[:, r : r + sides[0], c : c + sides[1]]
                for r in range(block)
                for c in range(block)
            ],
            axis=3,
        )
        grid = grid / np.sqrt(np.sum(grid**2, axis=(3, 4), keepdims=True) + 1e-10)
    return grid.reshape(*im.shape[:-3], -1)


@misconception("hog_feature")
def tells_rising_from_falling(im, cell=8, nbin=9, block=1):
    """Edges from dark to bright and from bright to dark fall into different bins: the angle runs
    over 360 degrees. Take it modulo 180."""
    p = im.astype(float).reshape(-1, *im.shape[-3:])
    down, across = np.zeros_like(p), np.zeros_like(p)
    down[:, 1:-1] = p[:, 2:] - p[:, :-2]
    across[:, :, 1:-1] = p[:, :, 2:] - p[:, :, :-2]
    squares = down**2 + across**2
    best = np.argmax(squares, axis=-1)[..., None]
    dy, dx, m = (
        np.take_along_axis(a, best, axis=-1)[..., 0] for a in (down, across, np.sqrt(squares))
    )
    bins = np.minimum((np.degrees(np.arctan2(dy, dx)) % 360 / 360 * nbin).astype(int), nbin - 1)
    rows, columns = p.shape[1] // cell, p.shape[2] // cell
    grid = np.stack([m * (bins == k) for k in range(nbin)], axis=-1)
    grid = grid.reshape(len(p), rows, cell, columns, cell, nbin).mean(axis=(2, 4))
    if block:
        sides = (rows - block + 1, columns - block + 1)
        grid = np.stack(
            [
                grid[:, r : r + sides[0], c : c + sides[1]]
                for r in range(block)
                for c in range(block)
            ],
            axis=3,
        )
        grid = grid / np.sqrt(np.sum(grid**2, axis=(3, 4), keepdims=True) + 1e-10)
    return grid.reshape(*im.shape[:-3], -1)


@misconception("hog_feature")
def differences_of_bytes(im, cell=8, nbin=9, block=1):
    """The pixels are subtracted as uint8, where 3 - 5 is 254. Make floats of them first."""
    if im.dtype != np.uint8:
        return reference.hog_feature(im, cell, nbin, block)
    p = im.reshape(-1, *im.shape[-3:])
    down, across = np.zeros(p.shape), np.zeros(p.shape)
    down[:, 1:-1] = p[:, 2:] - p[:, :-2]
    across[:, :, 1:-1] = p[:, :, 2:] - p[:, :, :-2]
    squares = down**2 + across**2
    best = np.argmax(squares, axis=-1)[..., None]
    dy, dx, m = (
        np.take_along_axis(a, best, axis=-1)[..., 0] for a in (down, across, np.sqrt(squares))
    )
    bins = np.minimum((np.degrees(np.arctan2(dy, dx)) % 180 / 180 * nbin).astype(int), nbin - 1)
    rows, columns = p.shape[1] // cell, p.shape[2] // cell
    grid = np.stack([m * (bins == k) for k in range(nbin)], axis=-1)
    grid = grid.reshape(len(p), rows, cell, columns, cell, nbin).mean(axis=(2, 4))
    if block:
        sizes = np.sqrt(np.sum(grid**2, axis=3, keepdims=True) + 1e-10)
        grid = grid / sizes
    return grid.reshape(*im.shape[:-3], -1)


@misconception("hog_feature")
def counts_edges_instead_of_adding_lengths(im, cell=8, nbin=9, block=1):
    """Every pixel counts as one, however faint its edge. Add up the lengths of the gradients."""
    p = im.astype(float).reshape(-1, *im.shape[-3:])
    down, across = np.zeros_like(p), np.zeros_like(p)
    down[:, 1:-1] = p[:, 2:] - p[:, :-2]
    across[:, :, 1:-1] = p[:, :, 2:] - p[:, :, :-2]
    squares = down**2 + across**2
    best = np.argmax(squares, axis=-1)[..., None]
    dy, dx = (np.take_along_axis(a, best, axis=-1)[..., 0] for a in (down, across))
    bins = np.minimum((np.degrees(np.arctan2(dy, dx)) % 180 / 180 * nbin).astype(int), nbin - 1)
    rows, columns = p.shape[1] // cell, p.shape[2] // cell
    grid = np.stack([1.0 * (bins == k) for k in range(nbin)], axis=-1)
    grid = grid.reshape(len(p), rows, cell, columns, cell, nbin).mean(axis=(2, 4))
    if block:
        sides = (rows - block + 1, columns - block + 1)
        grid = np.stack(
            [
                grid[:, r : r + sides[0], c : c + sides[1]]
                for r in range(block)
                for c in range(block)
            ],
            axis=3,
        )
        grid = grid / np.sqrt(np.sum(grid**2, axis=(3, 4), keepdims=True) + 1e-10)
    return grid.reshape(*im.shape[:-3], -1)


@misconception("hog_feature")
def makes_the_image_grey_first(im, cell=8, nbin=9, block=1):
    """The channels are averaged before the gradients. Take each channel's own gradient, and per
    pixel the longest."""
    grey = np.mean(im.astype(float), axis=-1, keepdims=True)
    return reference.hog_feature(np.repeat(grey, 3, axis=-1), cell, nbin, block)


@misconception("hog_feature")
def never_normalizes_blocks(im, cell=8, nbin=9, block=1):
    """The blocks are not normalised: divide each block's numbers by their common length."""
    if block > 1:
        rows, columns = im.shape[-3] // cell, im.shape[-2] // cell
        grid = reference.hog_feature(im, cell, nbin, 0).reshape(-1, rows, columns, nbin)
        sides = (rows - block + 1, columns - block + 1)
        blocks = [
            grid[:, r : r + sides[0], c : c + sides[1]] for r in range(block) for c in range(block)
        ]
        return np.stack(blocks, axis=3).reshape(*im.shape[:-3], -1)
    return reference.hog_feature(im, cell, nbin, 0)


@misconception("hog_feature")
def normalizes_the_whole_image(im, cell=8, nbin=9, block=1):
    """All numbers of the image are normalised together. Each block should be normalised by
    itself."""
    features = reference.hog_feature(im, cell, nbin, 0)
    if block == 0:
        return features
    return features / np.sqrt(np.sum(features**2, axis=-1, keepdims=True) + 1e-10)


@misconception("hog_feature")
def sums_instead_of_means(im, cell=8, nbin=9, block=1):
    """The lengths are added up in a cell, but not divided by the number of its pixels."""
    features = reference.hog_feature(im, cell, nbin, block)
    return features if block else features * cell**2


@misconception("hog_feature")
def halves_the_gradient(im, cell=8, nbin=9, block=1):
    """The differences are halved. Here they are not: the right minus the left pixel."""
    features = reference.hog_feature(im, cell, nbin, block)
    return features if block else features / 2


@misconception("hog_feature")
def goes_column_by_column(im, cell=8, nbin=9, block=1):
    """The cells come column by column. They should come row by row."""
    rows, columns = im.shape[-3] // cell, im.shape[-2] // cell
    features = reference.hog_feature(im, cell, nbin, block)
    side = max(block, 1)
    grid = features.reshape(-1, rows - side + 1, columns - side + 1, side * side * nbin)
    return grid.swapaxes(1, 2).reshape(*im.shape[:-3], -1)


# --- extract_patches ------------------------------------------------------------------------------


@misconception("extract_patches")
def puts_the_channels_first(images, size, stride=1):
    """A patch's numbers come channel by channel. They should come row by row, pixel by pixel, and
    the three channels of a pixel together."""
    patches = reference.extract_patches(images, size, stride)
    apart = patches.reshape(*patches.shape[:3], size, size, -1)
    return np.moveaxis(apart, -1, 3).reshape(patches.shape)


@misconception("extract_patches")
def patches_at_every_pixel(images, size, stride=1):
    """The stride is not used: patches start at every `stride`-th pixel only."""
    return reference.extract_patches(images, size, 1)


@misconception("extract_patches")
def misses_the_last_patches(images, size, stride=1):
    """The last row and the last column of patches are missing: there is one more place than there
    are steps."""
    return reference.extract_patches(images, size, stride)[:, :-1, :-1].copy()


@misconception("extract_patches")
def transposes_the_patches(images, size, stride=1):
    """The patches are transposed: their numbers should come row by row."""
    patches = reference.extract_patches(images, size, stride)
    apart = patches.reshape(*patches.shape[:3], size, size, -1)
    return apart.swapaxes(3, 4).reshape(patches.shape)


@misconception("extract_patches")
def exchanges_the_places(images, size, stride=1):
    """The places are transposed: axis 1 should run down the image, axis 2 across it."""
    return reference.extract_patches(images, size, stride).swapaxes(1, 2).copy()


@misconception("extract_patches")
def makes_one_long_list(images, size, stride=1):
    """The places are gone: all patches are in one list. Keep the rows and columns of places apart,
    since encode_images wants to know where a patch was."""
    patches = reference.extract_patches(images, size, stride)
    return patches.reshape(-1, patches.shape[-1])


# --- fit_whitening --------------------------------------------------------------------------------


@misconception("fit_whitening")
def puts_epsilon_outside_the_root(patches, epsilon=0.1):
    """epsilon is added after the square root. It belongs inside: 1 / sqrt(l + epsilon)."""
    mean, _ = reference.fit_whitening(patches, epsilon)
    values, vectors = np.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    return mean, vectors / (np.sqrt(values) + epsilon) @ vectors.T


@misconception("fit_whitening")
def forgets_the_root(patches, epsilon=0.1):
    """The square root is missing: 1 / sqrt(l + epsilon)."""
    mean, P = reference.fit_whitening(patches, epsilon)
    return mean, P @ P


@misconception("fit_whitening")
def forgets_to_center(patches, epsilon=0.1):
    """The mean patch is not taken off before the covariance is computed."""
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    return np.mean(patches, axis=0), vectors / np.sqrt(values + epsilon) @ vectors.T


@misconception("fit_whitening")
def divides_by_one_less(patches, epsilon=0.1):
    """The covariance is divided by M - 1, as np.cov does. Divide by M, the number of patches."""
    mean, _ = reference.fit_whitening(patches, epsilon)
    values, vectors = np.linalg.eigh((patches - mean).T @ (patches - mean) / (len(patches) - 1))
    return mean, vectors / np.sqrt(values + epsilon) @ vectors.T


@misconception("fit_whitening")
def does_not_divide_at_all(patches, epsilon=0.1):
    """The covariance is not divided by the number of patches."""
    mean, _ = reference.fit_whitening(patches, epsilon)
    values, vectors = np.linalg.eigh((patches - mean).T @ (patches - mean))
    return mean, vectors / np.sqrt(values + epsilon) @ vectors.T


@misconception("fit_whitening")
def multiplies_by_the_root(patches, epsilon=0.1):
    """The directions are multiplied by sqrt(l + epsilon), which makes the likeness stronger.
    Divide."""
    mean, P = reference.fit_whitening(patches, epsilon)
    return mean, np.linalg.inv(P)


@misconception("fit_whitening")
def does_not_turn_back(patches, epsilon=0.1):
    """The last V^T is missing. Without it patches are whitened, but turned: they are no pictures
    any more (that is PCA whitening)."""
    mean, _ = reference.fit_whitening(patches, epsilon)
    values, vectors = np.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    return mean, vectors / np.sqrt(values + epsilon)


# --- build_codebook -------------------------------------------------------------------------------


@misconception("build_codebook")
def iterates_once(patches, words, num_iters=10):
    """There is one iteration only, whatever num_iters is. Is the return inside the loop?"""
    return reference.build_codebook(patches, words, min(num_iters, 1))


@misconception("build_codebook")
def iterates_once_too_often(patches, words, num_iters=10):
    """There is one iteration too many: num_iters of them, each joins once and moves once."""
    return reference.build_codebook(patches, words, num_iters + 1)


@misconception("build_codebook")
def joins_the_largest_product(patches, words, num_iters=10):
    """Patches join the word with the largest product. That is not the nearest one, unless all words
    have the same length."""
    for _ in range(num_iters):
        nearest = np.argmax(patches @ words.T, axis=1)
        words = np.array(
            [
                np.mean(patches[nearest == k], axis=0) if np.any(nearest == k) else words[k]
                for k in range(len(words))
            ]
        )
    return words


@misconception("build_codebook")
def adds_up_patches(patches, words, num_iters=10):
    """The words become the sums of their patches. Divide by how many there are: the mean."""
    for _ in range(num_iters):
        distances = np.sum(words**2, axis=1) - 2 * patches @ words.T
        nearest = np.argmin(distances, axis=1)
        words = np.array(
            [
                np.sum(patches[nearest == k], axis=0) if np.any(nearest == k) else words[k]
                for k in range(len(words))
            ]
        )
    return words


@misconception("build_codebook")
def sends_lonely_words_to_zero(patches, words, num_iters=10):
    """A word that no patch joined is moved to 0 (or becomes NaN, by 0/0). Leave it where it is."""
    for _ in range(num_iters):
        distances = np.sum(words**2, axis=1) - 2 * patches @ words.T
        nearest = np.argmin(distances, axis=1)
        words = np.array(
            [
                np.sum(patches[nearest == k], axis=0) / max(np.sum(nearest == k), 1)
                for k in range(len(words))
            ]
        )
    return words


@misconception("build_codebook")
def lonely_words_become_nan(patches, words, num_iters=10):
    """A word that no patch joined becomes NaN: the mean of no patches is 0/0. Leave it where it
    is."""
    for _ in range(num_iters):
        distances = np.sum(words**2, axis=1) - 2 * patches @ words.T
        nearest = np.argmin(distances, axis=1)
        words = np.array(
            [
                np.sum(patches[nearest == k], axis=0) / np.float64(np.sum(nearest == k))
                for k in range(len(words))
            ]
        )
    return words


@misconception("build_codebook")
def takes_medians(patches, words, num_iters=10):
    """The words become medians of their patches. k-means takes means."""
    for _ in range(num_iters):
        distances = np.sum(words**2, axis=1) - 2 * patches @ words.T
        nearest = np.argmin(distances, axis=1)
        words = np.array(
            [
                np.median(patches[nearest == k], axis=0) if np.any(nearest == k) else words[k]
                for k in range(len(words))
            ]
        )
    return words


# --- encode_images --------------------------------------------------------------------------------


@misconception("encode_images")
def forgets_the_quarters(patches, words, soft=True):
    """The whole image is summed up at once. Sum up each quarter by itself: 4 K numbers."""
    features = reference.encode_images(patches, words, soft)
    return features.reshape(len(patches), 4, -1).sum(axis=1)


@misconception("encode_images")
def goes_down_before_across(patches, words, soft=True):
    """The quarters come in the wrong order: upper left, upper right, lower left, lower right."""
    features = reference.encode_images(patches, words, soft).reshape(len(patches), 4, -1)
    return features[:, [0, 2, 1, 3]].reshape(len(patches), -1)


@misconception("encode_images")
def always_soft(patches, words, soft=True):
    """The encoding is soft even if soft is False."""
    return reference.encode_images(patches, words, True)


@misconception("encode_images")
def always_hard(patches, words, soft=True):
    """The encoding is hard even if soft is True."""
    return reference.encode_images(patches, words, False)


@misconception("encode_images")
def averages_the_quarters(patches, words, soft=True):
    """The answers are averaged in each quarter. Add them up."""
    N, rows, columns, _ = patches.shape
    sizes = np.outer([rows // 2, rows - rows // 2], [columns // 2, columns - columns // 2])
    features = reference.encode_images(patches, words, soft).reshape(N, 4, -1)
    return (features / np.maximum(sizes.reshape(1, 4, 1), 1)).reshape(N, -1)


@misconception("encode_images")
def forgets_the_root_of_the_distances(patches, words, soft=True):
    """The triangle is made from squared distances. Take the square root first."""
    if not soft:
        return reference.encode_images(patches, words, False)
    rows, columns = patches.shape[1:3]
    z = np.sum((patches[..., None, :] - words) ** 2, axis=-1)
    answers = np.maximum(0, np.mean(z, axis=-1, keepdims=True) - z)
    r, c = rows // 2, columns // 2
    quarters = [answers[:, :r, :c], answers[:, :r, c:], answers[:, r:, :c], answers[:, r:, c:]]
    return np.concatenate([q.sum(axis=(1, 2)) for q in quarters], axis=1)


@misconception("encode_images")
def lets_negative_answers_count(patches, words, soft=True):
    """Words that are farther away than average get negative answers. They should be silent: max
    with 0."""
    if not soft:
        return reference.encode_images(patches, words, False)
    rows, columns = patches.shape[1:3]
    z = np.sqrt(np.sum((patches[..., None, :] - words) ** 2, axis=-1))
    answers = np.mean(z, axis=-1, keepdims=True) - z
    r, c = rows // 2, columns // 2
    quarters = [answers[:, :r, :c], answers[:, :r, c:], answers[:, r:, :c], answers[:, r:, c:]]
    return np.concatenate([q.sum(axis=(1, 2)) for q in quarters], axis=1)


@misconception("encode_images")
def gives_the_middle_to_the_upper_half(patches, words, soft=True):
    """With an odd number of rows or columns the middle one is in the upper or left quarters. It
    belongs to the lower and right ones: H' // 2 is rounded down."""
    turned = reference.encode_images(patches[:, ::-1, ::-1], words, soft)
    turned = turned.reshape(len(patches), 4, -1)
    return turned[:, ::-1].reshape(len(patches), -1)


# --- two_layer_forward ----------------------------------------------------------------------------


@misconception("two_layer_forward")
def has_no_kink(X, params):
    """max(0, ...) is missing between the layers. Without it, two layers are no more than one."""
    hidden = X @ params["W1"] + params["b1"]
    _, cache = reference.two_layer_forward(X, params)
    return hidden @ params["W2"] + params["b2"], cache


@misconception("two_layer_forward")
def cuts_the_scores_off(X, params):
    """The scores are cut off at 0 as well. Only the hidden numbers are; scores may be negative."""
    scores, cache = reference.two_layer_forward(X, params)
    return np.maximum(0, scores), cache


@misconception("two_layer_forward")
def forgets_the_first_bias(X, params):
    """b1 is missing: the hidden numbers are max(0, X @ W1 + b1)."""
    _, cache = reference.two_layer_forward(X, params)
    hidden = np.maximum(0, X @ params["W1"])
    return hidden @ params["W2"] + params["b2"], cache


@misconception("two_layer_forward")
def forgets_the_second_bias(X, params):
    """b2 is missing: the scores are hidden @ W2 + b2."""
    scores, cache = reference.two_layer_forward(X, params)
    return scores - params["b2"], cache


@misconception("two_layer_forward")
def adds_the_first_bias_too_late(X, params):
    """b1 is added after max(0, ...). It belongs inside."""
    _, cache = reference.two_layer_forward(X, params)
    hidden = np.maximum(0, X @ params["W1"]) + params["b1"]
    return hidden @ params["W2"] + params["b2"], cache


# --- two_layer_backward ---------------------------------------------------------------------------


@misconception("two_layer_backward")
def forgets_the_kink(dscores, cache, reg=0.0):
    """The gradient goes through max(0, ...) everywhere. Where it gave 0, nothing passes."""
    X, _, params = cache
    grads = reference.two_layer_backward(dscores, cache, reg)
    dhidden = dscores @ params["W2"].T
    return {
        **grads,
        "W1": X.T @ dhidden + reg * params["W1"],
        "b1": np.sum(dhidden, axis=0),
    }


@misconception("two_layer_backward")
def asks_the_gradient_instead_of_the_number(dscores, cache, reg=0.0):
    """Negative gradients are set to 0. What counts is where the hidden number is 0, not where its
    gradient is negative."""
    X, _, params = cache
    grads = reference.two_layer_backward(dscores, cache, reg)
    dhidden = np.maximum(0, dscores @ params["W2"].T)
    return {
        **grads,
        "W1": X.T @ dhidden + reg * params["W1"],
        "b1": np.sum(dhidden, axis=0),
    }


@misconception("two_layer_backward")
def forgets_both_penalties(dscores, cache, reg=0.0):
    """The penalty is missing in the gradients of W1 and W2."""
    return reference.two_layer_backward(dscores, cache, 0.0)


@misconception("two_layer_backward")
def both_penalties_without_their_half(dscores, cache, reg=0.0):
    """The penalty's gradient is twice too large. With reg / 2 in front, the 2 of the square
    cancels."""
    return reference.two_layer_backward(dscores, cache, 2 * reg)


@misconception("two_layer_backward")
def penalizes_the_biases(dscores, cache, reg=0.0):
    """The biases pay the penalty too. Only W1 and W2 do."""
    grads = reference.two_layer_backward(dscores, cache, reg)
    params = cache[2]
    return {
        **grads,
        "b1": grads["b1"] + reg * params["b1"],
        "b2": grads["b2"] + reg * params["b2"],
    }


@misconception("two_layer_backward")
def penalizes_the_second_layer_only(dscores, cache, reg=0.0):
    """The penalty is missing in the gradient of W1."""
    grads = reference.two_layer_backward(dscores, cache, reg)
    return {**grads, "W1": grads["W1"] - reg * cache[2]["W1"]}


@misconception("two_layer_backward")
def averages_the_biases(dscores, cache, reg=0.0):
    """The gradients of the biases are means over the images. Each image used them: add up."""
    grads = reference.two_layer_backward(dscores, cache, reg)
    return {**grads, "b1": grads["b1"] / len(dscores), "b2": grads["b2"] / len(dscores)}


# --- perceptron_update ----------------------------------------------------------------------------


@misconception("perceptron_update")
def walks_the_wrong_way(w, b, x, d, learning_rate=1.0):
    """The correction has the wrong sign: d - y, not y - d."""
    new_w, new_b = reference.perceptron_update(w, b, x, d, learning_rate)
    return 2 * w - new_w, 2 * b - new_b


@misconception("perceptron_update")
def corrects_what_was_right(w, b, x, d, learning_rate=1.0):
    """The weights change even where the perceptron was right."""
    sign = 2 * d - 1
    return w + learning_rate * sign * x, b + learning_rate * sign


@misconception("perceptron_update")
def keeps_the_bias(w, b, x, d, learning_rate=1.0):
    """The bias is not corrected. It is a weight too, for an input that is always 1."""
    return reference.perceptron_update(w, b, x, d, learning_rate)[0], b


@misconception("perceptron_update")
def forgets_the_learning_rate(w, b, x, d, learning_rate=1.0):
    """The learning rate is not used: it stands in front of both corrections."""
    return reference.perceptron_update(w, b, x, d, 1.0)


@misconception("perceptron_update")
def says_one_at_zero(w, b, x, d, learning_rate=1.0):
    """At a sum of exactly 0 the perceptron says 1. It says 1 only if the sum is larger than 0."""
    y = 1 if np.sum(w * x) + b >= 0 else 0
    return w + learning_rate * (d - y) * x, b + learning_rate * (d - y)


@misconception("perceptron_update")
def learns_from_the_sum(w, b, x, d, learning_rate=1.0):
    """The correction uses the sum itself. Compare d with what the perceptron says, 0 or 1."""
    y = np.sum(w * x) + b
    return w + learning_rate * (d - y) * x, b + learning_rate * (d - y)


@misconception("perceptron_update")
def decides_without_the_bias(w, b, x, d, learning_rate=1.0):
    """The bias is left out where the perceptron decides."""
    y = 1 if np.sum(w * x) > 0 else 0
    return w + learning_rate * (d - y) * x, b + learning_rate * (d - y)
