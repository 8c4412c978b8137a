"""Importing what is to be hosted: what comes of it, and one line for each way to fail."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from awxfast.errors import ApplicationNeedsRedis, ConfigurationError, StartError
from awxfast.hosted.application import load_application

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Puts a module into the current folder; its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    written: list[str] = []

    def write_one(text: str) -> str:
        name = f"{tmp_path.name.replace('-', '_')}_{len(written)}"
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield write_one
    for name in written:
        sys.modules.pop(name, None)


class TestFound:
    async def test_attribute_of_an_attribute(self, write: Write) -> None:
        module = write("class A:\n    async def b(scope, receive, send): await send(scope)")
        application = load_application(f"{module}:A.b")
        sent = []

        async def send(message: object) -> None:
            sent.append(message)

        await application("a scope", None, send)  # type: ignore[arg-type]
        assert sent == ["a scope"]

    async def test_two_callables_of_asgi_2_become_one(self, write: Write) -> None:
        text = "class A:\n    def __init__(self, scope): self.scope = scope\n"
        module = write(text + "    async def __call__(self, receive, send): await send(self.scope)")
        sent = []

        async def send(message: object) -> None:
            sent.append(message)

        await load_application(f"{module}:A")("a scope", None, send)  # type: ignore[arg-type]
        assert sent == ["a scope"]


class TestFolderThatWasDeleted:
    @pytest.fixture(autouse=True)
    def deleted_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = tmp_path / "release"
        folder.mkdir()
        monkeypatch.chdir(folder)
        folder.rmdir()

    def test_application_on_pythons_path_is_found(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "elsewhere_on_the_path.py").write_text("async def application(scope, receive, send): ...")
        monkeypatch.syspath_prepend(str(tmp_path))
        assert callable(load_application("elsewhere_on_the_path:application"))

    def test_message_says_that_it_is_gone(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            load_application("mysite:application")
        place = "in the current folder, which was deleted, or on Python's path"
        assert str(caught.value) == f"APPLICATION mysite:application: there is no module 'mysite' {place}"


WSGI = """
class Handler:
    def __call__(self, environ, start_response): ...
class Request:
    def __init__(self, environ, start_response): ...
handler = Handler()
def function(environ, start_response): ...
def anything(*arguments): ...
def with_more(scope, receive=None, send=None): ...
async def half_a_coroutine(scope, receive): ...
class Asgi2:
    def __init__(self, scope, more=None): ...
    async def __call__(self, receive, send): ...
"""


class TestWsgi:
    """It would answer every request with 500."""

    @pytest.mark.parametrize("attribute", ["function", "handler", "Request"])
    def test_it_is_refused_by_name(self, write: Write, attribute: str) -> None:
        path = f"{write(WSGI)}:{attribute}"
        with pytest.raises(ConfigurationError) as caught:
            load_application(path)
        assert str(caught.value) == f"{path} is a WSGI application; give an ASGI one, such as mysite.asgi:application"

    def test_djangos_is_refused_with_the_name_of_its_asgi_module(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "site_with_wsgi").mkdir()
        text = "from django.core.handlers.wsgi import WSGIHandler\napplication = WSGIHandler.__new__(WSGIHandler)"
        (tmp_path / "site_with_wsgi" / "wsgi.py").write_text(text)
        with pytest.raises(ConfigurationError, match=r"WSGI application; give site_with_wsgi.asgi:application$"):
            load_application("site_with_wsgi.wsgi:application")

    @pytest.mark.parametrize("attribute", ["anything", "with_more", "half_a_coroutine", "Asgi2"])
    def test_what_may_be_asgi_is_hosted(self, write: Write, attribute: str) -> None:
        load_application(f"{write(WSGI)}:{attribute}")


class TestFailures:
    @pytest.mark.parametrize(
        ("text", "attribute", "reason"),
        [
            ("import no_such_module", "a", "ModuleNotFoundError: No module named 'no_such_module'"),
            ("raise RuntimeError('two\\nlines')", "a", "RuntimeError: two lines"),
            ("raise SystemExit(3)", "a", "SystemExit: 3"),
            ("import sub.mod", "a", "ModuleNotFoundError: No module named 'sub'"),
            ("def __getattr__(name): raise RuntimeError('lazy')", "a", "RuntimeError: lazy"),
            ("a = )", "a", "SyntaxError: "),
        ],
    )
    def test_reason_is_one_line(self, write: Write, text: str, attribute: str, reason: str) -> None:
        with pytest.raises(StartError, match=reason) as caught:
            load_application(f"{write(text)}:{attribute}")
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 1

    def test_file_that_can_not_be_read_as_python_is_named_with_its_folder(self, write: Write, tmp_path: Path) -> None:
        name = write("a = )")
        with pytest.raises(StartError) as caught:
            load_application(f"{name}:a")
        assert f"({name}.py, line 1) in {tmp_path}/{name}.py; -v 2 shows the way there" in str(caught.value)

    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("no_such_module:a", "there is no module 'no_such_module' in /"),
            ("no_such_package.asgi:a", "there is no module 'no_such_package.asgi' in /"),
            ("HERE.asgi:a", "there is no module 'HERE.asgi' in /"),
            ("HERE:aplication", "there is no 'aplication' in module 'HERE'; did you mean 'application'?"),
            ("HERE:other", "there is no 'other' in module 'HERE'"),
            ("HERE:number.b", "there is no 'b' in a 'int'"),
            ("HERE:number", "it is no ASGI application but 'int'"),
        ],
    )
    def test_an_application_that_does_not_exist_is_a_wrong_value(self, write: Write, path: str, reason: str) -> None:
        """Exit code 2: starting again does not mend it."""
        here = write("number = 1\ndef application(): ...")
        with pytest.raises(ConfigurationError) as caught:
            load_application(path.replace("HERE", here))
        assert reason.replace("HERE", here) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_module_that_the_application_misses_is_no_wrong_value(self, write: Write) -> None:
        package = write("import no_such_module.asgi")
        with pytest.raises(StartError, match="No module named 'no_such_module'"):
            load_application(f"{package}:a")

    @pytest.mark.parametrize(
        "text",
        [
            "import redis; redis.Redis(unix_socket_path='/no/such/socket').ping()",
            "import redis\ntry: redis.Redis(unix_socket_path='/no/such/socket').ping()\n"
            "except Exception as error: raise RuntimeError('the site failed') from error",
        ],
    )
    def test_redis_that_is_away_is_told_apart(self, write: Write, text: str) -> None:
        """A site that asks Redis while it is imported (ansible/awx#8696)."""
        with pytest.raises(ApplicationNeedsRedis, match=r"as user \w+: .*No such file") as caught:
            load_application(f"{write(text)}:a")
        assert "/no/such/socket" in str(caught.value)
