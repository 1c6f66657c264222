"""Values that may be the word auto: they follow from others."""

from typing import Any

from pydantic_core import core_schema

AUTO = "auto"


class OrAuto:
    """In an annotation: a whole number from `least` on, or the word auto."""

    def __init__(self, least: int) -> None:
        self.least = least

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        def validate(value: object, number: Any) -> Any:
            return value if value == AUTO else number(value)

        number = core_schema.int_schema(ge=self.least)
        as_it_is = core_schema.plain_serializer_function_ser_schema(lambda value: value)
        return core_schema.no_info_wrap_validator_function(validate, number, serialization=as_it_is)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return or_auto({"type": "integer", "minimum": self.least})


def or_auto(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a value that may also be the word auto."""
    about: dict[str, Any] = {
        key: schema.pop(key) for key in ("title", "description") if key in schema
    }
    return {"anyOf": [schema, {"const": AUTO}]} | about
