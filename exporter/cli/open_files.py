"""The limit on open files."""

from __future__ import annotations

import contextlib
import resource


def raise_open_file_limit() -> None:
    """Raise the soft limit on open files to the hard limit, as programs in Go do.

    The soft limit is often 1,024, because ``select`` cannot handle more. The exporter does not use
    it, and hundreds of organizations with hundreds of clients need more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # some systems reject what they report
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
