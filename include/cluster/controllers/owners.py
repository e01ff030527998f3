"""Owner references: reading them, making them, adopting and releasing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cluster.errors import ApiError
from include.cluster.rules import selectors

if TYPE_CHECKING:
    from include.cluster.controllers.base import Controller

Object = dict[str, Any]


def controller_of(obj: Object) -> Object | None:
    """The owner reference of the controller that manages the object, if any."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return dict(reference)
    return None


def controller_reference(owner: Object) -> Object:
    """The owner reference that makes ``owner`` the controller of an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def selects(owner: Object, labels: dict[str, str] | None) -> bool:
    """Whether the owner's selector is there, is not empty, and matches the labels."""
    selector = owner["spec"].get("selector")
    return bool(selector) and selectors.from_object(selector).matches(labels or {})


def claim(controller: Controller, owner: Object, plural: str) -> list[Object]:
    """The objects that ``owner`` controls, after adopting orphans that match and releasing what no longer does.

    Args:
        controller: for its registry, its index and the name it writes under.
        owner: the deployment, replicaset or job.
        plural: the kind of the dependents.
    """
    namespace, uid = owner["metadata"]["namespace"], owner["metadata"]["uid"]
    dying = bool(owner["metadata"].get("deletionTimestamp"))
    claimed: list[Object] = []
    for obj in controller.index.controlled(plural, uid):
        if selects(owner, obj["metadata"].get("labels")):
            claimed.append(obj)
        elif not dying:
            _rewrite(controller, plural, obj, lambda references: _without(references, uid))
    if dying:
        return claimed
    for obj in controller.index.orphans(plural, namespace):
        if obj["metadata"].get("deletionTimestamp") or not selects(owner, obj["metadata"].get("labels")):
            continue
        reference = controller_reference(owner)
        # The owner may be there already as a plain owner; it becomes the controller then.
        adopted = _rewrite(
            controller,
            plural,
            obj,
            lambda references, ref=reference: [*_without(references, ref["uid"]), ref],
        )
        if adopted is not None:
            claimed.append(adopted)
    return claimed


def release(controller: Controller, plural: str, obj: Object, uid: str) -> Object | None:
    """Takes the owner with this uid off an object. Returns the object, or None when it is gone."""
    return _rewrite(controller, plural, obj, lambda references: _without(references, uid))


def _without(references: list[Object], uid: str) -> list[Object]:
    return [reference for reference in references if reference["uid"] != uid]


def _rewrite(controller: Controller, plural: str, obj: Object, rewrite: Any) -> Object | None:
    meta = obj["metadata"]

    def change(new: Object) -> None:
        references = rewrite(list(new["metadata"].get("ownerReferences") or []))
        if references:
            new["metadata"]["ownerReferences"] = references
        else:
            new["metadata"].pop("ownerReferences", None)

    try:
        return controller.registry.edit(
            plural, meta.get("namespace", ""), meta["name"], change, manager=controller.name
        )
    except ApiError as error:
        if error.code == 404:
            return None
        raise
