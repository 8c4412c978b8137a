"""Plain pages: login with a CSRF cookie, uploads, streaming, and one that blocks."""

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Iterator

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie

FORM = """<!doctype html>
<form id="form" method="post" action="/login/">
  <input type="hidden" name="csrfmiddlewaretoken" value="{token}"><input type="hidden" name="next">
  <input id="username" name="username"><input id="password" name="password" type="password">
  <button id="send">go</button>
</form>"""

LIVE = """<!doctype html>
<p id="state">closed</p><pre id="output"></pre>
<script>
  const socket = new WebSocket(`ws://${location.host}/websocket/`);
  const token = document.cookie.match(/csrftoken=([^;]+)/)[1];
  const show = (id, text) => document.getElementById(id).append(text);
  socket.onopen = () => socket.send(JSON.stringify({groups: {job_events: [42]}, xrftoken: token}));
  socket.onmessage = ({data}) => {
    const message = JSON.parse(data);
    if (message.groups_current) document.getElementById("state").innerText = message.groups_current.join();
    if (message.stdout) show("output", message.stdout + "\\n");
  };
</script>"""


@ensure_csrf_cookie
def log_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return HttpResponse("who are you?")
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse(status=403)
    login(request, user)
    if "next" in request.POST:
        return redirect("/live/")
    return JsonResponse({"user": user.pk})


@ensure_csrf_cookie
def live(request: HttpRequest) -> HttpResponse:
    """A form for whoever is not known; else the events of a job as they come."""
    if request.user.is_authenticated:
        return HttpResponse(LIVE)
    return HttpResponse(FORM.format(token=get_token(request)))


def whoami(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"user": request.user.pk})


def where(request: HttpRequest) -> HttpResponse:
    """What the server said about this request."""
    what = {"path": request.path, "url": request.build_absolute_uri(), "client": request.META.get("REMOTE_ADDR")}
    return JsonResponse(what)


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    files = {name: hashlib.sha256(file.read()).hexdigest() for name, file in request.FILES.items()}
    return JsonResponse({"fields": dict(request.POST.items()), "files": files})


def download(request: HttpRequest, size: int) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        for begin in range(0, size, 65_536):
            yield b"x" * min(65_536, size - begin)

    return StreamingHttpResponse(parts())


async def ticks(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"{number}\n".encode()
            await asyncio.sleep(0.05)

    return StreamingHttpResponse(parts())


def block(request: HttpRequest, seconds: int) -> HttpResponse:
    print("a view blocks", file=sys.stderr, flush=True)
    time.sleep(seconds)
    return HttpResponse("done")
