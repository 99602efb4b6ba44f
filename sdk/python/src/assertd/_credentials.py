# SPDX-License-Identifier: Apache-2.0
"""The answers of AWS STS, and of other servers with its API, of which some know
only XML."""

from __future__ import annotations

import datetime
import xml.etree.ElementTree as ElementTree
from typing import Any

_DEPTH = 8  # of the elements in an answer


def from_xml(body: bytes) -> dict[str, Any] | None:
    """Return an answer in XML as the JSON that AWS sends, or None if it is not XML."""
    if b"<!DOCTYPE" in body:  # these answers have none, and it can be a trap
        return None
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return None
    return {_name(root): _members(root, _DEPTH)}


def credentials(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the credentials in an answer, or None if it has none."""
    found = _descend(document, "AssumeRoleWithWebIdentityResponse", "AssumeRoleWithWebIdentityResult", "Credentials")
    return found if found.get("AccessKeyId") else None


def expiration(found: dict[str, Any]) -> float | None:
    """Return when credentials expire, in seconds since the Unix epoch. It is a
    number in JSON and text in XML."""
    value = found.get("Expiration")
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return datetime.datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return None


def _descend(document: Any, *names: str) -> dict[str, Any]:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _members(element: ElementTree.Element, depth: int) -> dict[str, Any] | str:
    if len(element) == 0 or depth == 0:
        return (element.text or "").strip()
    return {_name(child): _members(child, depth - 1) for child in element}


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
