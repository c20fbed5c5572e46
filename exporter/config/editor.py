"""The JSON Schema of the configuration, for editors."""

from __future__ import annotations

from pydantic.json_schema import GenerateJsonSchema

from exporter.config.schema import Document


class _Generator(GenerateJsonSchema):
    """Leaves out the titles: they repeat the keys."""

    def field_title_should_be_set(self, schema: object) -> bool:
        del schema
        return False


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of what :func:`~exporter.config.load` reads.

    It knows the form of every value. What depends on other settings, files or the environment is
    known to the loader alone.
    """
    schema = Document.model_json_schema(schema_generator=_Generator)
    title = "Configuration of confluent-api-keys-exporter"
    return {"$schema": _Generator.schema_dialect, **schema, "title": title}
