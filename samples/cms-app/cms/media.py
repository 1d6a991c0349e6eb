"""Pictures and their thumbnails: the media service's code, inside the monolith at first."""

import hashlib
import io
import time

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from cms.kit.identity import required_user
from cms.kit.ids import new_id
from cms.kit.program import Program
from cms.kit.store import Document

MAX_BYTES = 1024 * 1024
MAX_PIXELS = 20_000_000
"""A small file can unpack to a huge picture."""
THUMBNAIL = 256
TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif"}


def examine(content: bytes) -> tuple[str, int, int]:
    """Content type, width and height. Ends the request with 400 for what is no picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=list(TYPES)) as image:
            if image.width * image.height > MAX_PIXELS:
                abort(400, f"a picture may have {MAX_PIXELS} pixels at most")
            image.verify()
            return TYPES[str(image.format)], image.width, image.height
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        abort(400, "expected a PNG, JPEG or GIF picture")


def thumbnail(content: bytes) -> bytes:
    """A PNG of at most THUMBNAIL pixels each way."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        out = io.BytesIO()
        small.save(out, "PNG")
        return out.getvalue()


def routes(program: Program) -> Blueprint:
    media = Blueprint("media", __name__)
    store = program.store

    def add(name: str, content: bytes) -> Document:
        owner = required_user(program.secret(), request)
        if not 1 <= len(content) <= MAX_BYTES:
            abort(413, f"a picture may have 1 to {MAX_BYTES} bytes")
        content_type, width, height = examine(content)
        sha256 = hashlib.sha256(content).hexdigest()
        item = {
            "id": new_id(),
            "name": name[:100] or "picture",
            "owner": owner,
            "sha256": sha256,
            "type": content_type,
            "width": width,
            "height": height,
            "created": time.time(),
        }
        with store.transaction() as transaction:
            transaction.blob(sha256, content)
            transaction.put("media", item)
        return item

    def find(id: str) -> tuple[Document, bytes]:
        item = store.get("media", id)
        if item is None:
            program.catch_up()
            item = store.get("media", id)
        content = store.blob(item["sha256"]) if item else None
        if item is None or content is None:
            abort(404, "no such picture")
        return item, content

    @media.get("/api/media")
    def list_media() -> Response:
        return jsonify(media=store.find("media", limit=50))

    @media.post("/api/media")
    def upload() -> tuple[Response, int]:
        return jsonify(add(request.args.get("name", ""), request.get_data())), 201

    @media.get("/api/media/<id>")
    def get(id: str) -> Response:
        return jsonify(find(id)[0])

    @media.get("/media/<id>")
    def show(id: str) -> Response:
        item, content = find(id)
        return _picture(content, item["type"])

    @media.get("/media/<id>/thumbnail")
    def show_small(id: str) -> Response:
        item, content = find(id)
        key = f"{item['sha256']}.small"
        small = store.blob(key)
        if small is None:
            small = thumbnail(content)
            store.save_blob(key, small)
        return _picture(small, "image/png")

    @media.get("/library")
    def library() -> str:
        return render_template("library.html", media=store.find("media", limit=48))

    @media.post("/library")
    def upload_form() -> AnyResponse:
        file = request.files.get("picture")
        if file is None:
            abort(400, "choose a picture")
        add(file.filename or "", file.read(MAX_BYTES + 1))
        return redirect("/library")

    return media


def _picture(content: bytes, content_type: str) -> Response:
    response = Response(content, content_type=content_type)
    # Contents never change: an id is of one picture.
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
