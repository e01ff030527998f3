"""The controllers: what keeps the stand-in's objects true, as the controllers of Kubernetes do."""

from __future__ import annotations

from include.cluster.controllers.running import Running, start

__all__ = ["Running", "start"]
