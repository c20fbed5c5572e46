"""The one place where the version is written; the distribution, the image and the metrics read it."""

__version__ = "0.1.0"
