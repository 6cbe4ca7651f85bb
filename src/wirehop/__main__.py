"""`python -m wirehop`: the same as the `wirehop` program."""

from wirehop.cli import main

main()
