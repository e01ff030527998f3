"""Batches on a running cluster: started, judged as they log, stopped, restarted, gone on with, and never two at once."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import pytest

from include.orders import following
from include.orders.facts import CodeCount, Failing, Kept
from include.orders.job import NoProcessorError
from include.orders.ran import ended_of
from include.orders.running import remove_old
from include.release.batches import held_by, hold_batches
from include.release.frozen import NOTE_RUN
from include.release.lock import Holder, Lock, RunFate
from include.release.pressed import NOTE_PRESSED
from tests.include.orders.running import BAD, GOOD, HEAD, NOON, Course, wait_for


@pytest.fixture
def course(cluster, namespace) -> Course:
    return Course(cluster.connect(), namespace)


def steps(done: list[Any]) -> list[tuple[str, str, str]]:
    return [(each.ended.end.end, each.ended.judgement.verdict, each.decision.next) for each in done]


def test_a_batch_is_the_live_processor_once_and_bounded(course):
    course.deploy(GOOD)
    (ran,) = course.run()
    assert (ran.release, ran.limit, ran.ended.judgement.processed) == ("release-2", 880, 1)
    assert steps([ran]) == [("complete", "clean", "done")]
    (job,) = course.jobs()
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"][3:] == ["--once", "--limit", "880"]
    assert container["resources"] == {"requests": {"cpu": "10m", "memory": "16Mi"}}
    assert {"name": "ORDER_MAX_ATTEMPTS", "value": "6"} in container["env"]
    assert {"name": "ORDER_STOP_AFTER", "value": "5"} in container["env"]
    assert not {"ports", "readinessProbe"} & container.keys()
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 3300)
    assert "app" not in job["spec"]["template"]["metadata"]["labels"]  # no pod of the Deployment
    assert "    Order Processed" in course.said


def test_nothing_is_started_when_no_order_waits(course):
    course.deploy(GOOD)
    course.waiting = [0]
    assert course.run() == []
    assert course.jobs() == []
    assert course.said == ["No order waits: no batch is started"]


def test_an_error_that_hits_everything_stops_the_batch_restarts_it_once_and_is_handed_over(course):
    course.deploy(BAD)
    course.waiting = [8]
    done = course.run()
    assert steps(done) == [("stopped", "systemic", "restart"), ("stopped", "systemic", "hand_over")]
    first, second = done
    assert first.ended.end.seconds < 30  # it would have slept for a minute
    assert first.decision.text.endswith("It is restarted: it picks up where it left off.")
    assert "A restart did not help" in second.decision.text
    assert second.ended.judgement.error("12").orders[:5] == (1, 2, 3, 4, 5)
    kept = {each["metadata"]["name"]: ended_of(each) for each in course.jobs()}
    assert kept[first.job].end.end == "stopped"
    assert course.client.list("Pod", course.namespace) == []


def test_what_the_database_knows_better_stops_no_batch(course):
    course.deploy(BAD.replace("time.sleep(60)", "say('Order Processed', 'All Orders processed.')"))
    course.kept = Kept(
        since=NOON, failing=(Failing(order=4, code="12"),), codes=(CodeCount(code="12", orders=1),)
    )
    (ran,) = course.run()
    assert (ran.ended.end.end, ran.ended.judgement.verdict) == ("complete", "poison")
    assert "The log looks as if everything fails; the database says it does not. Going on" in course.said


def test_what_was_handed_over_is_not_restarted_again_by_the_next_run(course):
    course.deploy(BAD)
    course.waiting = [8]
    done = course.run(handed_over=frozenset({"12"}))
    assert steps(done) == [("stopped", "systemic", "hand_over")]


def test_orders_that_are_left_over_start_the_next_batch_at_once_a_bounded_number_of_times(course):
    course.deploy(GOOD)
    course.waiting = [900]
    done = course.run()
    assert [each.decision.next for each in done] == ["again", "again", "done"]
    assert done[-1].decision.too_much
    assert len(course.jobs()) == 3


def test_no_batch_is_started_right_before_the_next_run(course):
    course.deploy(GOOD)
    course.waiting = [900]
    (ran,) = course.run(now=lambda: NOON.replace(minute=56))
    assert ran.decision.next == "done"
    assert ran.decision.text.endswith("It is left to the next run, which starts in 4 min.")


def test_a_retry_goes_on_with_the_batches_that_there_are_and_starts_none_twice(course):
    course.deploy(BAD)
    course.waiting = [8]
    first = course.run()
    names = sorted(each["metadata"]["name"] for each in course.jobs())
    course.said.clear()
    again = course.run()
    assert [each.job for each in again] == [each.job for each in first]
    assert steps(again) == steps(first)
    assert sorted(each["metadata"]["name"] for each in course.jobs()) == names
    assert sum("of an earlier try has ended: stopped" in each for each in course.said) == 2


def test_a_try_that_was_killed_while_the_batch_works_is_gone_on_with(course):
    code = (
        HEAD
        + "say('Processing Order 1', 'Order Processed'); time.sleep(2); say('Processing Order 2', 'Order Processed', 'All Orders processed.')"
    )
    course.deploy(code)

    class KilledError(BaseException):
        pass

    def dies(line: str) -> None:
        if "Order Processed" in line:
            raise KilledError

    with pytest.raises(KilledError):
        course.run(say=dies)
    (job,) = course.jobs()
    (ran,) = course.run()
    assert (ran.job, ran.ended.judgement.processed) == (job["metadata"]["name"], 2)


def test_a_job_that_was_made_and_never_started_is_started(course, monkeypatch):
    import include.orders.running as module

    course.deploy(GOOD)

    def dies(*_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "start_batch", dies)
        with pytest.raises(KeyboardInterrupt):
            course.run()
    (job,) = course.jobs()
    assert job["spec"]["suspend"]
    assert steps(course.run()) == [("complete", "clean", "done")]
    assert [each["metadata"]["uid"] for each in course.jobs()] == [job["metadata"]["uid"]]


def test_a_batch_of_a_run_that_was_ended_by_hand_is_gone_on_with(course):
    course.deploy(
        HEAD + "say('Processing Order 1'); time.sleep(2); say('Order Processed', 'All Orders processed.')"
    )
    other = Course(course.client, course.namespace)
    thread = threading.Thread(target=other.run, args=("order_processor/ended-by-hand/0",), daemon=True)
    thread.start()
    (job,) = wait_for(lambda: [each for each in course.jobs() if not each["spec"].get("suspend")])
    (ran,) = course.run()
    thread.join(20)
    assert ran.job == job["metadata"]["name"]
    assert (
        course.said[0]
        == f"Job {ran.job} of order_processor/ended-by-hand/0 still works: this run goes on with it"
    )
    assert [each["metadata"]["annotations"][NOTE_RUN] for each in course.jobs()] == [
        "order_processor/run-1/0"
    ]


def test_a_cleared_run_starts_a_batch_of_its_own(course):
    course.deploy(GOOD)
    course.run()
    course.waiting = [1, 0]
    course.run("order_processor/run-1/1")
    assert len(course.jobs()) == 2


def test_a_batch_gives_way_to_migrations_and_goes_on_afterwards(course):
    stay = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: (say('Order Processed'), os._exit(0)))\n"
    code = (
        HEAD + stay + "say('Processing Order 1'); time.sleep(60 if not os.path.exists('/proc/1/gone') else 0)"
    )
    course.deploy(code)
    course.waiting = [2]
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.extend(course.run()), daemon=True)
    thread.start()
    wait_for(lambda: any("Processing Order 1" in each for each in course.said))
    lock, holder = Lock(course.client, course.namespace, "shop"), Holder("release/run-9", "release")
    lock.take(holder, lambda _: course.holds)
    lock.require(holder, lambda _: course.holds, "migrate")
    said: list[str] = []
    (name,) = hold_batches(course.client, course.namespace, "shop", "release/run-9", said.append)
    assert course.client.list("Pod", course.namespace) == []  # no migration under a batch
    assert said[0].startswith(
        f"Order batch {name} of order_processor/run-1/0 gives way: it finishes the orders"
    )
    wait_for(lambda: any(each.startswith("Waiting, 30 min at most: release/run-9") for each in course.said))
    assert len(course.jobs()) == 1  # no batch under a migration
    course.deploy(GOOD)
    course.waiting = [2, 0]
    lock.reach(holder, "released")
    thread.join(30)
    assert steps(done) == [("stopped", "clean", "again"), ("complete", "clean", "done")]
    assert done[0].ended.end.reason.startswith("it gave way to release/run-9 at 20")
    assert done[0].ended.judgement.processed == 1  # the order in work was finished


def test_a_release_that_is_quicker_than_the_start_of_a_batch_holds_it(course):
    """It begins between the question whether a batch may start and the start: then it finds the suspended Job."""
    course.deploy(GOOD)
    course.waiting = [1, 1, 0]
    lock = Lock(course.client, course.namespace, "shop")
    before, release = Holder("release/run-8", "release"), Holder("release/run-9", "release")
    lock.take(before, lambda _: course.holds)
    lock.require(before, lambda _: course.holds, "deploy")
    held: list[str] = []

    def ask(_: Any) -> RunFate:
        if course.jobs() and not held:
            lock.reach(before, "released")
            lock.release(before)
            lock.take(release, lambda _: course.holds)
            lock.require(release, lambda _: course.holds, "migrate")
            held.extend(hold_batches(course.client, course.namespace, "shop", release.run, lambda _: None))
            lock.reach(release, "released")
        return RunFate("success", holds=False)

    done = course.run(ask=ask)
    assert len(held) == 1
    said = f"Job {held[0]} is not started: it gave way to release/run-9"
    assert any(each.startswith(said) for each in course.said)
    assert steps(done) == [("complete", "clean", "done")]


def test_a_release_that_takes_too_long_leaves_the_orders_to_the_next_run(course, monkeypatch):
    import include.orders.running as module

    monkeypatch.setattr(module, "WAITS_AT_MOST", 0.0)
    course.deploy(GOOD)
    lock, holder = (
        Lock(course.client, course.namespace, "shop"),
        Holder("release/run-9", "release", user="jane"),
    )
    lock.take(holder, lambda _: course.holds)
    lock.require(holder, lambda _: course.holds, "migrate")
    (ran,) = course.run()
    assert (ran.ended.how, ran.decision.next, ran.job) == ("waited", "done", "")
    assert "release/run-9 (release, asked for by jane, running) changes shop since" in ran.decision.text
    assert course.jobs() == []


def test_a_release_that_waits_for_its_approval_holds_up_no_batch(course):
    course.deploy(GOOD)
    Lock(course.client, course.namespace, "shop").take(
        Holder("release/run-9", "release"), lambda _: course.holds
    )
    assert steps(course.run()) == [("complete", "clean", "done")]


def test_a_processor_that_is_not_there_or_pressed_runs_no_batch(course):
    with pytest.raises(NoProcessorError, match=r"found: +absent"):
        course.run()
    course.deploy(GOOD, **{NOTE_PRESSED: "{}"})
    with pytest.raises(NoProcessorError, match="scaled to zero by the red button"):
        course.run()


def test_a_batch_that_cannot_start_says_why(course, monkeypatch):
    live = course.deploy(GOOD)
    image = live["spec"]["template"]["spec"]["containers"][0]["image"].split("@")[0]
    change = [
        {
            "op": "replace",
            "path": "/spec/template/spec/containers/0/image",
            "value": f"{image}@sha256:{'0' * 64}",
        }
    ]
    course.client.patch("Deployment", course.namespace, "order-processor", change)
    quick = functools.partial(following.Load, start_grace=0.5)
    monkeypatch.setattr(following, "Load", quick)
    (ran,) = course.run()
    assert (ran.ended.end.end, ran.decision.next, ran.decision.tell) == ("not started", "hand_over", "ops")
    assert "ImagePull" in ran.decision.text


def test_a_job_that_somebody_deletes_is_no_riddle(course):
    course.deploy(HEAD + "say('Processing Order 1', 'Order Processed'); time.sleep(60)")
    thread_done: list[Any] = []
    thread = threading.Thread(target=lambda: thread_done.extend(course.run()), daemon=True)
    thread.start()
    wait_for(lambda: any("Order Processed" in each for each in course.said))
    course.client.delete("Job", course.namespace, course.jobs()[0]["metadata"]["name"])
    thread.join(30)
    (ran,) = thread_done
    assert (ran.ended.end.end, ran.ended.end.reason) == ("stopped", "somebody deleted its Job")
    assert ran.ended.end.by_hand
    assert ran.ended.judgement.processed == 1


def test_a_batch_that_logs_nothing_hangs_and_is_stopped(course, monkeypatch):
    from include.orders.config import Orders

    course.deploy(HEAD + "say('Processing Order 1'); time.sleep(60)")
    found = course.world().orders
    errors = found.errors.model_copy(update={"silent_minutes": 0.02, "restarts": 0})
    (ran,) = course.run(orders=Orders.model_copy(found, update={"errors": errors}))
    assert (ran.ended.end.end, ran.ended.judgement.verdict) == ("stopped", "broken")
    assert "the batch hangs" in ran.decision.text


def test_a_password_that_the_processor_logs_is_not_repeated(course):
    course.deploy(HEAD + "say('cannot reach postgresql://shop:geheim@db/shop', 'All Orders processed.')")
    course.run()
    assert any("postgresql://shop:***@db/shop" in each for each in course.said)
    assert not any("geheim" in each for each in course.said)


def test_a_batch_that_stopped_itself_is_not_waited_for(course):
    stopped = "order processor: stopped: error #31 on 10 different orders and none processed since 2026-11-20"
    course.deploy(HEAD + f"say('Processing Order 1', '2026-11-20T10:00:00.000Z {stopped}'); sys.exit(4)")
    began = time.monotonic()
    (ran,) = course.run()
    assert ran.decision.next == "hand_over"
    assert time.monotonic() - began < 30
    assert not any("its node may be lost" in each for each in course.said)


def test_a_batch_that_dies_is_restarted_and_picks_up(course):
    course.deploy(HEAD + "say('Processing Order 1', 'Order Processed'); os._exit(137)")
    course.waiting = [1]
    done = course.run()
    assert [each.ended.end.end for each in done] == ["failed", "failed"]
    assert [each.decision.next for each in done] == ["restart", "hand_over"]
    assert "exit code 137" in done[0].decision.text


def test_jobs_that_were_stopped_long_ago_are_removed(course):
    course.deploy(BAD)
    course.waiting = [8]
    done = course.run()
    world = course.world()
    assert remove_old(course.client, course.namespace, world.orders, 1) == [done[0].job]
    assert [each["metadata"]["name"] for each in course.jobs()] == [done[1].job]
    assert held_by(course.jobs()[0]) == ""


def test_a_dry_run_shows_the_job_and_makes_none(course):
    from include.orders.running import Batches

    course.deploy(GOOD)
    text = Batches(course.world()).preview()
    assert "--once --limit 880" in text
    assert "requests cpu 10m, memory 16Mi, 3300 s at most" in text
    assert course.jobs() == []


def test_a_log_that_never_ends_is_ended_by_the_time_of_the_batch(course, monkeypatch):
    import include.orders.running as module
    from include.orders.sizing import Batch

    monkeypatch.setattr(module, "size_batch", lambda *_: Batch(4, 3, 0, "4 orders in 3 s"))
    course.deploy(HEAD + "while True: say('noise')")
    (ran,) = course.run()
    assert (ran.ended.end.end, ran.ended.judgement.verdict) == ("timeout", "clean")
    assert ran.ended.judgement.lines > 2000
    assert sum("noise" in each for each in course.said) < 2001 + ran.ended.judgement.lines / 500


def test_garbage_and_a_line_of_ten_megabytes_are_named_and_harm_nothing(course):
    garbage = "sys.stdout.buffer.write(bytes(range(256)) * 40 + b'\\n' + b'x' * 10_000_000 + b'\\n'); sys.stdout.flush()\n"
    course.deploy(HEAD + garbage + "say('Processing Order 1', 'Order Processed', 'All Orders processed.')")
    (ran,) = course.run()
    assert (ran.ended.end.end, ran.ended.judgement.processed) == ("complete", 1)
    assert any("cut" in each for each in ran.ended.judgement.odd)
    assert any("no text" in each for each in ran.ended.judgement.odd)
    assert max(map(len, course.said)) < 1000
