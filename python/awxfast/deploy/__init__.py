"""What an operator copies: configurations for AWX's image, nginx, supervisord and systemd. They travel in the wheel."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
