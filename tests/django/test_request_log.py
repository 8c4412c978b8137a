"""What a developer reads about requests."""

import logging

import pytest
from awxfast.django.request_log import RequestLog, choose_style
from django.core.management.color import no_style


class TestRequestLog:
    def test_lines_have_daphnes_form(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "django.channels.server")
        log = RequestLog(no_style())
        log.write("127.0.0.1:5000", "GET /page/?a=b", 200, 12, 0.126)
        log.write("127.0.0.1:5000", "WSCONNECTING /ws/")
        log.write("127.0.0.1:5000", "WSREJECT /ws/")
        assert caplog.messages == [
            "HTTP GET /page/?a=b 200 [0.13, 127.0.0.1:5000]",
            "WebSocket HANDSHAKING /ws/ [127.0.0.1:5000]",
            "WebSocket REJECT /ws/ [127.0.0.1:5000]",
        ]

    def test_percent_signs_of_a_path_are_no_format(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "django.channels.server")
        RequestLog(no_style()).write("-", "GET /100%25(x)s", 404, 1, 0.0)
        assert caplog.messages == ["HTTP GET /100%25(x)s 404 [0.00, -]"]

    @pytest.mark.parametrize(
        ("status", "level", "style"),
        [
            (101, logging.INFO, "HTTP_INFO"),
            (204, logging.INFO, "HTTP_SUCCESS"),
            (302, logging.INFO, "HTTP_REDIRECT"),
            (304, logging.INFO, "HTTP_NOT_MODIFIED"),
            (403, logging.WARNING, "HTTP_BAD_REQUEST"),
            (404, logging.WARNING, "HTTP_NOT_FOUND"),
            (500, logging.ERROR, "HTTP_SERVER_ERROR"),
        ],
    )
    def test_level_and_colour_tell_the_status(self, status: int, level: int, style: str) -> None:
        assert choose_style(status) == (level, style)
