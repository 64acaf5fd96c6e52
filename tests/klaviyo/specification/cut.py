"""Cuts Klaviyo's OpenAPI specification down to what Tillstream covers and these tests read, as JSON Schema:

    curl -O https://raw.githubusercontent.com/klaviyo/openapi/f0a30ba41254904dc410d84ca497df68f8872276/openapi/stable.json
    python3 cut.py stable.json >openapi.min.json

Of a schema there remains what decides whether a value fits and what the examples are; `nullable`, which JSON Schema does not know,
becomes the type null. What a filter may say is prose in the specification; it becomes `filters`, operators by field.
"""

import json
import re
import sys

# What the paths of the areas begin with that are covered, if not wholly.
AREAS = (
    "/api/accounts", "/api/back-in-stock-", "/api/catalog-", "/api/custom-metrics", "/api/data-privacy-", "/api/event",
    "/api/lists", "/api/mapped-metrics", "/api/metric", "/api/profile", "/api/push-tokens", "/api/segments", "/api/tag",
    "/client/back-in-stock-", "/client/event", "/client/profiles", "/client/push-token", "/client/subscriptions",
)
METHODS = ("get", "post", "patch", "put", "delete")
KEPT = {
    "type", "properties", "required", "items", "oneOf", "allOf", "enum", "format", "$ref", "example", "default", "minimum", "maximum",
}


def schema(node):
    """A schema without what is for people."""
    kept = {}
    for key, value in node.items():
        if key not in KEPT:
            continue
        if key == "properties":
            value = {name: schema(each) for name, each in value.items()}
        elif key == "items":
            value = schema(value)
        elif key in ("oneOf", "allOf"):
            value = [schema(each) for each in value]
        kept[key] = value
    if not node.get("nullable"):
        return kept
    examples = {key: kept.pop(key) for key in ("example", "default") if key in kept}
    return {"anyOf": [kept, {"type": "null"}], **examples}


def media(content):
    return {kind: {"schema": schema(each["schema"])} for kind, each in content.items()}


def parameter(node):
    kept = {**{key: node[key] for key in ("name", "in", "required") if key in node}, "schema": schema(node["schema"])}
    if node["name"] == "filter":
        fields = re.findall(r"`([a-z_.]+)`: ((?:`[a-z-]+`(?:, )?)+)", node["description"])
        kept["filters"] = {field: re.findall(r"[a-z-]+", operators) for field, operators in fields}
    return kept


def operation(node):
    kept = {
        "operationId": node["operationId"],
        "parameters": [parameter(each) for each in node.get("parameters", []) if each["in"] != "header"],
        "responses": {
            status: media(answer.get("content", {})) for status, answer in node["responses"].items() if status.isdigit()
        },
    }
    if "requestBody" in node:
        kept["requestBody"] = media(node["requestBody"]["content"])
    return kept


def referred(node):
    """The names of the schemas that are referred to."""
    return set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(node)))


def main(path):
    with open(path) as file:
        whole = json.load(file)
    paths = {
        path: {method: operation(item[method]) for method in METHODS if method in item}
        for path, item in whole["paths"].items()
        if path.startswith(AREAS)
    }
    schemas, wanted = {}, referred(paths)
    while wanted:
        name = wanted.pop()
        schemas[name] = schema(whole["components"]["schemas"][name])
        wanted |= referred(schemas[name]) - schemas.keys()
    cut = {"info": {"version": whole["info"]["version"]}, "paths": paths, "components": {"schemas": schemas}}
    json.dump(cut, sys.stdout, separators=(",", ":"), sort_keys=True)
    print()


if __name__ == "__main__":
    main(sys.argv[1])
