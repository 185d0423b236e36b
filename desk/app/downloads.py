"""Files to be saved: how an answer says that it is one."""

from __future__ import annotations

from fastapi import Response


def download(content: str | bytes, name: str, kind: str) -> Response:
    """Return a file to be saved; its name holds nothing that a header could be broken with."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
    headers = {"Content-Disposition": f'attachment; filename="{plain}"'}
    return Response(content, media_type=kind, headers=headers)
