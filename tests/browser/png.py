"""Reads the PNG files that a browser's screenshot writes (8 bits a channel, RGB or RGBA, not interlaced)."""

import struct
import zlib
from pathlib import Path


class Image:
    """Pixels as one bytes object, `channels` bytes each, row after row."""

    def __init__(self, width: int, height: int, channels: int, pixels: bytes):
        self.width, self.height, self.channels, self.pixels = width, height, channels, pixels

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        at = (y * self.width + x) * self.channels
        return tuple(self.pixels[at : at + 3])

    def count(self, color: tuple[int, int, int], tolerance: int = 0) -> int:
        """Pixels whose channels all differ from `color` by at most `tolerance`."""
        step = self.channels
        planes = [self.pixels[channel::step] for channel in range(3)]
        near = [bytes(abs(value - wanted) <= tolerance for value in range(256)) for wanted in color]
        marks = [int.from_bytes(plane.translate(table), "big") for plane, table in zip(planes, near)]
        return bin(marks[0] & marks[1] & marks[2]).count("1")


def _unfilter(kind: int, line: bytearray, above: bytes, step: int) -> None:
    if kind == 1:
        for i in range(step, len(line)):
            line[i] = (line[i] + line[i - step]) & 255
    elif kind == 2:
        for i, up in enumerate(above):
            line[i] = (line[i] + up) & 255
    elif kind == 3:
        for i, up in enumerate(above):
            left = line[i - step] if i >= step else 0
            line[i] = (line[i] + (left + up) // 2) & 255
    elif kind == 4:
        for i, up in enumerate(above):
            left, corner = (line[i - step], above[i - step]) if i >= step else (0, 0)
            estimate = left + up - corner
            by_left, by_up, by_corner = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
            best = left if by_left <= by_up and by_left <= by_corner else up if by_up <= by_corner else corner
            line[i] = (line[i] + best) & 255
    elif kind != 0:
        raise ValueError(f"unknown PNG filter {kind}")


def read_png(path: Path) -> Image:
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is no PNG file")
    at, packed, header = 8, b"", None
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    width, height, depth, color, _, _, interlaced = header
    if depth != 8 or color not in (2, 6) or interlaced:
        raise ValueError(f"{path}: only 8-bit RGB and RGBA without interlacing are read")
    step = 3 if color == 2 else 4
    raw = zlib.decompress(packed)
    rows, above, stride = [], bytes(width * step), width * step + 1
    for y in range(height):
        line = bytearray(raw[y * stride + 1 : (y + 1) * stride])
        _unfilter(raw[y * stride], line, above, step)
        above = bytes(line)
        rows.append(above)
    return Image(width, height, step, b"".join(rows))
