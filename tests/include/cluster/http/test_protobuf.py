"""Kubernetes' protobuf form: what is read, and that nothing is dropped."""

from __future__ import annotations

import pytest

from include.cluster.errors import ApiError
from include.cluster.http import protobuf


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def _object(kind: str, content: bytes) -> bytes:
    names = _field(1, b"v1") + _field(2, kind.encode())
    return b"k8s\x00" + _field(1, names) + _field(2, content)


def test_numbers_ports_and_quantities() -> None:
    port = _field(1, b"") + bytes([3 << 3, 80]) + _field(4, bytes([8, 1, 16, 0]) + _field(3, b"http"))
    service = protobuf.decode(_object("Service", _field(2, _field(1, port))))
    assert service["spec"] == {"ports": [{"port": 80, "targetPort": "http"}]}
    hard = _field(1, _field(1, b"pods") + _field(2, _field(1, b"3")))
    assert protobuf.decode(_object("ResourceQuota", _field(2, hard)))["spec"] == {"hard": {"pods": "3"}}
    none = bytes([1 << 3, 0])
    assert protobuf.decode(_object("Deployment", _field(2, none)))["spec"] == {"replicas": 0}


def test_a_field_that_is_not_known_is_refused_unless_it_is_empty() -> None:
    assert protobuf.decode(_object("Namespace", _field(9, b"")))["kind"] == "Namespace"
    with pytest.raises(
        ApiError, match=r"does not read field 9 of Namespace as protobuf: send application/json"
    ):
        protobuf.decode(_object("Namespace", _field(9, b"x")))
    with pytest.raises(ApiError, match="does not read Pod as protobuf"):
        protobuf.decode(_object("Pod", b""))


def test_a_broken_body_is_a_bad_request() -> None:
    for body in (b"{}", b"k8s\x00\x0a\xff", _object("Namespace", b"\x0a\x05a")):
        with pytest.raises(ApiError) as refused:
            protobuf.decode(body)
        assert refused.value.code == 400
