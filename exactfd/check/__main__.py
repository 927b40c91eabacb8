"""``python -m exactfd.check CERTIFICATE``."""

import sys

from exactfd.check.checker import main

if __name__ == "__main__":
    sys.exit(main())
