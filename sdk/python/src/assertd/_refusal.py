# SPDX-License-Identifier: Apache-2.0
"""What a token endpoint says when it refuses, in whatever form: that of OAuth (RFC
6749 section 5.2), and those of AWS, Okta, Google, Salesforce, Vault, API gateways
and RFC 9457."""

from __future__ import annotations

import html
import re
import urllib.parse
from email.message import Message
from typing import Any, Iterable, Mapping

# Members of errors, in lower case, in order of preference.
_CODES = ("error", "errorcode", "error_code", "__type", "code", "faultcode", "reason", "status", "type")
_TEXTS = (
    "error_description", "errorsummary", "message", "errormessage", "error_message", "detail",
    "description", "faultstring", "diagnostics", "title", "msg", "text",
)  # fmt: skip
_PARENTS = ("error", "errors", "fault", "errorcauses", "detail", "details", "issue", "body", "reason")
_DEPTH = 8  # of the nesting that is searched
_LONGEST = 500  # characters of a server's text


def find(value: Any, depth: int = _DEPTH) -> tuple[str, str]:
    """Return the code and the text of an error, which are empty if it has none."""
    if depth == 0:
        return "", ""
    if isinstance(value, str):
        return "", value
    if isinstance(value, list):
        return _join(value, depth)
    if isinstance(value, Mapping):
        return _of_object(value, depth)
    return "", ""


def _join(values: Iterable[Any], depth: int) -> tuple[str, str]:
    code, texts = "", []
    for value in values:
        inner, text = find(value, depth - 1)
        code = code or inner
        if text and text not in texts:
            texts.append(text)
    return code, "; ".join(texts)


def _of_object(value: Mapping[str, Any], depth: int) -> tuple[str, str]:
    members = {name.lower(): member for name, member in value.items()}
    code, text = _first(members, _CODES), _first(members, _TEXTS)
    inner_code, inner = _join([members[name] for name in _PARENTS if isinstance(members.get(name), (Mapping, list))], depth)
    if inner and text and inner != text:
        text += f": {inner}"
    return code or inner_code, text or inner


def _first(members: Mapping[str, Any], names: Iterable[str]) -> str:
    for name in names:
        text = members.get(name)
        if isinstance(text, str) and text not in ("", "about:blank"):  # the latter says nothing (RFC 9457 section 4.2.1)
            return text
    return ""


def plain(media_type: str, body: bytes) -> tuple[str, str]:
    """Return code and text of a form or a plain text, which are empty if the body
    is neither. Some servers don't name the type of a text."""
    text = body.decode("utf-8", "replace").strip()
    if media_type == "application/x-www-form-urlencoded":
        return find(dict(urllib.parse.parse_qsl(text)))
    return "", text if media_type in ("", "text/plain") and text[:1] not in ("<", "{", "[") else ""


def challenge(headers: Message) -> tuple[str, str]:
    """Return code and text in WWW-Authenticate (RFC 6750 section 3), where some
    servers give their only reason."""
    text = ", ".join(headers.get_all("WWW-Authenticate", ()))
    found = {name.lower(): value for name, value in re.findall(r'(?i)(?:^|[\s,])(error|error_description)="([^"]*)"', text)}
    return found.get("error", ""), found.get("error_description", "")


def page_title(body: bytes) -> str:
    """Return the title of a web page, or an empty string."""
    found = re.search(r"<(?:title|h1)\b[^>]*>(.*?)</", body.decode("utf-8", "replace"), re.IGNORECASE | re.DOTALL)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def clean(text: str, secrets: Iterable[str]) -> str:
    """Return a server's text without the secrets that were in the request, which
    some servers quote, and without what a terminal would obey."""
    for secret in secrets:
        text = text.replace(secret, "[assertion]")
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST]
