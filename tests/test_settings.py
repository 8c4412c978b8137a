"""One place for defaults, and a form that survives the way to the child process."""

import dataclasses

import pytest
from awxfast.settings import STATUS_GROUPS, Settings


class TestDefaults:
    """What docs/options.md promises where nobody says otherwise."""

    def test_channel_layer_is_that_of_awx(self) -> None:
        settings = Settings()
        assert (settings.prefix, settings.capacity, settings.expiry, settings.group_expiry) == (
            "asgi",
            10_000,
            60,
            157_784_760,
        )

    def test_status_groups_are_the_five_of_awx(self) -> None:
        assert Settings().keep_groups == STATUS_GROUPS
        assert len(STATUS_GROUPS) == 5

    def test_clients_are_bounded_in_frames_and_bytes(self) -> None:
        settings = Settings()
        assert settings.queue_frames == 10_000
        assert settings.queue_bytes == 64 << 20
        assert settings.queue_memory == 512 << 20
        assert settings.send_buffer == 256 << 10

    def test_at_least_one_fan_out_thread(self) -> None:
        assert Settings().threads >= 1


class TestJson:
    def test_settings_survive_the_round_trip(self) -> None:
        settings = Settings(port=0, redis=("unix:///run/redis.sock",), origins=("a", "b"), grace=0.5)
        assert Settings.from_json(settings.to_json()) == settings

    def test_unknown_name_is_refused(self) -> None:
        with pytest.raises(TypeError):
            Settings.from_json('{"no_such_setting": 1}')

    def test_settings_are_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            Settings().port = 1  # type: ignore[misc]
