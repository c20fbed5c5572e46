"""Builds the artefacts of a release: ``make release``. The same commit gives the same bytes."""
