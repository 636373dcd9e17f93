"""Training in PyTorch: pictures that differ each time, an epoch, and the accuracy."""

import torch
import torch.nn.functional as F


def crop_and_flip(x, offsets, flip, pad=4):
    """Shift and mirror each image of a batch in its own way, all at once, on x's device.

    Each image gets `pad` rows and columns of zeros on each side. Out of that, a window of H x W is
    cut, and some windows are mirrored.

    Args:
        x: images, a tensor of shape (N, C, H, W), any dtype
        offsets: where the windows begin, an int64 tensor of shape (N, 2): the row and the column of
            the padded image, from 0 to 2 * pad. (pad, pad) is the image itself.
        flip: which windows are mirrored left to right, a bool tensor of shape (N,)
        pad: int >= 0

    Returns:
        out: a tensor of shape (N, C, H, W), of x's dtype and on x's device

    The image is cropped first, then mirrored. offsets and flip may be on the CPU, whatever x is on.
    x, offsets and flip are left as they were, and out shares no memory with x.

    No loop over the images: on a GPU each step of a loop is a kernel of its own, too small to keep
    the device busy. The pixels of all windows are one read of the padded images with arrays of
    indices: row numbers (N, H, 1), column numbers (N, 1, W), and a mirrored window reads its
    columns from right to left.
    Source: the usual augmentation of CIFAR-10, as in He et al. (arXiv:1512.03385), section 4.2.
    """
    ### BEGIN SOLUTION
    N, _, H, W = x.shape
    offsets, flip = offsets.to(x.device), flip.to(x.device)
    padded = F.pad(x, (pad, pad, pad, pad))
    rows = offsets[:, :1] + torch.arange(H, device=x.device)
    columns = offsets[:, 1:] + torch.arange(W, device=x.device)
    columns = torch.where(flip[:, None], columns.flip(1), columns)
    images = torch.arange(N, device=x.device)[:, None, None]
    windows = padded[images, :, rows[:, :, None], columns[:, None, :]]  # (N, H, W, C)
    return windows.permute(0, 3, 1, 2).contiguous()
    ### END SOLUTION


def train_epoch(model, batches, optimizer, device):
    """Show every batch to the model once, and let it learn from each.

    Args:
        model: an nn.Module on `device`, from images (N, C, H, W) to scores (N, classes)
        batches: gives pairs (x, y), at least one: images, a tensor of shape (N, C, H, W), and their
            classes, an int64 tensor of shape (N,). They may be on the CPU. N can differ from batch
            to batch.
        optimizer: of torch.optim, with the model's parameters
        device: a torch.device, or its name: where the work is done

    Returns:
        loss: float, the mean over all images of the softmax loss (cross-entropy) with which each
            was met, before its step

    The model is in train mode, and stays there. Each batch: move it to the device, forget the last
    gradients, forward, loss, backward, one step. The last batch is often smaller: the mean over
    images is not the mean over batches.

    float(loss) waits until the device is done, and then the device waits for the next batch. Add
    the losses up on the device, and fetch the sum once.
    """
    ### BEGIN SOLUTION
    model.train()
    total, count = torch.zeros((), device=device), 0
    for x, y in batches:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(y)
        count += len(y)
    return float(total) / count
    ### END SOLUTION


def evaluate(model, batches, device):
    """Measure how often the model is right.

    Args:
        model: an nn.Module on `device`, from images (N, C, H, W) to scores (N, classes)
        batches: gives pairs (x, y), as in train_epoch, at least one
        device: a torch.device, or its name

    Returns:
        accuracy: float from 0 to 1, the part of all images whose class has the highest score

    It works in eval mode, in which batch normalisation uses its running averages and dropout drops
    nothing, and without building graphs. Afterwards model.training is what it was, also if a batch
    fails.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    right, count = torch.zeros((), dtype=torch.int64, device=device), 0
    try:
        with torch.no_grad():
            for x, y in batches:
                x, y = x.to(device), y.to(device)
                right += (model(x).argmax(1) == y).sum()
                count += len(y)
    finally:
        model.train(was_training)
    return int(right) / count
    ### END SOLUTION
