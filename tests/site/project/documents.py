"""Pages for clients of every kind: bodies of any form, a document with its parts and its age, events, no content."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import condition, require_safe

DOCUMENT = bytes(range(256)) * 4_000
ETAG = f'"{hashlib.sha256(DOCUMENT).hexdigest()[:16]}"'
MODIFIED = datetime(2024, 2, 29, 12, tzinfo=UTC)
PART_BYTES = 65_536
EVENTS = 3
"""How many server-sent events a response has; who comes again gets the next ones."""

PAGE = """<!doctype html>
<title>clients</title><pre id="events"></pre>
<script>
  const source = new EventSource("/events/");
  source.onmessage = ({data}) => {
    document.getElementById("events").append(data + "\\n");
    if (data === "5") source.close();
  };
</script>"""


@csrf_exempt
def echo(request: HttpRequest, name: str = "") -> JsonResponse:
    """What came of a body of any method and form, read in parts as a large one has to be; `name` is the client's."""
    digest, length = hashlib.sha256(), 0
    while part := request.read(PART_BYTES):
        digest.update(part)
        length += len(part)
    return JsonResponse({"method": request.method, "length": length, "sha256": digest.hexdigest()})


@require_safe
@condition(etag_func=lambda request: ETAG, last_modified_func=lambda request: MODIFIED)
def document(request: HttpRequest) -> HttpResponse:
    """The document or the part of it that is asked for (RFC 9110 section 14), unless the client has it."""
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if asked is None:
        response = HttpResponse(DOCUMENT, content_type="application/octet-stream")
    elif int(asked[1]) >= len(DOCUMENT):
        response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{len(DOCUMENT)}"})
    else:
        first, last = int(asked[1]), min(int(asked[2] or len(DOCUMENT)), len(DOCUMENT) - 1)
        response = HttpResponse(DOCUMENT[first : last + 1], content_type="application/octet-stream", status=206)
        response["Content-Range"] = f"bytes {first}-{last}/{len(DOCUMENT)}"
    response["Accept-Ranges"] = "bytes"
    response["Content-Length"] = str(len(response.content))
    response["Cache-Control"] = "no-cache"
    return response


async def events(request: HttpRequest) -> StreamingHttpResponse:
    """Some server-sent events behind the last one that the client has; it comes again after a moment."""
    begin = int(request.headers.get("Last-Event-ID", -1)) + 1

    async def parts() -> AsyncIterator[bytes]:
        yield b"retry: 50\n\n"
        for number in range(begin, begin + EVENTS):
            yield b"id: %d\ndata: %d\n\n" % (number, number)
            await asyncio.sleep(0.02)

    return StreamingHttpResponse(parts(), content_type="text/event-stream", headers={"Cache-Control": "no-store"})


@csrf_exempt
def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)
