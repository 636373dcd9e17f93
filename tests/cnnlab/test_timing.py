"""The clocks for experiments: they measure what they say."""

import time

import numpy as np

from cnnlab.timing import copying_speed, matrix_product_speed, plain_loop, seconds


def test_the_shortest_call_counts():
    pauses = iter([0.05, 0.01, 0.03, 0.05, 0.05])
    measured = seconds(lambda: time.sleep(next(pauses)), budget=0.12)
    assert 0.01 <= measured < 0.03


def test_a_long_function_is_called_twice_and_no_more():
    calls = []
    seconds(lambda: (calls.append(1), time.sleep(0.02)), budget=0.001)
    assert len(calls) == 2


def test_the_loop_does_what_it_says():
    assert plain_loop(7, 9) == 63


def test_products_are_counted_in_multiply_adds_per_second():
    a = np.ones((40, 40))  # so small that no threads are started for it
    once = seconds(lambda: a @ a)
    assert 0.1 < matrix_product_speed([40]) * once / 40**3 < 10
    assert matrix_product_speed([8, 40]) > 0.5 * matrix_product_speed([40])
    assert matrix_product_speed([40], np.float32) > 1e7


def test_bytes_come_and_go():
    assert 1e7 < copying_speed(200_000) < 1e13
