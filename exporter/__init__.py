"""A Prometheus exporter for the API keys of Confluent Cloud organizations."""
