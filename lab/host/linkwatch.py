"""When a device's link comes or goes, as the kernel tells it: a netlink socket, without netlink's library."""

from __future__ import annotations

import socket
from typing import Final, final

from lab.host.devices import has_link

_RTMGRP_LINK: Final = 1
_OCTETS: Final = 65536


@final
class LinkWatch:
    """Watches one device of this process's network namespace."""

    def __init__(self, device: str) -> None:
        """Begin to watch.

        Raises:
            OSError: there is no such device.
        """
        self._device: Final = device
        self._socket: Final = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._socket.bind((0, _RTMGRP_LINK))
        self._was_up = has_link(device)

    def fileno(self) -> int:
        """Readable when something may have changed."""
        return self._socket.fileno()

    def came_up(self) -> bool:
        """Take in what the kernel tells; whether the link is there and was not when last asked."""
        try:
            while self._socket.recv(_OCTETS):
                pass  # of which device and what does not matter: we ask
        except BlockingIOError:
            pass
        except OSError:  # ENOBUFS: more was told than the socket holds
            pass
        was_up, self._was_up = self._was_up, has_link(self._device)
        return self._was_up and not was_up

    def close(self) -> None:
        """Close the socket; twice is fine."""
        self._socket.close()
