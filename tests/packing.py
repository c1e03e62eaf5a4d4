"""Packs files in every way that evidence comes in, also in ways that no honest tool does."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import warnings
import zipfile

import zstandard

HSM = "/SUBSCRIPTIONS/7C/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/MANAGEDHSMS/CONTOSO"
COMPRESSED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


def line(number: int = 0, **changed: object) -> bytes:
    """One record, unlike those of other numbers."""
    record = {
        "time": f"2026-03-05T02:{number // 60 % 60:02}:{number % 60:02}.{number:07}Z", "resourceId": HSM,
        "operationName": "KeyGet", "category": "AuditEvent", "correlationId": f"c{number}", "callerIpAddress": "192.0.2.1",
        "properties": {"httpStatusCode": 200},
    }  # fmt: skip
    return json.dumps(record | changed).encode() + b"\n"


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return held.getvalue()


def tarred(members: list[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=form) as archive:
        for name, data in members:
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return held.getvalue()


def special(name: str, kind: bytes, link: str = "") -> bytes:
    """A tar of one member that is no file."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        about = tarfile.TarInfo(name)
        about.type, about.linkname = kind, link
        archive.addfile(about)
    return held.getvalue()


def marked(archive: bytes, local: int, central: int, value: int, *names: str) -> bytes:
    """Overwrite a field of two bytes in both headers of some members of a zip."""
    data = bytearray(archive)
    for mark, at_field, at_length, header in ((b"PK\3\4", local, 26, 30), (b"PK\1\2", central, 28, 46)):
        at = 0
        while (at := data.find(mark, at)) >= 0:
            length = struct.unpack_from("<H", data, at + at_length)[0]
            if data[at + header : at + header + length].decode() in names:
                struct.pack_into("<H", data, at + at_field, value)
            at += 4
    return bytes(data)


def encrypted(archive: bytes, *names: str) -> bytes:
    return marked(archive, 6, 8, 1, *names)


def of_method(archive: bytes, method: int, *names: str) -> bytes:
    return marked(archive, 8, 10, method, *names)
