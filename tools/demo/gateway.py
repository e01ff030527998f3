"""``python -m tools.demo.gateway MODE``: break the demo's payment gateway, or put it right."""

from __future__ import annotations

import argparse
import os
import sys

from include.release.kube import KubeError
from tools.demo import options as settings
from tools.demo.cluster import UPCOMMERCE, connect
from tools.demo.options import DemoError

MODES = ("ok", "refuse", "reset", "timeout", "500", "tls")
CONTROL_PORT = 5011
NEXT = {
    "ok": "The gateway answers again. Pressed? Trigger the DAG swype_rearm, with a reason.",
    "500": "The gateway answers 500: no failure of the network, so swype stays up and payments wait.",
}
BROKEN = (
    "The gateway is broken ({mode}): swype cannot reach it and dies, again and again. After its fourth restart the DAG "
    "swype_guard scales it to zero: see Guards in Airflow's menu."
)


def main(argv: list[str] | None = None) -> int:
    """Set the gateway's mode; 1 after one line when there is no demo to do it in."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo.gateway", description=__doc__)
    parser.add_argument("mode", choices=MODES)
    mode = parser.parse_args(argv).mode
    try:
        kubeconfig = settings.of_running(os.environ).cluster_dir / "kubeconfig"
        reply = connect(kubeconfig).ask_service(
            UPCOMMERCE, "gateway-service", CONTROL_PORT, "/mode", method="POST", body={"mode": mode}
        )
    except (DemoError, KubeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if reply.status != 200:
        print(f"error: the gateway answered {reply.status}: {reply.text}", file=sys.stderr)
        return 1
    print(NEXT.get(mode, BROKEN.format(mode=mode)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
