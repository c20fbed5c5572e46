"""Makes ``python -m exporter`` the same command as ``confluent-api-keys-exporter``."""

import sys

from exporter.cli import main

if __name__ == "__main__":
    sys.exit(main())
