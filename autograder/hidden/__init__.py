"""The hidden tests: plain pytest, run in the grader's process, never in the student's kernel."""
