"""Update rules: from a weight and its gradient to the next weight."""

import numpy as np


def sgd(w, dw, config=None):
    """Take a step down the gradient: stochastic gradient descent.

    next_w = w - learning_rate * dw

    All four update rules are called alike, once per step and per array of weights. `config` holds
    the rule's settings and what it remembers from step to step: what is missing is filled in with
    the values given here, and what comes back is handed in again at the next step.

    Args:
        w: weights, any shape
        dw: the gradient of the loss with respect to w, of w's shape
        config: dict or None
            'learning_rate': 1e-2 if it is missing

    Returns:
        (next_w, config)
        next_w: of w's shape and dtype, a new array: float32 stays float32
        config: the dict for the next step

    w and dw are left as they were. (The config that came in may be changed, or copied.)
    """
    ### BEGIN SOLUTION
    config = {"learning_rate": 1e-2, **(config or {})}
    return w - config["learning_rate"] * dw, config
    ### END SOLUTION


def sgd_momentum(w, dw, config=None):
    """Take a step with momentum: a ball that rolls down, and has some weight.

    velocity = momentum * velocity - learning_rate * dw
    next_w = w + velocity

    Args:
        w, dw: weights and their gradient, of the same shape
        config: dict or None
            'learning_rate': 1e-2 if it is missing
            'momentum': what is left of the velocity after a step, from 0 to 1; 0.9 if missing
            'velocity': of w's shape and dtype; zeros if it is missing. It is returned updated.

    Returns:
        (next_w, config), as sgd does; next_w is of w's dtype

    w and dw are left as they were, and so is the velocity array that came in.
    Source: Polyak (1964), in the form of the CS231n notes: the learning rate is in the velocity.
    """
    ### BEGIN SOLUTION
    config = {"learning_rate": 1e-2, "momentum": 0.9, **(config or {})}
    velocity = config.get("velocity", np.zeros_like(w))
    config["velocity"] = config["momentum"] * velocity - config["learning_rate"] * dw
    return w + config["velocity"], config
    ### END SOLUTION


def rmsprop(w, dw, config=None):
    """Take steps of about the same size along steep and flat directions: RMSProp.

    cache = decay_rate * cache + (1 - decay_rate) * dw ** 2
    next_w = w - learning_rate * dw / (sqrt(cache) + epsilon)

    Args:
        w, dw: weights and their gradient, of the same shape
        config: dict or None
            'learning_rate': 1e-2 if it is missing
            'decay_rate': how long old squares are remembered, 0.99 if it is missing
            'epsilon': keeps from dividing by zero, 1e-8 if it is missing. Added after the root.
            'cache': the running mean of the squared gradients, of w's shape and dtype; zeros if it
                is missing. It is returned updated, and used in the same step.

    Returns:
        (next_w, config), as sgd does; next_w is of w's dtype

    w and dw are left as they were, and so is the cache array that came in.
    Source: Tieleman and Hinton, lecture 6e of "Neural networks for machine learning" (2012).
    """
    ### BEGIN SOLUTION
    config = {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8, **(config or {})}
    cache, decay = config.get("cache", np.zeros_like(w)), config["decay_rate"]
    config["cache"] = decay * cache + (1 - decay) * dw**2
    step = config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"])
    return w - step, config
    ### END SOLUTION


def adam(w, dw, config=None):
    """Combine momentum with RMSProp, and correct for the start from zeros: Adam.

    t = t + 1
    m = beta1 * m + (1 - beta1) * dw             v = beta2 * v + (1 - beta2) * dw ** 2
    m_hat = m / (1 - beta1 ** t)                 v_hat = v / (1 - beta2 ** t)
    next_w = w - learning_rate * m_hat / (sqrt(v_hat) + epsilon)

    Args:
        w, dw: weights and their gradient, of the same shape
        config: dict or None
            'learning_rate': 1e-3 if it is missing
            'beta1', 'beta2': how long gradients and their squares are remembered; 0.9 and 0.999
            'epsilon': keeps from dividing by zero, 1e-8 if it is missing. Added after the root.
            'm', 'v': the running means, of w's shape and dtype, as in the formulas, not corrected;
                zeros if they are missing. They are returned updated.
            't': how many steps were taken, 0 if it is missing. It is raised *before* it is used,
                so the first step corrects with t = 1.

    Returns:
        (next_w, config), as sgd does; next_w is of w's dtype

    w and dw are left as they were, and so are the arrays m and v that came in.
    Source: Kingma and Ba, "Adam" (arXiv:1412.6980), algorithm 1.
    """
    ### BEGIN SOLUTION
    defaults = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0}
    config = {**defaults, **(config or {})}
    beta1, beta2 = config["beta1"], config["beta2"]
    config["t"] += 1
    config["m"] = beta1 * config.get("m", np.zeros_like(w)) + (1 - beta1) * dw
    config["v"] = beta2 * config.get("v", np.zeros_like(w)) + (1 - beta2) * dw**2
    m_hat = config["m"] / (1 - beta1 ** config["t"])
    v_hat = config["v"] / (1 - beta2 ** config["t"])
    step = config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"])
    return w - step, config
    ### END SOLUTION
