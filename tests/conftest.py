"""What holds for every test.

A loaded machine must not turn a property test red: how long an example takes is not a property.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("srd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("srd")
