"""Hypothesis, without a stopwatch: on a busy machine a draw may take seconds."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
