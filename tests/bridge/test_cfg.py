"""The cfg reader and writer: upstream's grammar, messages with file and line, and what other parsers need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from darknet_bridge.errors import FormatError
from darknet_bridge.formats import format_cfg, parse_cfg, read_cfg, write_cfg
from darknet_bridge.formats.cfg import Cfg, format_value, make_section, portability_problems


def test_reads_as_upstream_does() -> None:
    cfg = parse_cfg(
        b"\xef\xbb\xbf; a comment\r\n[net]\r\n saturation = 1.5\r\nbatch=64#note\n\n"
        b"[yolo]\nanchors = 10,14,  23,27\nclasses=3\nclasses=9\n"
    )
    assert cfg.net.number("saturation", 0) == 1.5
    assert cfg.net.integer("batch", 1) == 64
    assert cfg.layers[0].integers("anchors") == (10, 14, 23, 27)
    assert cfg.classes == 3, "of a repeated key the first counts"
    assert (cfg.net.line, cfg.layers[0].line) == (2, 6)
    assert cfg.layers[0].entries[1].line == 8


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b"batch=1\n[net]\n", 1, "before the first section"),
        (b"[net]\nbatch\n", 2, "neither [section] nor key=value"),
        (b"[net]\nbatch=\n", 2, "has no value"),
        (b"[net]\n[]\n", 2, "not a section name"),
        (b"[net\n", 1, "not a section name"),
        (b"[net] x\n", 1, "after the section name"),
        (b"[yolo]\n", 1, "expected [net]"),
        (b"[net]\nba\0tch=1\n", 2, "zero byte"),
        (b"\xff\xfe[\0n\0", None, "UTF-16"),
        (b"", None, "no [section]"),
        (b"[net]\n" + b"[dropout]\n" * 2001, 2002, "more than 2001 sections"),
    ],
)
def test_bad_text_is_refused_with_its_line(text: bytes, line: int | None, words: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_cfg(text, "my.cfg")
    assert caught.value.line == line
    assert words in str(caught.value)
    assert str(caught.value).startswith("my.cfg" + (f":{line}: " if line else ": "))


def test_bad_numbers_name_the_line_of_the_key() -> None:
    cfg = parse_cfg(b"[net]\nwidth=41six\nmomentum=nan\nsteps=1,,2\nbatch=1_0\n", "n.cfg")
    for key, line in (("width", 2), ("momentum", 3), ("batch", 5)):
        with pytest.raises(FormatError, match="is not a number") as caught:
            cfg.net.number(key, 0)
        assert caught.value.line == line
    with pytest.raises(FormatError, match="is not a number"):
        cfg.net.numbers("steps")


def test_round_trip_keeps_sections_keys_and_values(tmp_path: Path, golden: Path) -> None:
    first = read_cfg(golden / "v4" / "net.cfg")
    write_cfg(tmp_path / "again.cfg", first)
    second = read_cfg(tmp_path / "again.cfg")
    assert [(s.kind, list(s.values().items())) for s in second.sections] == [
        (s.kind, list(s.values().items())) for s in first.sections
    ]
    assert len(first.sections) > 50


def test_reference_files_round_trip(reference_cfgs: Path) -> None:
    files = sorted(reference_cfgs.glob("*.cfg"))
    assert files
    for file in files:
        first = read_cfg(file)
        second = parse_cfg(format_cfg(first))
        assert [(s.kind, s.values()) for s in second.sections] == [(s.kind, s.values()) for s in first.sections]


@pytest.mark.parametrize(
    "values",
    [[("a", "1"), ("a", "2")], [("a", "1e-3")], [("a", "1#x")], [("a", "")], [("a", "b c")], [("#a", "1")], [("a=b", "1")]],
)
def test_what_other_parsers_refuse_is_not_written(values: list[tuple[str, object]]) -> None:
    cfg = Cfg((make_section("net", values),))
    assert portability_problems(cfg)
    with pytest.raises(FormatError):
        format_cfg(cfg)


def test_values_are_written_without_exponents() -> None:
    assert format_value(1e-7) == "0.0000001"
    assert format_value(0.00261) == "0.00261"
    assert format_value(1.0) == "1.0"
    assert format_value((1, 2.5, "x")) == "1,2.5,x"
    assert format_value(True) == "1"


def test_with_values_sets_appends_and_removes() -> None:
    section = make_section("net", [("batch", 1), ("width", 416)])
    changed = section.with_values({"batch": "64", "width": None, "height": "320"})
    assert changed.values() == {"batch": "64", "height": "320"}
    assert section.values() == {"batch": "1", "width": "416"}


def test_missing_file_folder_and_fifo(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="can't open"):
        read_cfg(tmp_path / "none.cfg")
    with pytest.raises(FormatError, match="not a regular file"):
        read_cfg(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="not a regular file"):
        read_cfg(tmp_path / "pipe")


def test_oversized_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "big.cfg").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FormatError, match="at most"):
        read_cfg(tmp_path / "big.cfg")
