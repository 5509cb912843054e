"""Ports: frames in and out behind one small protocol. Nothing here opens a socket; lab.host has the kernel's ports."""
