"""`python -m cmif`."""

from cmif.cli.main import main

main()
