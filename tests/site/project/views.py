"""Plain pages: login with a CSRF cookie, uploads, streaming, and one that blocks."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie


@ensure_csrf_cookie
def log_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return HttpResponse("who are you?")
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse(status=403)
    login(request, user)
    return JsonResponse({"user": user.pk})


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
    time.sleep(seconds)
    return HttpResponse("done")
