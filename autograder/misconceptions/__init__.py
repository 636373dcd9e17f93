"""Typical bugs, each as a function with the reference's signature whose docstring is the hint."""
