"""Links object code on Linux and x86-64 without LLVM, whose library takes 60 MB and 30 ms to load.

Object files of the large code model are simple: sections, symbols, and relocations that are
absolute addresses of 64 bits. Whatever holds anything else is refused, and `linker.py` leaves it to
LLVM. Reference: System V Application Binary Interface, chapters 4 and 5, and its supplement for
AMD64, section 4.4.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

SUPPORTED = sys.platform == "linux" and platform.machine() == "x86_64" and sys.maxsize > 2**32

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_IDENT = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian, version 1
_RELOCATABLE, _X86_64 = 1, 62  # type and machine of an object file
_SYMTAB, _RELA, _NOBITS = 2, 4, 8  # types of sections
_ALLOC = 2  # flag of a section that is part of the process
_ABSOLUTE_64 = 1  # R_X86_64_64, the one type of relocation
_LOCAL = 0  # binding of a symbol that only its own object may refer to
_UNDEFINED, _FIRST_RESERVED = 0, 0xFF00  # indices of sections that symbols name
_ALIGNMENT = 64  # bytes; no section of ours asks for more


class UnsupportedError(Exception):
    """An object that this module does not link; its text says why."""


class _Section(NamedTuple):
    """A row of an object's table of sections, in the order of the format."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class _Object:
    """A parsed object file, and where its sections are placed."""

    def __init__(self, code):
        """Read the tables of an object file, bytes or a memoryview."""
        self.code = memoryview(code)
        ident, kind, machine, _, _, _, start, *_, count, names = _HEADER.unpack_from(self.code)
        if ident[:7] != _IDENT or (kind, machine) != (_RELOCATABLE, _X86_64):
            raise UnsupportedError("it is no object file of x86-64")
        rows = (_SECTION.unpack_from(self.code, start + i * _SECTION.size) for i in range(count))
        self.sections = [_Section(*row) for row in rows]
        (table,) = (s for s in self.sections if s.kind == _SYMTAB)
        self.symbols = list(_SYMBOL.iter_unpack(self.content(table)))
        self.names = bytes(self.content(self.sections[table.link]))
        titles = bytes(self.content(self.sections[names]))
        # Tables by which exceptions of C++ unwind the stack are of no use: kernels raise none.
        self.loaded = [
            place
            for place, s in enumerate(self.sections)
            if s.flags & _ALLOC and s.size and _text(titles, s.name) != ".eh_frame"
        ]
        self.places: dict[int, int] = {}  # section → offset in the memory of all objects

    def content(self, section):
        """Return the bytes of a section, a memoryview."""
        return self.code[section.offset : section.offset + section.size]

    def name(self, symbol):
        """Return the name of a symbol, a row of the table."""
        return _text(self.names, symbol[0])

    def place(self, end):
        """Place the sections from an offset on; return the offset behind the last one."""
        for i in self.loaded:
            if self.sections[i].alignment > _ALIGNMENT:
                raise UnsupportedError("a section asks for more than a cache line's alignment")
            self.places[i] = -(-end // _ALIGNMENT) * _ALIGNMENT
            end = self.places[i] + self.sections[i].size
        return end

    def defined(self) -> Iterator[tuple[str, int]]:
        """Yield (name, offset in memory) of each symbol that other objects may refer to."""
        for symbol in self.symbols:
            if symbol[1] >> 4 != _LOCAL and symbol[3] in self.places:
                yield self.name(symbol), self.places[symbol[3]] + symbol[4]

    def relocations(self) -> Iterator[tuple[int, tuple[Any, ...], int]]:
        """Yield (offset in memory, symbol, addend) of each address that is to be stored."""
        for table in self.sections:
            if table.kind != _RELA or table.info not in self.places:
                continue
            for offset, info, addend in _RELOCATION.iter_unpack(self.content(table)):
                if info & 0xFFFFFFFF != _ABSOLUTE_64:
                    raise UnsupportedError(f"relocations of type {info & 0xFFFFFFFF} are not known")
                yield self.places[table.info] + offset, self.symbols[info >> 32], addend


def _text(table, begin):
    """Return the text that begins at an index of a table of texts, which end with 0."""
    return table[begin : table.index(b"\0", begin)].decode()


def _address_of(item, symbol, base, known):
    """Return the address of a symbol of an object; known(name): of one that others define."""
    section, value = symbol[3], symbol[4]
    if section == _UNDEFINED:
        return known(item.name(symbol))
    if section >= _FIRST_RESERVED or section not in item.places:
        raise UnsupportedError("a symbol is of a section that is not loaded")
    return base + item.places[section] + value


def _fill(memory, base, objects, known):
    """Copy the sections of placed objects into memory, which is zero, and store all addresses.

    base: the memory's address; known(name): the address of a symbol that an object names and does
    not define.
    """
    for item in objects:
        for i, place in item.places.items():
            section = item.sections[i]
            if section.kind != _NOBITS:
                memory[place : place + section.size] = item.content(section)
        for place, symbol, addend in item.relocations():
            address = _address_of(item, symbol, base, known) + addend
            struct.pack_into("<Q", memory, place, address % 2**64)


def link(codes, resolve):
    """Map object code into this process, for ever; return {symbol: address}.

    codes: a list of object files, bytes; resolve(name): the address of a symbol that none of them
    defines, or None. The pages can be executed and read, not written.

    Raises
    ------
    UnsupportedError
        If that is not possible here, or with these objects; nothing is mapped then.
    """
    if not SUPPORTED:
        raise UnsupportedError("it links on Linux and x86-64 alone")
    objects, size = [_Object(code) for code in codes], 0
    for item in objects:
        size = item.place(size)
    memory = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    own = {name: base + offset for item in objects for name, offset in item.defined()}

    def known(name):
        """Return the address of a symbol that an object names and does not define."""
        address = own.get(name) or resolve(name)
        if address is None:
            raise UnsupportedError(f"symbol {name} is not known")
        return address

    _fill(memory, base, objects, known)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    if protect(base, len(memory), mmap.PROT_READ | mmap.PROT_EXEC):
        raise UnsupportedError("the system does not let this process run code that it has written")
    # A thread may still run the code while the interpreter ends and frees all objects.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
    return own
