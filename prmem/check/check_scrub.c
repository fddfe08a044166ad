/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scrub: reading all content and comparing it with its proofs, at the
 * pace that it was given.
 */
#include "prmem/check/check_scrub.h"

#include <errno.h>
#include <time.h>

#include "common/crc32c.h"
#include "common/le.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/check/check_types.h"
#include "prmem/check/findings.h"
#include "prmem/core/guard.h"
#include "prmem/core/pool.h"
#include "prmem/instance/data.h"
#include "prmem/instance/instance_types.h"
#include "prmem/instance/loan.h"
#include "prmem/instance/stats.h"
#include "prmem/object/object.h"
#include "xarray/xa_internal.h"
#include "xarray/xa_rcu.h"

#define BATCH 64u /* entries between two looks at the clock */
#define PAUSE_MAX_NS UINT64_C(100000000) /* so that an end is noticed soon */

/* Entries of one leaf. */
struct leaf {
	uint32_t nr;
	uint32_t idx[XA_CHUNK_SIZE];
	xa_entry_t entry[XA_CHUNK_SIZE];
};

/* Context: in a window. */
static uint32_t
crc_of_pages(uint32_t crc, const char *p, size_t left, uint32_t pfn)
{
	while (left > 0) {
		size_t n = MIN(left, PRMEM_PAGE_SIZE);

		guard_at(pfn++);
		crc = crc32c(crc, p, n);
		p += n;
		left -= n;
	}
	return crc;
}

/*
 * Compute the CRC of an object.
 * Return: 0; -EFAULT when it cannot be read: the caller puts *ret_bad aside
 *   when it holds no lock any more.
 */
static int
crc_of(struct prmem_pool *pool, const struct object *obj, uint32_t seed, uint32_t *ret_crc, uint32_t *ret_bad)
{
	struct guard_window window;
	uint32_t pfn = 0;

	if (!pool_pfn_of(pool, obj->start, &pfn))
		return -EFAULT;
	if (GUARD_ENTER(&window, pool) != 0) {
		*ret_bad = window.pfn;
		guard_leave();
		return -EFAULT;
	}
	*ret_crc = crc_of_pages(seed, obj->start, obj->len_bytes, pfn);
	guard_leave();
	return 0;
}

/* A run is long: a loan keeps it where it is, for a read lock would hold up everybody. */
static int
check_run(struct prmem_instance *inst, uint32_t idx, xa_entry_t entry, uint64_t *ret_bytes)
{
	uint32_t crc = 0, bad = 0;
	struct object obj;
	xa_entry_t now;
	int r;

	r = instance_pin(inst, idx, &now, &obj);
	if (r < 0)
		return r == -ENOMEM ? r : now == entry && r == -EIO ? -EIO : 0;
	if (now != entry) {
		instance_unpin(inst, now);
		return 0;
	}
	*ret_bytes = obj.len_bytes;
	r = crc_of(inst->pool, &obj, xa_content_seed(inst->xa.lineage, idx, obj.kind), &crc, &bad);
	instance_unpin(inst, now);
	if (r == -EFAULT)
		bad_page_note(inst->pool, bad);
	if (r < 0)
		return r;
	return xa_proof_of_crc(crc) == xa_entry_proof(entry) ? 1 : -EIO;
}

/* Context: read lock held. */
static int
check_small(struct prmem_instance *inst, uint32_t idx, xa_entry_t entry, uint64_t *ret_bytes, uint32_t *ret_bad)
{
	struct object obj;
	uint32_t crc = 0;
	int r;

	if (atomic_load(&inst->removed) && !pool_is_read_only(inst->pool))
		return 0;
	if (xa_load(&inst->xa, idx) != entry)
		return 0;
	if (object_of_slot(inst->pool, xa_entry_kind(entry), xa_entry_payload(entry), &obj) < 0)
		return -EIO;
	*ret_bytes = obj.len_bytes;
	r = crc_of(inst->pool, &obj, xa_content_seed(inst->xa.lineage, idx, obj.kind), &crc, ret_bad);
	if (r < 0)
		return r;
	return xa_proof_of_crc(crc) == xa_entry_proof(entry) ? 1 : -EIO;
}

int
check_content(struct prmem_instance *inst, uint32_t idx, xa_entry_t entry, uint64_t *ret_bytes)
{
	uint32_t bad = 0;
	int r;

	if (xa_entry_kind(entry) == XA_KIND_RUN)
		return check_run(inst, idx, entry, ret_bytes);
	xa_read_lock();
	r = check_small(inst, idx, entry, ret_bytes, &bad);
	xa_read_unlock();
	if (r == -EFAULT)
		bad_page_note(inst->pool, bad);
	return r;
}

int
check_data(struct prmem_instance *inst)
{
	uint64_t slot = le64_to_cpu(inst->rec.data);
	uint32_t crc = 0, bad = 0;
	struct object obj;
	int r;

	if (slot == 0)
		return 1;
	if (object_of_slot(inst->pool, xa_entry_kind(slot), xa_entry_payload(slot), &obj) < 0)
		return -EIO;
	r = crc_of(inst->pool, &obj, xa_content_seed(inst->xa.lineage ^ DATA_LINEAGE, 0, obj.kind), &crc, &bad);
	if (r == -EFAULT)
		bad_page_note(inst->pool, bad);
	if (r < 0)
		return r;
	return xa_proof_of_crc(crc) == xa_entry_proof(slot) ? 1 : -EIO;
}

static void
add_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	struct leaf *leaf = opaque;
	enum xa_kind kind = xa_entry_kind(entry);

	if (kind != XA_KIND_PAGE && kind != XA_KIND_RUN && kind != XA_KIND_BUFFER)
		return;
	leaf->idx[leaf->nr] = idx;
	leaf->entry[leaf->nr++] = entry;
}

/* Wait until no more than the limit has been read.  Return: 0, -ECANCELED. */
static int
keep_pace(struct check *c)
{
	uint64_t limit = c->args->max_bytes_per_s;

	if (limit == 0)
		return 0;
	for (;;) {
		uint64_t spent = stats_now_ns() - c->scrub_started_ns;
		double due = (double)c->result->nr_scrubbed_bytes / (double)limit * 1e9;
		uint64_t wait = due > (double)spent ? (uint64_t)(due - (double)spent) : 0;
		struct timespec ts = {0, (long)MIN(wait, PAUSE_MAX_NS)};
		int r;

		if (wait == 0)
			return 0;
		nanosleep(&ts, NULL);
		r = check_tick(c, 0);
		if (r < 0)
			return r;
	}
}

static void
judge(struct check *c, struct prmem_instance *inst, uint32_t idx, int r)
{
	struct check_found found = {.inst = inst, .idx = idx, .nr = 1};

	if (r == -EFAULT) {
		found.kind = PRMEM_FOUND_MEMORY;
		found.text = "its memory cannot be read";
	} else {
		found.kind = PRMEM_FOUND_CONTENT;
		found.text = "its content does not match its checksum";
	}
	c->result->nr_crc_errors++;
	check_found(c, &found);
}

static int
scrub_leaf(struct check *c, struct prmem_instance *inst, const struct leaf *leaf)
{
	for (uint32_t i = 0; i < leaf->nr; i++) {
		uint64_t bytes = 0;
		int r = check_content(inst, leaf->idx[i], leaf->entry[i], &bytes);

		if (r == -ENOMEM)
			return r;
		c->result->nr_scrubbed_bytes += bytes;
		if (r < 0)
			judge(c, inst, leaf->idx[i], r);
		if (i % BATCH == BATCH - 1 || i + 1 == leaf->nr) {
			r = check_tick(c, i % BATCH + 1);
			if (r == 0)
				r = keep_pace(c);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* The entries of the leaf for @idx.  Return: where to go on: behind it, or behind the hole or damage in its place. */
static uint64_t
read_leaf(struct prmem_instance *inst, uint32_t idx, struct leaf *leaf)
{
	const struct xa_visitor visitor = {.entry = add_entry, .opaque = leaf};
	XA_STATE(xas, &inst->xa);
	uint64_t next = (uint64_t)(idx | XA_CHUNK_MASK) + 1, skip;
	xa_entry_t entry;

	leaf->nr = 0;
	xa_read_lock();
	entry = xas_load(&xas, idx);
	/* Behind one damaged slot of the topmost level lie more leaves than anybody has time for. */
	skip = entry == 0 || xa_is_err(entry) ? xas_skip(&xas, idx) : 1;
	if (atomic_load(&inst->removed) && !pool_is_read_only(inst->pool))
		next = UINT64_C(1) << XA_INDEX_BITS;
	else if (skip >= XA_CHUNK_SIZE)
		next = MAX(next, ROUND_DOWN(idx + skip, XA_CHUNK_SIZE));
	else
		xa_walk(&inst->xa, idx, (uint32_t)(next - 1), &visitor);
	xa_read_unlock();
	return next;
}

int
check_scrub(struct check *c)
{
	struct leaf leaf;

	c->scrub_started_ns = stats_now_ns();
	for (uint32_t i = 0; i < c->nr_insts; i++) {
		struct prmem_instance *inst = c->insts[i];
		int r;

		/* What a wipe has begun with matches nothing any more, and nobody will read it. */
		if (atomic_load(&inst->removed))
			continue;
		pthread_mutex_lock(&c->pool->dir->inst_lock);
		r = check_data(inst);
		pthread_mutex_unlock(&c->pool->dir->inst_lock);
		if (r < 0) {
			const struct check_found found = {.kind = PRMEM_FOUND_CONTENT,
							  .inst = inst,
							  .text = "its data does not match its checksum"};

			c->result->nr_crc_errors++;
			check_found(c, &found);
		}
		for (uint64_t idx = 0; idx <= XA_MAX_INDEX;) {
			idx = read_leaf(inst, (uint32_t)idx, &leaf);
			r = scrub_leaf(c, inst, &leaf);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
