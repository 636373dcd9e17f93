"""The reference implementations: each question's signature, docstring and body stand only here."""
