"""What two peers that are an nginx have in common: one worker, in the foreground, files in the folder of the run."""

from pathlib import Path

FIRST_LINES = """
daemon off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log {folder}/{name}-error.log crit;
events {{ worker_connections 20000; }}
"""


def write_nginx(folder: Path, name: str, modules: str, http: str) -> list[str]:
    """Writes its configuration, `modules` first and `http` last; the command that runs it."""
    file = folder / f"{name}.conf"
    file.write_text(modules + FIRST_LINES.format(folder=folder, name=name) + http)
    return ["nginx", "-e", str(folder / f"{name}-error.log"), "-c", str(file)]
