"""The Confluent Cloud API as a typed client: paged truthfully, paced politely."""
