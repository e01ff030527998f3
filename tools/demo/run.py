"""The demo from start to end: cluster and Airflow up, both releases to both environments, a report; until Ctrl-C."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from types import FrameType

import requests
from rich.console import Console

from include.release.kube import Cluster
from tools.demo import airflow as components
from tools.demo import cluster as stand_in
from tools.demo import options as settings
from tools.demo import ports, progress, report, state
from tools.demo.api import Airflow
from tools.demo.options import STEPS, DemoError, Options
from tools.demo.processes import Supervisor
from tools.demo.questions import Approver
from tools.demo.tied import PR_SET_PDEATHSIG

SECOND_USER = "admin"
"""Who triggered a release may not approve it in production."""


class Stopped(BaseException):
    """A signal asked the demo to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def _on_signal(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # one is enough: what follows ends in bounded time
    raise Stopped(number)


def _end_with_make() -> None:
    """When make started this and is killed with -9, end too; make passes the other signals on by itself."""
    if "MAKELEVEL" in os.environ:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Demo:
    """One run of the demo."""

    def __init__(self, options: Options, console: Console) -> None:
        self.options, self.console = options, console
        self.supervisor = Supervisor(options.home, self.say)
        self.begun = time.time()

    def say(self, text: str) -> None:
        """One line of what is going on, with the seconds since the start."""
        self.console.print(f"[{time.time() - self.begun:5.1f} s] {text}", highlight=False, markup=False)

    def run(self) -> None:
        """Everything but the clean-up.

        Raises:
            DemoError: something failed; the text is for the user.
        """
        options = self.options
        left = state.prepare(options)
        state.keep_temporary_files(options)
        if left:
            self.say(f"ended {left} processes that an interrupted demo had left")
        self.supervisor.guard()
        made = state.keys(options.home)
        port, why = ports.choose(options.port)
        if why:
            self.say(why)
        environment = components.settings(options, port, made)
        self.say("starting the embedded cluster and Airflow")
        process = stand_in.begin(options, self.supervisor)
        components.make_database(options, self.supervisor, environment)
        components.start(options, self.supervisor, environment, made)
        stand_in.build_images(options, self.supervisor)
        kubeconfig = stand_in.wait_ready(process, self.supervisor)
        cluster = stand_in.connect(kubeconfig)
        stand_in.set_up(cluster, self.supervisor.check)
        stand_in.link_shop_data(cluster, options.cluster_dir, options.shop_data)
        self.say("the cluster has the shop's storage and its database as it was before release 1")
        airflow = Airflow(f"http://127.0.0.1:{port}", "oncall", made["oncall"])
        components.wait_healthy(airflow.base, self.supervisor)
        airflow.login()
        self.say(f"Airflow is healthy: {airflow.base}")
        airflow.wait_for_dag(self.supervisor.check)
        try:
            self.release(airflow, cluster, self.approver(airflow, made))
        except requests.RequestException as error:
            raise DemoError(f"Airflow's API does not answer as expected: {error}") from error
        finally:
            if not options.once:
                report.print_access(self.console, options, airflow, made)
        if not options.once:
            self.say("up until Ctrl-C")
            self.stay()

    def release(self, airflow: Airflow, cluster: Cluster, approver: Approver) -> None:
        """Each release to one environment after the other, then the report."""
        done = []
        for step in STEPS:
            before = stand_in.snapshot(cluster, step.namespace)
            run_id, state = progress.begin(airflow, step)
            if state:
                self.say(f"{step.title} has a run of an earlier demo ({state}), going on with it")
                if waits := progress.interrupted(airflow.tasks(run_id), components.heartbeat_timeout()):
                    self.say(waits)
            title = f"{step.title} (run {run_id})"
            tasks = progress.follow(airflow, run_id, title, self.console, self.supervisor.check, approver)
            after = stand_in.snapshot(cluster, step.namespace)
            done.append(report.Done(step, run_id, tasks, before, after))
            self.say(f"{step.title} is out")
        report.print_all(self.console, self.options, airflow, done)

    def approver(self, airflow: Airflow, made: dict[str, str]) -> Approver:
        """Who answers what the runs ask: a second user, or whoever sits before the screen."""
        second = Airflow(airflow.base, SECOND_USER, made[SECOND_USER])
        second.login()
        login = f"{SECOND_USER}, password {made[SECOND_USER]}" if self.options.approve_by_hand else ""
        return Approver(
            second, self.console, by_hand=login, reason="demo: plan, differences and verdict read"
        )

    def stay(self) -> None:
        """Keep the processes up until a signal comes."""
        while True:
            self.supervisor.check()
            time.sleep(1)


def _quietly_ended(stopped: Stopped) -> int:
    return 0 if stopped.number == signal.SIGINT else 128 + stopped.number


def main() -> int:
    """Run the demo; 0 when both releases went out (or Ctrl-C ended it), else 1 or 128 + the signal."""
    console = Console(width=None if sys.stdout.isatty() else 140, soft_wrap=False)
    errors = Console(stderr=True, soft_wrap=True)
    if not sys.platform.startswith("linux"):
        errors.print("error: the demo runs on Linux only; elsewhere use docker compose up (see README.md)")
        return 1
    _end_with_make()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, _on_signal)
    with contextlib.ExitStack() as stack:
        try:
            options = settings.read(os.environ)
            stack.enter_context(state.only_one(options.home))
        except DemoError as error:
            errors.print(f"error: {error}", markup=False, highlight=False)
            return 1
        demo = Demo(options, console)
        try:
            demo.run()
            status = 0
        except Stopped as stopped:
            demo.say(f"{stopped}: ending")
            status = _quietly_ended(stopped)
        except DemoError as error:
            errors.print(f"error: {error}", markup=False, highlight=False)
            status = 1
        except OSError as error:
            errors.print(f"error: {error}", markup=False, highlight=False)
            status = 1
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            demo.supervisor.stop_all()
        demo.say("everything that was started has ended")
    return status
