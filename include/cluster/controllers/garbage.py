"""The garbage collector: what is owned goes when its owners have gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from include.cluster.controllers import owners
from include.cluster.controllers.base import Controller, Key
from include.cluster.errors import ApiError
from include.cluster.registry.options import DeleteOptions
from include.cluster.resources import BY_KIND, RESOURCES
from include.cluster.store import Change

Object = dict[str, Any]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class GarbageCollector(Controller):
    """Deletes dependents (background), waits for them (foreground), or sets them free (orphan).

    Its keys are ``(plural, "namespace/name")``.
    """

    name = "garbage-collector"

    def initial(self) -> Iterable[Key]:
        """Everything that has an owner or is held by one of the collector's finalizers."""
        for plural in RESOURCES:
            for obj in self.registry.list(plural):
                if obj["metadata"].get("ownerReferences") or _held(obj):
                    yield _key(plural, obj)

    def observe(self, change: Change) -> None:
        """New owner references, the end of an owner or of a dependent, deletions that wait."""
        obj, old = change.object, change.old
        meta = obj["metadata"]
        if change.type == "DELETED":
            self._dependents(meta["uid"])
            self._owners(obj)
            return
        references = meta.get("ownerReferences")
        if references and (old is None or old["metadata"].get("ownerReferences") != references):
            self.enqueue(_key(change.key[0], obj))
        if old is not None and old["metadata"].get("ownerReferences") != references:
            self._owners(old)
        if meta.get("deletionTimestamp") and (old is None or old["metadata"] != meta) and _held(obj):
            self.enqueue(_key(change.key[0], obj))
            self._dependents(meta["uid"])

    def _dependents(self, uid: str) -> None:
        for plural, namespace, name in self.index.dependents(uid):
            self.enqueue((plural, f"{namespace}/{name}"))

    def _owners(self, obj: Object) -> None:
        for reference in obj["metadata"].get("ownerReferences") or []:
            found = self.index.key(reference["uid"])
            if found is not None:
                self.enqueue((found[0], f"{found[1]}/{found[2]}"))

    async def reconcile(self, key: Key) -> float | None:
        """Looks at one object: as an owner on its way out, or as a dependent whose owners may have gone."""
        plural, (namespace, _, name) = key[0], key[1].partition("/")
        obj = self.registry.find(plural, namespace, name)
        if obj is None:
            return None
        meta = obj["metadata"]
        if meta.get("deletionTimestamp"):
            finalizers = meta.get("finalizers") or []
            if ORPHAN in finalizers:
                self._set_free(plural, obj)
            elif FOREGROUND in finalizers:
                self._end_dependents(plural, obj)
            return None
        if meta.get("ownerReferences"):
            self._collect(plural, obj)
        return None

    def _collect(self, plural: str, obj: Object) -> None:
        meta = obj["metadata"]
        solid, waiting, gone = [], [], []
        for reference in meta["ownerReferences"]:
            if BY_KIND.get(reference["kind"]) is None:
                # Nothing is known of kinds that are not served here; their word is taken.
                solid.append(reference)
                continue
            owner = self._object(reference["uid"])
            if owner is None:
                gone.append(reference)
            elif _ends_in_foreground(owner) and reference.get("blockOwnerDeletion"):
                waiting.append(reference)
            else:
                solid.append(reference)
        if solid:
            for reference in [*gone, *waiting]:
                owners.release(self, plural, obj, reference["uid"])
            return
        propagation = "Background"
        finalizers = meta.get("finalizers") or []
        if ORPHAN in finalizers:
            propagation = "Orphan"
        elif FOREGROUND in finalizers or (waiting and self.index.dependents(meta["uid"])):
            propagation = "Foreground"
        self._delete(plural, obj, propagation)

    def _end_dependents(self, plural: str, owner: Object) -> None:
        """Removes the finalizer when no dependent holds the owner back; else has them deleted."""
        blocking = False
        for key in self.index.dependents(owner["metadata"]["uid"]):
            dependent = self.registry.store.get(*key)
            if dependent is None:
                continue
            reference = next(
                one
                for one in dependent["metadata"]["ownerReferences"]
                if one["uid"] == owner["metadata"]["uid"]
            )
            blocking = blocking or bool(reference.get("blockOwnerDeletion"))
            if not dependent["metadata"].get("deletionTimestamp"):
                self.enqueue(_key(key[0], dependent))
        if not blocking:
            self._drop_finalizer(plural, owner, FOREGROUND)

    def _set_free(self, plural: str, owner: Object) -> None:
        for key in self.index.dependents(owner["metadata"]["uid"]):
            dependent = self.registry.store.get(*key)
            if dependent is not None:
                owners.release(self, key[0], dependent, owner["metadata"]["uid"])
        self._drop_finalizer(plural, owner, ORPHAN)

    def _drop_finalizer(self, plural: str, obj: Object, finalizer: str) -> None:
        def change(new: Object) -> None:
            rest = [entry for entry in new["metadata"].get("finalizers") or [] if entry != finalizer]
            if rest:
                new["metadata"]["finalizers"] = rest
            else:
                new["metadata"].pop("finalizers", None)

        meta = obj["metadata"]
        self.registry.edit(plural, meta.get("namespace", ""), meta["name"], change, manager=self.name)

    def _delete(self, plural: str, obj: Object, propagation: str) -> None:
        meta = obj["metadata"]
        options = DeleteOptions(propagation, uid=meta["uid"])
        try:
            self.registry.delete(plural, meta.get("namespace", ""), meta["name"], options)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    def _object(self, uid: str) -> Object | None:
        key = self.index.key(uid)
        return self.registry.store.get(*key) if key else None


def _key(plural: str, obj: Object) -> Key:
    return plural, f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


def _held(obj: Object) -> bool:
    return bool({FOREGROUND, ORPHAN} & set(obj["metadata"].get("finalizers") or []))


def _ends_in_foreground(owner: Object) -> bool:
    meta = owner["metadata"]
    return bool(meta.get("deletionTimestamp")) and FOREGROUND in (meta.get("finalizers") or [])
