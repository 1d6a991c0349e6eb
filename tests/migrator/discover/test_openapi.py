"""Templates that are known beforehand."""

import json

import pytest

from migrator.discover.openapi import normalise, read
from migrator.errors import InvalidInput

YAML = """
openapi: 3.1.0
servers: [{url: "https://example.org/api/v2/"}]
paths:
  /articles/{article-id}:
    get: {tags: [Publishing, Reading]}
  /files/{name}.{ext}: {}
  x-extension: {}
"""


def test_yaml() -> None:
    assert read(YAML, "o.yaml") == {
        "/api/v2/articles/{article_id}": "Publishing",
        "/api/v2/files/{name_ext}": None,
    }


def test_json_and_swagger() -> None:
    text = json.dumps({"swagger": "2.0", "basePath": "/v1", "paths": {"/a": {"post": {}}}})
    assert read(text, "o.json") == {"/v1/a": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "o:1: this is not YAML", id="yaml"),
        pytest.param('{"a":\n?}', "o:2: this is not JSON", id="json"),
        pytest.param("[" * 5000, "o: ", id="deep"),
        pytest.param("kind: Migration", "o: expected an OpenAPI document", id="other"),
        pytest.param("openapi: 3.1.0", "o: paths: expected a mapping", id="no-paths"),
        pytest.param("openapi: !!python/object:os.x {}", "o:1: this is not YAML", id="tag"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text, "o")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("/a/<int:id>/b/<id>", "/a/{id}/b/{id2}"),
        ("/a/:slug", "/a/{slug}"),
        ("a/{id:[0-9]+}/", "/a/{id}"),
        ("/a/{*rest}", "/a/{rest}"),
        ("/a/{1}", "/a/{id}"),
        ("/", "/"),
    ],
)
def test_normalise(template: str, expected: str) -> None:
    assert normalise(template) == expected
