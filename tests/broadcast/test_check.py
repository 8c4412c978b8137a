"""`python -m awxfast.broadcast --check` as an operator runs it: words, and exit codes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from main_process import clean_environment
from nats_servers import NatsServer
from redis_servers import RedisServer, free_port
from servers import HANG


def check(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "awxfast.broadcast", "--check", "-v", "0", *words]
    environment = clean_environment(**environ)
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=HANG, env=environment)


def test_nothing_is_wrong(redis_server: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "peers").write_text("web-2\n")
    done = check("--redis", redis_server.url, "--peers-file", f"{tmp_path}/peers", AWXFAST_SECRET="of-all")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"Redis: {redis_server.address} answers",
        "not looked at: peers, and a database that has them; rights in Redis",
        "nothing is wrong",
    ]


def test_every_problem_has_its_line(tmp_path: Path) -> None:
    done = check("--redis", f"unix://{tmp_path}/none", "--peers-file", f"{tmp_path}/none", "--ca-file", "/nowhere")
    assert done.returncode == 2
    begins = [line.removeprefix("awxfast-broadcast: ")[:12] for line in done.stderr.splitlines()]
    assert begins == ["no secret: -", "--ca-file /n", "--peers-file", "Redis at uni"]


def test_engine_that_lets_us(redis_server: RedisServer, start_nats: Callable[..., NatsServer]) -> None:
    nats = start_nats()
    done = check("--redis", redis_server.url, "--no-mesh", "--engine", f"nats://{nats.place}")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"--engine: nats at {nats.place} answers, and lets us publish and subscribe" in done.stdout.splitlines()
    assert "each address" not in done.stdout


def test_engine_of_which_one_server_was_asked(redis_server: RedisServer, start_nats: Callable[..., NatsServer]) -> None:
    url = f"nats://{start_nats().place},127.0.0.1:{free_port()}"
    done = check("--redis", redis_server.url, "--no-mesh", "--engine", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "not looked at: whether each address of --engine answers; rights in Redis" in done.stdout.splitlines()


def test_peer_that_nobody_dials_is_a_line(redis_server: RedisServer, start_nats: Callable[..., NatsServer]) -> None:
    url = f"nats://{start_nats().place}"
    done = check("--redis", redis_server.url, "--no-mesh", "--peer", "web-2", "--engine", url)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.endswith("WARNING  --peer: nobody is dialled, because of --no-mesh\n")


@pytest.mark.parametrize(
    ("engine", "exit_code"), [("nats://user:of-nobody@127.0.0.1:{port}", 1), ("nats://h?nothing=of-nobody", 2)]
)
def test_engine_that_is_away_or_wrong(redis_server: RedisServer, engine: str, exit_code: int) -> None:
    url = engine.format(port=free_port())
    done = check("--redis", redis_server.url, "--no-mesh", "--engine", url)
    assert (done.returncode, done.stderr.count("\n")) == (exit_code, 1)
    assert "of-nobody" not in done.stdout + done.stderr


def test_client_of_an_engine_that_is_not_installed_is_told_before_anything_is_started(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "nats.py").write_text("raise ModuleNotFoundError(name='nats')")
    words = [
        sys.executable,
        "-m",
        "awxfast.broadcast",
        "--redis",
        redis_server.url,
        "--no-mesh",
        "--engine",
        "nats://h",
    ]
    environment = clean_environment(PYTHONPATH=str(tmp_path))
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=HANG, env=environment)
    assert done.returncode == 2
    assert "pip install 'awxfast[nats]'" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
