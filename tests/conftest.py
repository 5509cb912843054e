"""For all tests: property tests are not timed, since others may use the machine; benchmarks are what times things."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("wireproof", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wireproof")
