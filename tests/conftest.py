"""For all tests: what they find of their surroundings is the same everywhere.

Property tests are not timed, since others may use the machine; benchmarks are what times things. And Ctrl-C works, for
the commands that tests run, too, though a job in the background is started without it.
"""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("wireproof", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wireproof")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
