"""The kernel's door: namespaces, netlink, sockets, devices, processes."""
