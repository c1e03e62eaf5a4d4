"""Every container is opened in one place: whatever holds the logs, the same bytes come out, and what can't is named."""

import bz2
import gzip
import hashlib
import io
import lzma
import random
import tarfile
import zipfile

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from packing import COMPRESSED, encrypted, line, of_method, special, tarred, zipped

from mhsm_forensics import evidence
from mhsm_forensics.evidence import TornStreamError, blocks, contents, slices, walk
from mhsm_forensics.evidence._tars import Pipe

TWO = [("a/PT1H.json", line(1)), ("b/PT1H.json", line(2) + line(3))]


def read(path):
    """What is in a file: name, position, content and why it ends, of each member that is one."""
    found = []
    for member in walk(path):
        data, fault = b"", None
        try:
            for block in member.content:
                data += block
        except TornStreamError as problem:
            fault = problem.reason
        if not member.special:
            found.append((member.name, member.position, data, fault))
    return found


@pytest.fixture
def opened(tmp_path):
    """Members of some bytes."""

    def run(data, name="evidence"):
        (tmp_path / name).write_bytes(data)
        return read(tmp_path / name)

    return run


PACK = {
    "zip": zipped,
    "stored": lambda members: zipped(members, zipfile.ZIP_STORED),
    "bzip2 in zip": lambda members: zipped(members, zipfile.ZIP_BZIP2),
    "lzma in zip": lambda members: zipped(members, zipfile.ZIP_LZMA),
    "tar": tarred,
    "gnu tar": lambda members: tarred(members, tarfile.GNU_FORMAT),
    **{f"tar.{name}": lambda members, pack=pack: pack(tarred(members)) for name, pack in COMPRESSED.items()},
}


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK)
def test_members_come_out_of_every_archive(opened, pack):
    assert opened(pack(TWO)) == [(name, (index,), data, None) for index, (name, data) in enumerate(TWO)]


@pytest.mark.parametrize("pack", COMPRESSED.values(), ids=COMPRESSED)
def test_a_compressed_file_is_itself(opened, pack):
    assert opened(pack(line(1)) + pack(line(2))) == [("", (), line(1) + line(2), None)]


@pytest.mark.parametrize("pack", COMPRESSED.values(), ids=COMPRESSED)
def test_a_compressed_file_that_is_cut_off_gives_what_stands_before(opened, pack):
    dice = random.Random(1)
    text = b"".join(line(n, correlationId=dice.randbytes(200).hex()) for n in range(400))
    packed = pack(text)

    ((_, _, data, fault),) = opened(packed[: len(packed) * 3 // 4])

    assert fault == "ends before its stream does"
    assert text.startswith(data)


def test_a_gzip_with_a_wrong_checksum_gives_all_of_its_bytes(opened):
    packed = bytearray(gzip.compress(line(1)))
    packed[-5] ^= 1

    assert opened(bytes(packed)) == [("", (), line(1), "CRC differs")]


def test_what_follows_a_gzip_and_is_none_is_said(opened):
    assert opened(gzip.compress(line(1)) + b"more") == [("", (), line(1), "something else follows its stream")]
    assert opened(gzip.compress(line(1)) + bytes(600)) == [("", (), line(1), None)]


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (encrypted(zipped(TWO), "a/PT1H.json"), "encrypted"),
        (of_method(zipped(TWO), 9, "a/PT1H.json"), "compression method 9 (Deflate64)"),
        (of_method(zipped(TWO), 97, "a/PT1H.json"), "compression method 97 (WavPack)"),
        (of_method(zipped(TWO), 8, "a/PT1H.json").replace(line(1)[:9], b"@" * 9, 1), None),
    ],
    ids=["encrypted", "Deflate64", "WavPack", "whole"],
)
def test_a_member_that_cannot_be_read_costs_itself_alone(opened, archive, reason):
    first, second = opened(archive)

    assert first[3] == reason
    assert second == ("b/PT1H.json", (1,), TWO[1][1], None)


def test_a_stored_member_that_was_changed_has_another_checksum(opened):
    archive = zipped(TWO, zipfile.ZIP_STORED).replace(b"192.0.2.1", b"192.0.2.9", 1)

    assert [fault for *_, fault in opened(archive)] == ["CRC differs", None]


def test_a_zip_without_its_directory_is_read_by_the_headers_of_its_members(opened):
    whole = zipped(TWO)

    found = opened(whole[: whole.index(b"PK\1\2")])

    assert [(name, data) for name, _, data, _ in found[:2]] == TWO
    assert found[2] == ("", (), b"", "its directory is missing or damaged")


def test_a_zip_cut_off_in_a_member_says_so_once(opened):
    dice = random.Random(2)
    whole = zipped([*TWO, ("c/PT1H.json", line(4, correlationId=dice.randbytes(3000).hex()))])

    found = opened(whole[:1500])

    assert [fault for *_, fault in found] == [None, None, "ends before its stream does"]


def test_a_member_that_the_directory_does_not_name_is_found(opened):
    one, both = zipped(TWO[:1]), zipped(TWO)
    directory = one[one.index(b"PK\1\2") :]
    hidden = both[: both.index(b"PK\1\2")] + directory[:-6]
    end = bytearray(hidden + directory[-6:])
    end[-6:-2] = both.index(b"PK\1\2").to_bytes(4, "little")

    assert [(name, data) for name, _, data, _ in opened(bytes(end))] == TWO


def test_members_that_share_bytes_are_read_once(opened):
    archive = bytearray(zipped([("a/PT1H.json", line(1)), ("b/PT1H.json", line(1))]))
    second = archive.rindex(b"PK\1\2")
    archive[second + 42 : second + 46] = bytes(4)  # where the second stands: at the first

    found = opened(bytes(archive))

    assert [fault for *_, fault in found[:2]] == [None, "shares bytes with another member"]


def test_bytes_before_and_behind_a_zip_change_nothing(opened):
    assert [(name, data) for name, _, data, _ in opened(b"MZ" + bytes(500) + zipped(TWO) + b"trailer")] == TWO


def test_a_damaged_tar_header_costs_one_member_and_is_said(opened):
    archive = bytearray(tarred([*TWO, ("c/PT1H.json", line(4))]))
    archive[archive.index(b"b/PT1H.json")] ^= 1

    found = opened(bytes(archive))

    assert [(name, data) for name, _, data, _ in found[:2]] == [TWO[0], ("c/PT1H.json", line(4))]
    assert found[2][3].startswith("a damaged header at byte")


def test_tars_that_stand_one_behind_another_are_one(opened):
    assert [name for name, *_ in opened(tarred(TWO) + tarred(TWO))] == ["a/PT1H.json", "b/PT1H.json"] * 2


def test_a_tar_that_is_cut_off_in_a_member_says_so_there(opened):
    found = opened(tarred([("a/PT1H.json", line(1) * 30)])[:3000])

    assert [(name, fault) for name, _, _, fault in found] == [("a/PT1H.json", "ends before its stream does")]


def test_a_tar_without_its_end_mark_is_named(opened):
    assert [fault for *_, fault in opened(tarred(TWO[:1] * 2)[:2048])] == [None, None, "ends without its end mark"]


def test_a_link_in_a_tar_is_named_and_leads_nowhere(tmp_path):
    (tmp_path / "t.tar").write_bytes(special("PT1H.json", tarfile.SYMTYPE, "/etc/passwd"))

    assert [(m.name, m.special) for m in walk(tmp_path / "t.tar")] == [("PT1H.json", "a link to /etc/passwd")]


def test_archives_in_archives_are_read_to_a_depth_of_three(opened):
    three = zipped([("2.tar", tarred([("3.zip", zipped(TWO))]))])
    four = zipped([("1.zip", three), ("beside.json", line(9))])

    assert [(name, at) for name, at, *_ in opened(three)] == [
        ("2.tar!3.zip!a/PT1H.json", (0, 0, 0)), ("2.tar!3.zip!b/PT1H.json", (0, 0, 1)),
    ]  # fmt: skip
    assert [(name, fault) for name, _, _, fault in opened(four)] == [
        ("1.zip!2.tar!3.zip", "archives in archives deeper than 3"), ("beside.json", None),
    ]  # fmt: skip


def test_what_is_compressed_over_and_over_is_named(opened):
    packed = line(1)
    for _ in range(4):
        packed = gzip.compress(packed)

    assert opened(packed) == [("", (), b"", "compressed more than 3 times over")]


@pytest.mark.parametrize("pack", COMPRESSED.values(), ids=COMPRESSED)
def test_a_bomb_gives_nothing_but_what_stood_before_it(opened, pack, monkeypatch):
    monkeypatch.setattr(evidence._streams, "SAFE_EXPANSION", 6 << 20)

    ((_, _, data, fault),) = opened(pack(line(1) + bytes(40 << 20)))

    assert fault.startswith("expands to more than")
    assert data in (b"", line(1))


def test_a_bomb_in_a_zip_costs_itself_alone(opened, monkeypatch):
    monkeypatch.setattr(evidence._streams, "SAFE_EXPANSION", 6 << 20)

    bomb, healthy = opened(zipped([("bomb.json", bytes(40 << 20)), *TWO[:1]]))

    assert bomb[3].startswith("expands to more than")
    assert healthy[2] == line(1)


def test_a_large_file_that_packs_well_is_no_bomb(opened):
    text = line(1) * 20_000

    assert opened(gzip.compress(text)) == [("", (), text, None)]


def test_utf16_comes_out_as_utf8(opened):
    text = line(1).decode()

    assert opened(text.encode("utf-16")) == [("", (), line(1), None)]
    assert opened(tarred([("a.json", text.encode("utf-16"))]))[0][2] == line(1)


def test_a_tar_passes_by_without_being_held():
    """A tar of 2 GB, of which no more than a block is there at a time."""
    header = tarred([("PT1H.json", b"")])[:512]
    size = 2 << 30
    about = tarfile.TarInfo("PT1H.json")
    about.size = size
    header = about.tobuf(tarfile.GNU_FORMAT)
    block = bytes(16 << 20)
    stream = Pipe(iter([header, *[block] * (size // len(block)), bytes(1024)]))

    (read_size,) = [sum(map(len, one.content)) for one in evidence._tars.tar_members(stream)]

    assert read_size == size


def test_only_what_is_wanted_is_opened_and_in_one_way(tmp_path):
    path = tmp_path / "t.tar.gz"
    path.write_bytes(gzip.compress(tarred([(f"{n}.json", line(n)) for n in range(50)])))

    found = [(position, b"".join(content)) for position, content in contents(path, [(7,), (31,)])]

    assert found == [((7,), line(7)), ((31,), line(31))]
    assert b"".join(blocks(path, (12,))) == line(12)


def test_a_member_has_the_hash_of_its_bytes_as_they_stand(tmp_path):
    packed = gzip.compress(line(1))
    (tmp_path / "t.tar").write_bytes(tarred([("PT1H.json.gz", packed)]))

    for member in walk(tmp_path / "t.tar", hashed=True):
        content = b"".join(member.content)
        member.tap.drain()

    assert content == line(1)
    assert (member.tap.sha256, member.tap.size) == (hashlib.sha256(packed).hexdigest(), len(packed))


NAMES = st.sampled_from(["a.json", "b/PT1H.json", "PT1H.json", "é.json", "../x.json", "/abs.json"])
TREES = st.lists(st.tuples(NAMES, st.binary(max_size=900)), max_size=5)
LAYERS = st.lists(st.sampled_from(["zip", "tar", "gz", "xz", "zst", "bz2"]), max_size=3)


@settings(max_examples=150, deadline=None)
@given(TREES, st.sampled_from(sorted(PACK)), LAYERS, st.integers(0, 900), st.integers(0, 400))
def test_however_a_tree_is_packed_its_bytes_come_out_and_positions_lead_back(
    tmp_path_factory, tree, pack, layers, offset, length
):
    tree = [(name, b"{" + data) for name, data in tree]  # no archive by chance
    packed, names = PACK[pack](tree), ""
    for layer in [one for one in layers if one in ("zip", "tar")][:2]:
        packed = PACK[layer]([("inner", packed)])
        names += "inner!"
    packed = next((COMPRESSED[one](packed) for one in layers if one in COMPRESSED), packed)
    path = tmp_path_factory.mktemp("packed") / "evidence"
    path.write_bytes(packed)

    found = read(path) if tree else []

    assert [(name, data) for name, _, data, _ in found] == [(names + name, data) for name, data in tree]
    for _, position, data, _ in found:
        assert b"".join(slices(path, position, [(offset, length)])) == data[offset : offset + length]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(PACK)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 9999),
)
def test_whatever_is_damaged_nothing_but_a_reason_comes_out(tmp_path_factory, pack, changes, cut):
    data = bytearray(PACK[pack]([*TWO, ("c.json", line(5) * 3)]))
    for at, value in changes:
        data[at % len(data)] = value
    path = tmp_path_factory.mktemp("damaged") / "evidence"
    path.write_bytes(data[: max(1, len(data) - cut % len(data) if cut % 3 == 0 else len(data))])

    found = read(path)

    assert all(len(content) < 1 << 20 for _, _, content, _ in found)
    assert len({position for _, position, _, _ in found}) == len(found)


@given(st.binary(max_size=3000), st.lists(st.integers(1, 500), min_size=1), st.sampled_from(sorted(COMPRESSED)))
@settings(max_examples=60, deadline=None)
def test_the_size_of_blocks_changes_nothing(data, sizes, pack):
    packed, pieces, at = COMPRESSED[pack](data), [], 0
    for size in sizes * (len(packed) // sum(sizes) + 1):
        pieces.append(packed[at : at + size])
        at += size
    unpack = evidence._streams.compression(packed)

    assert b"".join(evidence._streams.expanded(iter(pieces), unpack)) == data


def test_formats_of_one_file_are_known(tmp_path):
    """Streams that only some tools write: older LZMA, frames that are skipped, a stream behind another."""
    (tmp_path / "a").write_bytes(lzma.compress(line(1), format=lzma.FORMAT_ALONE))
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    (tmp_path / "b").write_bytes(skipped + zstandard.ZstdCompressor().compress(line(1)))
    (tmp_path / "c").write_bytes(bz2.compress(b"") + bz2.compress(line(1)))

    assert [b"".join(blocks(tmp_path / name)) for name in "abc"] == [line(1)] * 3


def test_a_file_with_holes_is_read_as_it_was():
    """What GNU tar writes of a sparse file, by hand: a header that says where the pieces belong."""
    about = tarfile.TarInfo("PT1H.json")
    about.type, about.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(about.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (1024, 512)
    header[483:495] = b"%011o\0" % 1536
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    stream = Pipe(iter([bytes(header), line(1).ljust(512), bytes(1024)]))

    (content,) = [b"".join(one.content) for one in evidence._tars.tar_members(stream)]

    assert content == bytes(1024) + line(1).ljust(512)


def test_a_zip_of_no_member_is_a_zip(opened):
    assert opened(zipped([])) == []
    assert io.BytesIO(zipped([])).read(4) == b"PK\5\6"
