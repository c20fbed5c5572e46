"""The JSON Schema of the configuration, for editors."""

from __future__ import annotations

from pydantic.json_schema import GenerateJsonSchema

from exporter.config.schema import ConfigFile


class _Generator(GenerateJsonSchema):
    """Omits the titles of settings, which only repeat the keys."""

    def field_title_should_be_set(self, schema: object) -> bool:
        del schema
        return False


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of the configuration file.

    It describes each value by itself. Only :func:`~exporter.config.load` checks it against other
    settings, files and the environment.
    """
    schema = ConfigFile.model_json_schema(schema_generator=_Generator)
    title = "Configuration of confluent-api-keys-exporter"
    return {"$schema": _Generator.schema_dialect, **schema, "title": title}
