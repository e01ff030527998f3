"""The Deployment controller."""

from __future__ import annotations

from include.cluster.controllers.deployment.controller import Deployments

__all__ = ["Deployments"]
