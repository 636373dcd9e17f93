"""The grader: it runs students' notebooks in a sandbox, and scores them from outside."""
