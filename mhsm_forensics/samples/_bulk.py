"""Evidence by the gigabyte, for benchmarks and for what must not exhaust memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ._acts import Act
from ._cast import PROD, Actor
from ._dice import Dice
from ._faults import good, text
from ._records import nested
from ._tree import blob_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_HOUR = datetime(2026, 1, 1, tzinfo=UTC)
CALLERS, ACTS_OF_EACH, KEYS = 3000, 3, 400
VARIABLE = len("2026-01-01T00:00:00.0000000Z" + "3c6ef372-fe94-482b-a739-80c0b9db906a" + "52")
OPERATIONS = ("KeyUnwrap", "KeyUnwrap", "KeyUnwrap", "KeyWrap", "KeySign", "KeyGet", "KeyDecrypt")
CLIENT = "azsdk-net-Security.KeyVault.Keys/4.7.0 (.NET 8.0.11; Microsoft Windows 10.0.20348)"

# Multiplied modulo 2**128, consecutive numbers become far-apart ones, and no two of them the same.
_STRIDE = 0x9E3779B97F4A7C15F39CC0605CEDC835
_MASK = (1 << 128) - 1


class Template(NamedTuple):
    """A line's constant parts; between them go the time, the correlation id and the duration.

    ``before_duration`` says ``@token@`` where the token of the caller with this number is named.
    """

    before_time: str
    before_id: str
    before_duration: str
    end: str
    caller: int

    def holding(self, tokens: list[str]) -> Template:
        """Name the token that the caller has."""
        return self._replace(before_duration=self.before_duration.replace("@token@", tokens[self.caller]))


def bulk(target: Path, *, megabytes: int, files: int, seed: int) -> None:
    """Write an hourly tree of one HSM, about *megabytes* in *files* blobs, at well over 50 MB a second.

    Each line is a whole record of about 1 KB; time, correlation id, duration, caller, token, key, operation and status
    vary, and no two lines are the same. Half of the callers are managed identities, whose tokens have no id in the log.
    """
    templates = _templates(seed)
    tokens = _tokens(FIRST_HOUR)
    sizes = [len("".join(one.holding(tokens)[:-1])) + VARIABLE for one in templates]
    line_size = sum(sizes) // len(sizes)
    lines = megabytes * 1_000_000 // files // line_size
    for number in range(files):
        hour = FIRST_HOUR + timedelta(hours=number)
        path = target / blob_name(PROD, hour)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="ascii", newline="\n", buffering=1 << 20) as blob:
            tokens = _tokens(hour)
            held = [template.holding(tokens) for template in templates]
            blob.writelines(_hour_of(hour, held, lines, start=seed + number * lines))


def long_line(path: Path, megabytes: int) -> None:
    """Write three records, the second of them one line of so many megabytes."""
    before, after = text(good(2) | {"resultDescription": "HERE"}).split("HERE")
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(text(good(1)) + "\n" + before)
        for _ in range(megabytes):
            file.write("A" * 1_000_000)
        file.write(after + "\n" + text(good(3)) + "\n")


def _templates(seed: int) -> list[Template]:
    """Return some templates for each caller: operations on keys, and now and then a failure."""
    dice = Dice("bulk", seed)
    return [_template(act, number) for number in range(CALLERS) for act in _acts(number, dice)]


def _tokens(hour: datetime) -> list[str]:
    """Return the id of the token that each caller has in an hour; it gets another one for the next."""
    dice = Dice("bulk tokens", hour)
    return [dice.hex(22) for _ in range(CALLERS)]


def _acts(number: int, dice: Dice) -> Iterator[Act]:
    address = f"10.{number % 60}.{number // 60}.{dice.whole(4, 250)}"
    caller = (
        Actor(f"app-{number:04}", "certificate", address, CLIENT)
        if number % 2
        else Actor(f"mi-app-{number:04}", "managed_identity", address, CLIENT)
    )
    for _ in range(ACTS_OF_EACH):
        key, operation = f"app-key-{dice.whole(0, KEYS - 1):03}", dice.pick(OPERATIONS)
        status = 0 if dice.chance(0.99) else dice.pick((400, 403, 404))
        yield Act(FIRST_HOUR, PROD, caller, operation, key, status=status)


def _template(act: Act, caller: int) -> Template:
    """Return the act's line, cut where it varies."""
    record = nested(act)
    if "uti" in record["identity"]["claim"]:
        record["identity"]["claim"]["uti"] = "@token@"
    marked = text(record | {"time": "@1@", "correlationId": "@2@", "durationMs": "@3@"})
    before_time, rest = marked.split("@1@")
    before_id, rest = rest.split("@2@")
    before_duration, end = rest.split("@3@")
    return Template(before_time, before_id, before_duration, end + "\n", caller)


def _hour_of(hour: datetime, templates: list[Template], lines: int, start: int) -> Iterator[str]:
    """Yield the lines of an hour, evenly spread over it, each from another template."""
    clock, step = f"{hour:%Y-%m-%dT%H:}", 3_599_999_999 // max(lines, 1)
    count = len(templates)
    for number in range(lines):
        one = number * step * 10 + number % 10
        minute, ticks = divmod(one, 600_000_000)
        mixed = ((start + number + 1) * _STRIDE) & _MASK
        template = templates[(mixed >> 96) % count]
        digits = f"{mixed:032x}"
        yield (
            f"{template[0]}{clock}{minute:02}:{ticks // 10_000_000:02}.{ticks % 10_000_000:07}Z{template[1]}"
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
            f"{template[2]}{8 + (mixed >> 80) % 60}{template[3]}"
        )
