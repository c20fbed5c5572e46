"""What this is, written once for the distribution, the image, the client and the metrics."""

__version__ = "0.1.0"
PROJECT_URL = "https://github.com/confluent-api-keys-exporter/confluent-api-keys-exporter"
