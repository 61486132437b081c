"""``python -m manabackup``."""

import sys

from manabackup.cli import main

if __name__ == "__main__":
    sys.exit(main())
