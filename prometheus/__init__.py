"""Rules and alerts for Prometheus, and what is generated from them: ``python -m prometheus``."""
