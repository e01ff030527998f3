"""What can be set on the stand-in, with the values it ships with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Settings of one stand-in. Times are in seconds, sizes in bytes.

    The back-off starts at 1 s and ends at 30 s; a real kubelet goes from 10 s to 300 s, a real Job from 10 s to 600 s
    (``include/config`` of the caller may ask for those).
    """

    state_dir: Path
    images_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    service_range: str = "127.96.0.0/16"
    """Loopback addresses of services; a server takes one that no other stand-in on the machine has."""
    node_name: str = "standin-node"
    crash_backoff_initial: float = 1.0
    crash_backoff_max: float = 30.0
    image_backoff_initial: float = 2.0
    image_backoff_max: float = 30.0
    job_backoff_initial: float = 1.0
    job_backoff_max: float = 30.0
    default_grace_period: int = 30
    proxy_delay: float = 0.1
    """From a change of a pod to the rules of kube-proxy that follow it, when nothing else has changed of late."""
    proxy_min_sync: float = 1.0
    """Rules are rewritten at most this often (kube-proxy's ``iptables.minSyncPeriod``); changes wait till then."""
    allocatable_cpu: str = "8"
    allocatable_memory: str = "16Gi"
    allocatable_pods: int = 250
    watch_history: int = 20_000
    event_ttl: float = 3600.0
    mount_namespaces: str = "auto"
    """``auto``, ``always`` or ``never``: whether containers get mount namespaces (``never`` maps path prefixes)."""
