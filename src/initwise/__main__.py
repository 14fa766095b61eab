"""`python -m initwise` is the `initwise` command."""

from .cli.main import run

run()
