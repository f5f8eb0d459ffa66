"""`python -m cmif`."""

import sys

try:
    from cmif.cli.main import main

    main()
except KeyboardInterrupt:  # while it was still importing; later typer ends with the same status
    sys.exit(130)
