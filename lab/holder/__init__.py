"""The lab's own process 1: it builds, supervises, answers the control socket, and dies with everything in it."""
