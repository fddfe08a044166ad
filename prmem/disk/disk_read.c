/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a pram disk.
 *
 * Flow of a read:
 *	1. take the read lock: what slots point to now stays where it is
 *	2. find the slot; nothing there reads as zeroes
 *	3. copy the page into the caller's buffer
 *	4. check the CRC of the copy, not of the page: what is returned is what
 *	   was checked
 */
#include "prmem/disk/disk_read.h"

#include <errno.h>
#include <string.h>

#include "common/crc32c.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/core/guard.h"
#include "prmem/disk/disk.h"
#include "prmem/object/proof.h"

/* Where the page of an entry is; NULL where it names none.  An error is an entry of another kind. */
static const void *
page_of(struct prmem_instance *inst, xa_entry_t entry)
{
	return LIKELY(xa_entry_kind(entry) == XA_KIND_PAGE) ? pool_page(inst->pool, xa_entry_payload(entry)) : NULL;
}

int
disk_copy_page(struct prmem_instance *inst, uint32_t idx, xa_entry_t entry, void *ret_page)
{
	const void *page = page_of(inst, entry);
	uint32_t crc;

	if (LIKELY(page != NULL)) {
		guard_at(xa_entry_payload(entry));
		memcpy(ret_page, page, PRMEM_PAGE_SIZE);
		crc = crc32c(xa_seed(&inst->xa, idx, XA_KIND_PAGE), ret_page, PRMEM_PAGE_SIZE);
		if (LIKELY(xa_proof_of_crc(crc) == xa_entry_proof(entry)))
			return 0;
		atomic_fetch_add_explicit(&inst->nr_crc_errors, 1, memory_order_relaxed);
	}
	wary_begin(inst->pool);
	return xa_is_err(entry) ? xa_err(entry) : -EIO;
}

/*
 * Copy a part of a page, or, @buf NULL, only check it: the proof is of the
 * whole page.  By itself, so that reading whole pages does not reach far down
 * the stack, where nothing is in the caches.
 */
static NOINLINE int
read_by_copy(struct prmem_instance *inst, const struct disk_part *part, xa_entry_t entry, void *buf)
{
	char page[PRMEM_PAGE_SIZE];
	int r = disk_copy_page(inst, part->idx, entry, page);

	if (r == 0 && buf != NULL)
		memcpy(buf, page + part->start, part->len_bytes);
	return r;
}

static int
read_part(struct prmem_instance *inst, const struct disk_part *part, xa_entry_t entry, void *buf)
{
	if (entry == 0) {
		if (buf != NULL)
			memset(buf, 0, part->len_bytes);
		return 0;
	}
	if (buf != NULL && part->len_bytes == PRMEM_PAGE_SIZE)
		return disk_copy_page(inst, part->idx, entry, buf);
	return read_by_copy(inst, part, entry, buf);
}

/*
 * What a batch of pages has of a request; @buf NULL only checks.  No processor
 * fetches ahead beyond the end of a page, nor translates an address that
 * nothing has asked for: it is asked while the page before is being copied.
 * Context: read lock held, in a window.
 */
static int
read_pages(struct prmem_instance *inst, char *buf, uint64_t len_bytes, uint64_t off)
{
	XA_STATE(xas, &inst->xa);
	xa_entry_t next;
	int r = 0;

	if (UNLIKELY(atomic_load_explicit(&inst->removed, memory_order_relaxed)))
		return -ESHUTDOWN;
	next = xas_load(&xas, (uint32_t)(off >> PRMEM_PAGE_SHIFT));
	while (len_bytes > 0 && r == 0) {
		struct disk_part part = disk_part_at(off, len_bytes);
		xa_entry_t entry = next;

		if (part.len_bytes < len_bytes) {
			next = xas_load(&xas, part.idx + 1);
			__builtin_prefetch(page_of(inst, next));
		}
		r = read_part(inst, &part, entry, buf);
		buf = buf == NULL ? NULL : buf + part.len_bytes;
		off += part.len_bytes;
		len_bytes -= part.len_bytes;
	}
	return r;
}

static FLATTEN int
read_batch(struct prmem_instance *inst, char *buf, uint64_t len_bytes, uint64_t off)
{
	struct guard_window window;
	int r;

	xa_read_lock();
	if (GUARD_ENTER(&window, inst->pool) != 0) {
		xa_read_unlock();
		bad_page_note(inst->pool, window.pfn);
		return -EIO;
	}
	r = read_pages(inst, buf, len_bytes, off);
	guard_leave();
	xa_read_unlock();
	return r;
}

/* Go through a range in batches that end where a batch of pages ends. */
static int
read_range(struct prmem_disk *disk, char *buf, uint64_t len_bytes, uint64_t off)
{
	const uint64_t batch_bytes = DISK_BATCH_PAGES * PRMEM_PAGE_SIZE;
	int r = disk_check_range(disk, len_bytes, off);

	while (r == 0 && len_bytes > 0) {
		uint64_t n = MIN(len_bytes, batch_bytes - off % batch_bytes);

		r = read_batch(disk->inst, buf, n, off);
		buf = buf == NULL ? NULL : buf + n;
		off += n;
		len_bytes -= n;
	}
	if (UNLIKELY(r < 0))
		bad_pages_save(disk->inst->pool);
	return r;
}

FLATTEN int
prmem_disk_read(struct prmem_disk *disk, void *buf, size_t len_bytes, uint64_t off)
{
	struct stats_request request = disk_stats_begin(disk, STATS_READ, len_bytes);
	int r = read_range(disk, buf, len_bytes, off);

	stats_end(&request, len_bytes, r);
	return r;
}

/* Holes of up to 4 GiB are skipped by the tree, not page by page. */
static uint64_t
skip_hole(struct prmem_instance *inst, uint64_t len_bytes, uint64_t off)
{
	XA_STATE(xas, &inst->xa);
	uint32_t idx = (uint32_t)(off >> PRMEM_PAGE_SHIFT);
	uint64_t end = 0;

	xa_read_lock();
	if (xas_load(&xas, idx) == 0)
		end = (idx + xas_skip(&xas, idx)) << PRMEM_PAGE_SHIFT;
	xa_read_unlock();
	return end <= off ? 0 : MIN(len_bytes, end - off);
}

int
prmem_disk_cache(struct prmem_disk *disk, uint64_t len_bytes, uint64_t off)
{
	int r = disk_check_range(disk, len_bytes, off);

	while (r == 0 && len_bytes > 0) {
		uint64_t n = skip_hole(disk->inst, len_bytes, off);

		if (n == 0) {
			n = MIN(len_bytes, PRMEM_PAGE_SIZE * DISK_BATCH_PAGES);
			r = read_range(disk, NULL, n, off);
		}
		off += n;
		len_bytes -= n;
	}
	return r;
}
