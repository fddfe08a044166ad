# SPDX-License-Identifier: BSD-3-Clause
"""prmem in gdb: `source prmem-gdb.py`, in a program or a core with debug information.

    print *pool             a struct prmem_pool: its name, size and state, not all of it
    print entry             an xa_entry_t: its kind, page and proof
    prmem-slot INST INDEX   the way from the root of an instance's array down to the
                            slot of an index, and whether each slot proves its place

Reads memory only, and calls no function: it works in a core file too.
"""
import gdb

KINDS = {3: "page", 5: "run", 6: "hole", 7: "bad", 9: "node", 10: "buffer", 12: "value"}
ERROR = 15
PAGE_BYTES = 4096
SHIFT = 9  # index bits of a level
MASK = (1 << 64) - 1


def number(value):
    """An integer, atomic or not."""
    return int(value.cast(gdb.lookup_type("unsigned long")))


def mix64(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def describe(entry):
    """What 64 bits are, as an entry or as a slot."""
    kind, payload, proof = entry >> 32 & 15, entry & 0xFFFFFFFF, entry >> 36
    if entry == 0:
        return "nothing"
    if kind == ERROR:
        return "error %d" % payload
    if kind == 7 and payload == 0xFFFFFFFF:
        return "lost, proof %07x" % proof
    if kind == 5 and payload:
        low = payload & -payload
        return "run of 2^%d pages at %d, proof %07x" % (low.bit_length(), payload ^ low, proof)
    if kind == 10:
        return "buffer at page %d, byte %d, proof %07x" % (payload // 64, payload % 64 * 64, proof)
    if kind == 6:
        return "hole %016x" % entry
    if kind not in KINDS:
        return "%016x, which is no entry" % entry
    return "%s %d, proof %07x" % (KINDS[kind], payload, proof)


class EntryPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return describe(number(self.value))


class PoolPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        pool = self.value
        uuid = bytes(int(pool["sb"]["uuid"][i]) for i in range(16)).hex()
        parts = [
            pool["path"].string(),
            "%d pages in %d regions" % (number(pool["nr_pages"]), number(pool["nr_regions"])),
            "uuid %s-%s-%s-%s-%s" % (uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]),
        ]
        label = pool["sb"]["label"].string()
        if label:
            parts.append("label " + label)
        if number(pool["nr_damaged"]):
            parts.append("%d damaged slots" % number(pool["nr_damaged"]))
        if number(pool["read_only"]):
            parts.append("read-only " + pool["read_only_why"].string())
        if number(pool["lost_memory"]):
            parts.append("lost memory")
        return "pool " + ", ".join(p.strip() for p in parts)


def page_address(pool, pfn):
    for i in range(number(pool["nr_regions"])):
        region = pool["regions"][i]
        start = int(region["start_pfn"])
        if region["pm"] and start <= pfn < start + number(region["nr_pages"]):
            return int(region["pm"]["base"]) + (pfn - start) * PAGE_BYTES
    return None


class SlotCommand(gdb.Command):
    """prmem-slot INST INDEX: the slot of an index, and the nodes above it."""

    def __init__(self):
        super().__init__("prmem-slot", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 2:
            raise gdb.GdbError("usage: prmem-slot INST INDEX")
        inst, index = gdb.parse_and_eval(words[0]), int(gdb.parse_and_eval(words[1]))
        array = inst["xa"]
        root = number(array["root"])
        key, level, pfn = mix64(int(array["lineage"]) + 0x9E3779B97F4A7C15 & MASK), root >> 32, root & 0xFFFFFFFF
        print("lineage %016x, levels: %d" % (int(array["lineage"]), level))
        if level == 0 or index >> level * SHIFT:
            print("the tree does not reach that far: nothing")
            return
        while level > 0:
            level -= 1
            address = page_address(inst["pool"], pfn)
            if address is None:
                print("page %d is not in the pool" % pfn)
                return
            nr = index >> level * SHIFT & 511
            slot = int.from_bytes(gdb.selected_inferior().read_memory(address + 8 * nr, 8).tobytes(), "little")
            verdict = self.verdict(key, level, index >> level * SHIFT << level * SHIFT, slot)
            print("level %d, page %d, slot %d: %s%s" % (level, pfn, nr, describe(slot) if slot else "zeroes", verdict))
            if slot >> 32 & 15 != 9 or verdict:
                return
            pfn = slot & 0xFFFFFFFF

    @staticmethod
    def verdict(key, level, first, slot):
        """Only what proves its place: the proof of a page covers its content."""
        kind, payload = slot >> 32 & 15, slot & 0xFFFFFFFF
        if kind in (3, 5, 10) and level == 0:
            return ""
        at = level - 1 if kind == 9 and level > 0 else level
        place = mix64(key ^ (kind << 40 | at << 32 | first))
        if kind == 6:
            right = place & ~(15 << 32) | 6 << 32
        else:
            right = mix64(place + payload * 0xD1342543DE82EF95 & MASK) >> 36 << 36 | slot & 0xFFFFFFFFF
        known = kind in ((6, 7, 9) if level > 0 else (6, 7, 12))
        return "" if known and slot == right else ", DAMAGED"


def find_printer(value):
    if value.type.name == "xa_entry_t":
        return EntryPrinter(value)
    # Not through a typedef or a pointer: `print pool` stays an address.
    if value.type.code == gdb.TYPE_CODE_STRUCT and value.type.tag == "prmem_pool":
        return PoolPrinter(value)
    return None


gdb.pretty_printers.append(find_printer)
SlotCommand()
