"""The header by which both ends of a link name themselves in an engine."""

import pytest
from awxfast.wire.engine_handshake import EngineOffer, read_offer, read_taker

WHO = "0123456789abcdef"


@pytest.mark.parametrize(("offer", "text"), [(EngineOffer(WHO), WHO), (EngineOffer(WHO, True), f"{WHO} apart")])
def test_dialler_names_its_publisher(offer: EngineOffer, text: str) -> None:
    assert str(offer) == text
    assert read_offer(text) == offer


@pytest.mark.parametrize(
    "text", ["", "apart", WHO[1:], f"{WHO}0", f"{WHO}  apart", f"{WHO} alone", WHO.upper(), f"{WHO}\n"]
)
def test_what_is_no_offer_says_nothing(text: str) -> None:
    assert read_offer(text) is None


def test_server_names_its_taker_or_none() -> None:
    assert (read_taker(WHO), read_taker(""), read_taker(f"{WHO} apart")) == (WHO, "", "")
