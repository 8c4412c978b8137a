"""`manage.py runserver` for ASGI: daphne's options and output, awxfast's server in Django's own process.

The server runs where Django's would, so that the autoreloader sees what the application imports, and debuggers work.
"""

import datetime
import os
from typing import Any

from asgiref.compatibility import guarantee_single_callable
from asgiref.typing import ASGI3Application
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.management import CommandError
from django.core.management.commands.runserver import Command as RunserverCommand
from django.utils import autoreload
from django.utils.module_loading import import_string

from awxfast import __version__
from awxfast.django.request_log import RequestLog
from awxfast.environment_variables import variable_of
from awxfast.errors import AwxfastError
from awxfast.options import LISTENING, name_ignored_variables, parse_settings
from awxfast.process.embedded import EmbeddedServer
from awxfast.settings import Settings

GRACE = "1"
"""Seconds that open requests and sockets may hold up a restart."""

BANNER = """\
Django version {django}, using settings {module!r}
Starting ASGI/awxfast version {version} development server at {protocol}://{address}:{port}/
Quit the server with CONTROL-C.
"""


class Command(RunserverCommand):  # type: ignore[misc]  # Django has no types
    """The environment's AWXFAST_ variables count here too."""

    help = "Starts awxfast as a web server for development."
    _server: EmbeddedServer | None = None

    def add_arguments(self, parser: Any) -> None:
        """Adds the options that daphne's command has."""
        super().add_arguments(parser)
        parser.add_argument("--noasgi", action="store_false", dest="use_asgi", help="run Django's own WSGI server")
        parser.add_argument("--http_timeout", type=int, help="seconds a plain request may take (default: any)")
        parser.add_argument(
            "--websocket_handshake_timeout", type=int, default=5, help="seconds a handshake may take (default: 5)"
        )
        for what in ("message", "frame"):
            option = f"--websocket-max-{what}-size"
            parser.add_argument(option, type=int, help=f"bytes of one {what} received; 0: no limit (default: 1 MiB)")
        if apps.is_installed("django.contrib.staticfiles"):
            parser.add_argument(
                "--nostatic", action="store_false", dest="use_static_handler", help="don't serve files at STATIC_URL"
            )
            parser.add_argument(
                "--insecure", action="store_true", dest="insecure_serving", help="serve them even if DEBUG is False"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        """As Django, for those who have named an ASGI application."""
        if options["use_asgi"] and not getattr(settings, "ASGI_APPLICATION", None):
            raise CommandError("You have not set ASGI_APPLICATION, which is needed to run the server.")
        super().handle(*args, **options)

    def run(self, **options: Any) -> None:
        """Django leaves this by an exception when a file has changed; what serves in its thread then ends in order."""
        try:
            super().run(**options)
        finally:
            if self._server is not None:
                self._server.stop()

    def inner_run(self, *args: Any, **options: Any) -> None:
        """One life of the server, from one change of a file to the next."""
        if not options["use_asgi"]:
            super().inner_run(*args, **options)
            return
        autoreload.raise_last_exception()
        if not options.get("skip_checks"):
            self.stdout.write("Performing system checks...\n\n")
            self.check(display_num_errors=True)
        self.check_migrations()
        application = self.get_application(options)
        try:
            self._server = EmbeddedServer(self.read_settings(options))
            self.stdout.write(self.describe(self._server.port))
            self._server.run(application, RequestLog(self.style))
        except AwxfastError as error:
            self.stderr.write(f"Error: {error}")
            os._exit(1)  # as Django does it: this may be a thread, whose own end would end nothing
        except KeyboardInterrupt:
            if options.get("shutdown_message"):
                self.stdout.write(options["shutdown_message"])

    def read_settings(self, options: dict[str, Any]) -> Settings:
        """The server's, as its command line would have them."""
        words = {
            "bind": self.addr,
            "port": self.port,
            "http-timeout": options["http_timeout"],
            "websocket_connect_timeout": options["websocket_handshake_timeout"],
            "websocket-max-message-size": find_limit("message", options),
            "websocket-max-frame-size": find_limit("frame", options),
            "root-path": getattr(settings, "FORCE_SCRIPT_NAME", None),
            "grace": GRACE,
        }
        if ignored := name_ignored_variables(os.environ):
            self.stderr.write(f"Environment variables that mean nothing: {ignored}")
        given = [f"--{name}={value}" for name, value in words.items() if value is not None]
        module, _, attribute = settings.ASGI_APPLICATION.rpartition(".")
        elsewhere = [variable_of(option) for option in LISTENING]  # runserver's own arguments say where
        environ = {name: value for name, value in os.environ.items() if name not in elsewhere}
        return parse_settings([*given, f"{module}:{attribute}"], environ)

    def describe(self, port: int) -> str:
        """daphne's lines; the port is the kernel's choice where 0 was asked for."""
        banner = BANNER.format(
            django=self.get_version(),
            module=settings.SETTINGS_MODULE,
            version=__version__,
            protocol=self.protocol,
            address=f"[{self.addr}]" if self._raw_ipv6 else self.addr,
            port=port,
        )
        return f"{datetime.datetime.now():%B %d, %Y - %X}\n{banner}"

    def get_application(self, options: dict[str, Any]) -> ASGI3Application:
        """The project's, behind what serves static files where that is wanted."""
        named = import_string(settings.ASGI_APPLICATION)
        application: ASGI3Application = guarantee_single_callable(named)  # type: ignore[no-untyped-call]
        return ASGIStaticFilesHandler(application) if self.serves_static(options) else application

    def get_handler(self, *args: Any, **options: Any) -> Any:
        """The application that a WSGI server is to serve, with static files where they are asked for."""
        handler = super().get_handler(*args, **options)
        return StaticFilesHandler(handler) if self.serves_static(options) else handler

    def serves_static(self, options: dict[str, Any]) -> bool:
        """Whether files at STATIC_URL are served, by the rules of django.contrib.staticfiles."""
        installed = apps.is_installed("django.contrib.staticfiles")
        allowed = settings.DEBUG or options.get("insecure_serving", False)
        return bool(installed and options.get("use_static_handler", True) and allowed)


def find_limit(what: str, options: dict[str, Any]) -> int | None:
    """The option, else the project's setting, which has daphne's name so that a project need not change."""
    given = options[f"websocket_max_{what}_size"]
    setting: int | None = getattr(settings, f"DAPHNE_WEBSOCKET_MAX_{what.upper()}_SIZE", None)
    return setting if given is None else given
