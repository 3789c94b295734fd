"""`python -m api.cli`, the same as `parley`."""

from api.cli import main

main(prog_name="parley")
