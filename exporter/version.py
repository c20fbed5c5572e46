"""What this is, written once for the distribution, the image, the client and the metrics."""

__version__ = "0.2.0"
PROJECT_URL = "https://confluent-api-keys-exporter.example"
"""Of a domain that nobody can register (RFC 2606), until the project has an address of its own."""
