"""Submissions that are hostile, broken or unlucky, each with what it deserves beside it."""
