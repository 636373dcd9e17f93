"""What went wrong with the data, in words for the person who asked for it."""


class DataError(Exception):
    """The data cannot be had; the message says why, and what to do."""
