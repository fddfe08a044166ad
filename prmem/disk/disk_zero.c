/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zeroing and trimming a pram disk are one thing: pages become holes and are
 * given back, and holes read as zeroes.
 */
#include <errno.h>

#include "prmem/disk/disk.h"
#include "prmem/disk/disk_page.h"
#include "prmem/disk/disk_partial.h"

/*
 * Below this many pages the slots are exchanged one by one, without the
 * array's lock; from it on nodes that become empty are given back as well.
 */
#define ZERO_BY_SLOT_PAGES 64u

static int
zero_few(struct prmem_instance *inst, uint32_t idx, uint32_t nr)
{
	static const xa_entry_t nothing[ZERO_BY_SLOT_PAGES];
	xa_entry_t old[ZERO_BY_SLOT_PAGES];
	int64_t done = xa_exchange(&inst->xa, idx, nr, nothing, old);

	for (int64_t i = 0; i < done; i++)
		disk_account(inst, idx + (uint32_t)i, old[i], 0);
	if (done < 0)
		return (int)done;
	return done < nr ? -EIO : 0;
}

static int
zero_range(struct prmem_disk *disk, uint64_t len_bytes, uint64_t off)
{
	struct prmem_instance *inst = disk->inst;
	int r = disk_check_write(disk, len_bytes, off);

	while (r == 0 && len_bytes > 0) {
		struct disk_part part = disk_part_at(off, len_bytes);
		uint64_t n = part.len_bytes, nr = len_bytes >> PRMEM_PAGE_SHIFT;
		bool to_end = part.start == 0 && off + len_bytes == atomic_load(&inst->size_bytes);

		/* What lies behind the end of the disk in its last page is zero anyway. */
		if (to_end)
			nr = DIV_ROUND_UP(len_bytes, PRMEM_PAGE_SIZE);
		if (part.len_bytes < PRMEM_PAGE_SIZE && !(to_end && nr == 1)) {
			r = disk_write_part(disk, &part, NULL);
		} else {
			n = MIN(len_bytes, nr << PRMEM_PAGE_SHIFT);
			if (nr < ZERO_BY_SLOT_PAGES)
				r = zero_few(inst, part.idx, (uint32_t)nr);
			else
				r = xa_erase_range(&inst->xa, part.idx, (uint32_t)(part.idx + nr - 1));
		}
		off += n;
		len_bytes -= n;
	}
	return disk_result(disk, r);
}

int
prmem_disk_zero(struct prmem_disk *disk, uint64_t len_bytes, uint64_t off)
{
	struct stats_request request = disk_stats_begin(disk, STATS_TRIM, len_bytes);
	int r = zero_range(disk, len_bytes, off);

	stats_end(&request, len_bytes, r);
	return r;
}
