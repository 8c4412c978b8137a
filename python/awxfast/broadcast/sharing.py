"""One bundle for all peers: those that want the same get the same bytes, written in one call, not copied for each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from awxfast._rust import LinkBundle, LinkShare
from awxfast.broadcast.dialled_link import NONE

PAUSE_A_LINK = 0.0002
LONGEST_PAUSE = 0.005
"""Seconds. Each link costs a system call a bundle, some 5 us, which so stay below a twentieth of a core."""


class Taker(Protocol):
    """A peer, as the sharing of writes sees it."""

    def choose(self, groups: frozenset[str]) -> frozenset[str]:
        """Those of `groups` that it wants."""

    def socket_to_write(self) -> int:
        """Its link's descriptor, if it may be written to at once; else `NONE`."""

    def note_written(self, share: LinkShare, size: int) -> None:
        """So many bytes of it were."""

    def send(self, share: LinkShare) -> None:
        """Takes it in some other way."""


def send_bundle(bundle: LinkBundle, peers: Iterable[Taker]) -> None:
    """Gives every peer what it wants."""
    for groups, takers in find_takers(bundle.groups, peers).items():
        if groups:
            send_share(bundle.share(groups), takers)


def find_takers(groups: frozenset[str], peers: Iterable[Taker]) -> Mapping[frozenset[str], Sequence[Taker]]:
    """The peers by what they want of `groups`."""
    takers: dict[frozenset[str], list[Taker]] = {}
    for peer in peers:
        takers.setdefault(peer.choose(groups), []).append(peer)
    return takers


def send_share(share: LinkShare, peers: Sequence[Taker]) -> None:
    """Past the transports where that keeps the order: Python's way through each costs more than the kernel's."""
    sockets = [(peer, peer.socket_to_write()) for peer in peers]
    at_once = [(peer, socket) for peer, socket in sockets if socket != NONE]
    for peer, socket in sockets:
        if socket == NONE:
            peer.send(share)
    written = share.write([socket for _, socket in at_once])
    for (peer, _), size in zip(at_once, written, strict=True):
        peer.note_written(share, size)


def pause_for(links: int) -> float:
    """Seconds by which a bundle for so many links may be put off, so that more events share each write."""
    return min(LONGEST_PAUSE, links * PAUSE_A_LINK)
