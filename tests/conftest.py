"""Settings for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No test may depend on how fast the machine is, and the same commit gives the same verdict every time.
settings.register_profile("project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
