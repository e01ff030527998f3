"""Reads and writes of all kinds, with the rules that hold for each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from include.cluster.errors import already_exists, conflict, not_found
from include.cluster.registry import admission, deletion, events, pipeline
from include.cluster.registry.clock import now, stamp
from include.cluster.registry.names import generate_name
from include.cluster.registry.options import DeleteOptions, WriteOptions
from include.cluster.resources import RESOURCES, Resource
from include.cluster.settings import Settings
from include.cluster.store import Store

Object = dict[str, Any]

_MISMATCH = "the object has been modified; please apply your changes to the latest version and try again"


class Selector(Protocol):
    """Whatever tells labels that match from those that do not."""

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether the labels are selected."""


class Registry:
    """All objects of one stand-in, read and written by the rules of Kubernetes.

    Calls are synchronous and run on the event loop's thread, so that reading and writing without an ``await``
    in between is atomic. Objects handed out are shared: copy before changing, or use :meth:`edit`.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.recent_events: dict[tuple[Any, ...], str] = {}

    # -- reading ---------------------------------------------------------------------------------------------

    def find(self, plural: str, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self.store.get(plural, namespace if RESOURCES[plural].namespaced else "", name)

    def get(self, plural: str, namespace: str, name: str) -> Object:
        """The object.

        Raises:
            ApiError: 404 when there is none.
        """
        found = self.find(plural, namespace, name)
        if found is None:
            raise not_found(plural, RESOURCES[plural].group, name)
        return found

    def list(
        self, plural: str, namespace: str | None = None, selector: Selector | None = None
    ) -> list[Object]:
        """The objects of a kind, of one namespace or (``None``) of all, ordered by namespace and name."""
        objects = self.store.list(plural, namespace or None)
        if selector is None:
            return objects
        return [obj for obj in objects if selector.matches(obj["metadata"].get("labels") or {})]

    # -- writing ---------------------------------------------------------------------------------------------

    def create(self, plural: str, namespace: str, obj: Object, options: WriteOptions | None = None) -> Object:
        """Stores a new object. ``obj`` is copied; its kind, version and namespace may be left out.

        Raises:
            ApiError: it is refused; the text and causes are those of Kubernetes.
        """
        options = options or WriteOptions(trusted=True)
        resource = RESOURCES[plural]
        obj = pipeline.typed(resource, obj)
        meta = obj["metadata"]
        if resource.namespaced:
            meta["namespace"] = namespace
        else:
            meta.pop("namespace", None)
        if meta.get("generateName") and not meta.get("name"):
            meta["name"] = generate_name(meta["generateName"])
        name = str(meta.get("name") or "")
        for field in (
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "managedFields",
        ):
            meta.pop(field, None)
        meta["uid"] = str(uuid.uuid4())
        meta["creationTimestamp"] = stamp()
        admission.namespace_open(self, resource, namespace, name)
        pipeline.read_create(resource, obj)
        # Whose fields they are is settled before the cluster adds its own: those belong to nobody.
        pipeline.track(resource, None, obj, options, now())
        pipeline.prepare_create(resource, obj)
        admission.complete(self, resource, obj)
        pipeline.check_create(resource, obj, options)
        if self.store.get(plural, meta.get("namespace", ""), name) is not None:
            raise already_exists(plural, resource.group, name)
        admission.allow(self, resource, obj)
        if options.dry_run:
            return obj
        return self.store.put(plural, obj, expect="")

    def replace(
        self, plural: str, namespace: str, name: str, obj: Object, options: WriteOptions | None = None
    ) -> Object:
        """Writes an object whole. With a resourceVersion in it, only over exactly that version.

        Raises:
            ApiError: 404, 409 or whatever the kind's rules say.
        """
        options = options or WriteOptions(trusted=True)
        resource = RESOURCES[plural]
        old = self.get(plural, namespace, name)
        obj = pipeline.typed(resource, obj)
        obj["metadata"].setdefault("name", name)
        if resource.namespaced:
            obj["metadata"]["namespace"] = old["metadata"]["namespace"]
        return self._write(resource, old, obj, options)

    def patch(
        self,
        plural: str,
        namespace: str,
        name: str,
        content_type: str,
        body: Any,
        options: WriteOptions | None = None,
    ) -> Object:
        """Changes an object by a JSON, merge or strategic merge patch, or applies one server-side.

        Args:
            plural: the kind.
            namespace: its namespace, empty for kinds without.
            name: its name.
            content_type: the patch's media type.
            body: the parsed patch.
            options: who writes, and how.

        Raises:
            ApiError: 404, 409, 415, 422 or whatever the kind's rules say.
        """
        options = options or WriteOptions(trusted=True)
        resource = RESOURCES[plural]
        if content_type == pipeline.APPLY:
            return self._apply(resource, namespace, name, body, options)
        old = self.get(plural, namespace, name)
        new = pipeline.patched(resource, old, content_type, body, options)
        return self._write(resource, old, new, options)

    def edit(
        self,
        plural: str,
        namespace: str,
        name: str,
        change: Callable[[Object], None],
        *,
        manager: str,
        subresource: str = "",
    ) -> Object:
        """Copies an object, lets ``change`` alter the copy in place, and stores it if it differs.

        For the cluster's own parts, whose writes are trusted: no validation.

        Raises:
            ApiError: 404 when the object is gone.
        """
        old = self.get(plural, namespace, name)
        new: Object = json.loads(json.dumps(old))
        change(new)
        if new == old:
            return old
        options = WriteOptions(manager=manager, subresource=subresource, trusted=True)
        return self._write(RESOURCES[plural], old, new, options)

    # -- deleting --------------------------------------------------------------------------------------------

    def delete(self, plural: str, namespace: str, name: str, options: DeleteOptions | None = None) -> Object:
        """Begins or completes the deletion of an object.

        Returns:
            The object while it is on its way out (and for kinds that answer with themselves), else a Status.

        Raises:
            ApiError: 404, or 409 when a precondition does not hold.
        """
        return deletion.delete(self, RESOURCES[plural], namespace, name, options or DeleteOptions())

    def remove_now(self, plural: str, namespace: str, name: str, uid: str) -> None:
        """Ends an object without grace if it still is the one with this uid: the node's last word about a pod.

        Finalizers still hold it back, as they do on Kubernetes.
        """
        found = self.find(plural, namespace, name)
        if found is not None and found["metadata"]["uid"] == uid:
            # A pod's finalizers are settled by the delete that came first.
            propagation = "" if plural == "pods" else "Background"
            deletion.delete(self, RESOURCES[plural], namespace, name, DeleteOptions(propagation, grace=0))

    # -- events ----------------------------------------------------------------------------------------------

    def event(
        self,
        involved: Object,
        type: str,
        reason: str,
        message: str,
        *,
        component: str,
        host: str = "",
        field_path: str = "",
        action: str = "",
    ) -> None:
        """Writes an Event about an object, or counts up the one that says the same.

        Args:
            involved: the object it is about, with kind and apiVersion.
            type: ``Normal`` or ``Warning``.
            reason: one word.
            message: a sentence.
            component: who says it.
            host: the node, for the node's events.
            field_path: ``spec.containers{name}`` for a container's.
            action: set by the scheduler, whose events carry eventTime instead of a count.
        """
        events.record(
            self,
            involved,
            type,
            reason,
            message,
            component=component,
            host=host,
            field_path=field_path,
            action=action,
        )

    # -- inside ----------------------------------------------------------------------------------------------

    def _write(self, resource: Resource, old: Object, new: Object, options: WriteOptions) -> Object:
        name, before = old["metadata"]["name"], old["metadata"]
        meta = new["metadata"]
        if meta.get("uid") not in (None, "", before["uid"]):
            key = "/".join(part for part in (resource.plural, before.get("namespace"), name) if part)
            why = (
                f"StorageError: invalid object, Code: 4, Key: /registry/{key}, ResourceVersion: 0, AdditionalErrorMsg: "
                f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {before['uid']}"
            )
            raise conflict(resource.plural, resource.group, name, why)
        if meta.get("resourceVersion") not in (None, "", before["resourceVersion"]):
            raise conflict(resource.plural, resource.group, name, _MISMATCH)
        meta["resourceVersion"] = before["resourceVersion"]
        pipeline.prepare_update(resource, new, old, options)
        pipeline.check_update(resource, new, old, options)
        admission.allow_update(self, resource, new)
        pipeline.track(resource, old, new, options, now())
        if pipeline.same(old, new):
            return old
        if deletion.completes(resource, new):
            if not options.dry_run:
                self.store.remove(resource.plural, before.get("namespace", ""), name)
            return new
        if options.dry_run:
            return new
        return self.store.put(resource.plural, new, expect=before["resourceVersion"])

    def _apply(
        self, resource: Resource, namespace: str, name: str, body: Any, options: WriteOptions
    ) -> Object:
        live = self.find(resource.plural, namespace, name)
        pipeline.named(resource, namespace, name, body)
        merged = pipeline.apply(resource, live, body, options, now())
        merged["metadata"].setdefault("name", name)
        fields = merged["metadata"].get("managedFields")
        if live is None:
            return self.create(resource.plural, namespace, merged, pipeline.owned(options, fields))
        return self._write(resource, live, merged, pipeline.owned(options, fields))
