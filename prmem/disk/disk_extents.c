/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a pram disk holds data: just where its array has entries.  A page
 * that is damaged counts as data: reading it is an error, not zeroes.
 */
#include <errno.h>

#include "prmem/disk/disk.h"

/* Indices that one read lock covers; a long hole is skipped by its node and costs one. */
#define EXTENT_STEPS 4096

struct extent_scan {
	uint64_t idx;  /* next to look at */
	uint64_t end;  /* behind the last one */
	bool hole;     /* of the extent that ends at idx */
	bool started;
};

/* Advance to where the kind changes, or the range ends, or the steps do. */
static bool
scan_some(struct prmem_instance *inst, struct extent_scan *scan)
{
	XA_STATE(xas, &inst->xa);
	bool changed = false;

	xa_read_lock();
	for (int i = 0; i < EXTENT_STEPS && scan->idx < scan->end; i++) {
		xa_entry_t entry = xas_load(&xas, (uint32_t)scan->idx);
		bool hole = entry == 0;

		if (scan->started && hole != scan->hole) {
			changed = true;
			break;
		}
		scan->started = true;
		scan->hole = hole;
		scan->idx += hole || xa_is_err(entry) ? xas_skip(&xas, (uint32_t)scan->idx) : 1;
	}
	xa_read_unlock();
	if (scan->idx > scan->end)
		scan->idx = scan->end;
	return changed || scan->idx == scan->end;
}

int
prmem_disk_extents(struct prmem_disk *disk, uint64_t len_bytes, uint64_t off, bool one,
		   int (*fn)(void *opaque, uint64_t off, uint64_t len_bytes, bool hole), void *opaque)
{
	uint64_t end = off + len_bytes;
	struct extent_scan scan = {.idx = off >> PRMEM_PAGE_SHIFT, .end = DIV_ROUND_UP(end, PRMEM_PAGE_SIZE)};
	int r = disk_check_range(disk, len_bytes, off);

	while (r == 0 && off < end) {
		uint64_t to;

		while (!scan_some(disk->inst, &scan)) {
		}
		to = MIN(end, scan.idx << PRMEM_PAGE_SHIFT);
		r = fn(opaque, off, to - off, scan.hole);
		if (one)
			break;
		off = to;
		scan.started = false;
	}
	return r;
}
