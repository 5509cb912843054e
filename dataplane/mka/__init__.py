"""The KaY: MACsec Key Agreement by IEEE 802.1X-2020 clause 9, without sockets, clocks or entropy of its own."""
