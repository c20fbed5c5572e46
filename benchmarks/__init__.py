"""Benchmarks of the real process over sockets: ``python -m benchmarks`` prints a table."""
