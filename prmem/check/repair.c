/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repairing a pool, as a whole.
 *
 * Flow:
 *	1. make both superblocks alike
 *	2. the directory: its nodes, its slots, the records that they name
 *	3. the array of each instance, those that came to light in 2 included
 * Each change is one durable store that leaves less damage than before, so
 * that a repair may be interrupted anywhere and begun again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/check/check_scrub.h"
#include "prmem/check/check_types.h"
#include "prmem/check/findings.h"
#include "prmem/check/repair_array.h"
#include "prmem/check/repair_record.h"
#include "prmem/check/repair_store.h"
#include "prmem/check/repair_types.h"
#include "prmem/core/notice.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/record.h"
#include "prmem/memory/error.h"
#include "prmem/memory/sized.h"
#include "prmem/memory/superblock.h"

/* ---- 1 ---- */

static void
repair_superblocks(struct repair *r)
{
	static const uint32_t pfns[2] = {SB_PFN_A, SB_PFN_B};
	struct prmem_pool *pool = r->pool;
	struct sb_media sb;
	bool alike = true;

	LOCK_FOR_SCOPE(&pool->sb_lock);
	for (unsigned int i = 0; i < 2 && r->error == 0; i++) {
		if (check_copy_page(pool, pfns[i], &sb) && memcmp(&sb, &pool->sb, sizeof sb) == 0)
			continue;
		alike = false;
		repair_found(r, PRMEM_FOUND_SUPERBLOCK, pfns[i], 1, true, "a superblock was made like the other one");
		if (r->c->args->keep != NULL)
			r->error = r->c->args->keep(r->c->args->opaque, (uint64_t)pfns[i] << PRMEM_PAGE_SHIFT, &sb,
						    sizeof sb);
	}
	if (!alike && r->error == 0)
		sb_repair(pool->pm, &pool->sb);
}

/* ---- 2 ---- */

static struct prmem_instance *
instance_of_number(struct directory *dir, uint32_t number)
{
	struct prmem_instance *inst = dir->first;

	while (inst != NULL && inst->number != number)
		inst = inst->next;
	return inst;
}

/* A record of the directory as it is now: is its instance known? */
static void
come_to_light(void *opaque, uint32_t number, xa_entry_t entry)
{
	struct repair *r = opaque;
	struct directory *dir = r->pool->dir;
	struct prmem_instance *inst;
	struct record_media rec;

	if (r->error < 0 || instance_of_number(dir, number) != NULL || xa_entry_kind(entry) != XA_KIND_PAGE ||
	    pool_page(r->pool, xa_entry_payload(entry)) == NULL ||
	    !check_copy_page(r->pool, xa_entry_payload(entry), &rec) ||
	    record_proof(dir, number, &rec) != xa_entry_proof(entry) || record_check(&rec) != NULL)
		return;
	inst = instance_new(r->pool, number, xa_entry_payload(entry), &rec);
	if (inst == NULL) {
		r->error = -ENOMEM;
		return;
	}
	instance_link_locked(dir, inst);
	r->error = check_hold(r->c, inst);
}

static void
repair_directory(struct repair *r)
{
	const struct xa_visitor visitor = {.entry = come_to_light, .opaque = r};

	r->inst = NULL;
	r->xa = &r->pool->dir->xa;
	r->nr_pages_of_disk = UINT64_MAX;
	repair_array(r);
	repair_lost_records(r);
	if (r->error == 0)
		xa_walk(r->xa, 0, XA_MAX_INDEX, &visitor);
}

/* ---- 3 ---- */

static void
repair_instance(struct repair *r, struct prmem_instance *inst)
{
	r->inst = inst;
	r->xa = &inst->xa;
	r->nr_pages_of_disk = UINT64_MAX;
	if (instance_is_disk(inst))
		r->nr_pages_of_disk = DIV_ROUND_UP(atomic_load(&inst->size_bytes), PRMEM_PAGE_SIZE);
	r->c->result->nr_instances++;
	repair_array(r);
	if (r->scrub && check_data(inst) < 0)
		repair_found(r, PRMEM_FOUND_CONTENT, 0, 0, false,
			     "its data is damaged, and stays so until it is set anew");
}

static int
repair_all(struct repair *r)
{
	repair_superblocks(r);
	if (r->error == 0)
		repair_directory(r);
	for (uint32_t i = 0; i < r->c->nr_insts && r->error == 0; i++) {
		repair_instance(r, r->c->insts[i]);
		if (r->error == 0)
			r->error = check_tick(r->c, 0);
	}
	free(r->lost);
	check_tell(r->c);
	return r->error < 0 ? r->error : page_sync(r->pool->pages);
}

static int
check_nobody_uses_it(struct prmem_pool *pool, struct prmem_error *err)
{
	if (pool->pm->read_only)
		return error_set(err, -EROFS, "pool %.200s was opened read-only: cannot repair it", pool->path);
	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	for (struct prmem_instance *inst = pool->dir->first; inst != NULL; inst = inst->next) {
		if (inst->nr_handles > 0)
			return error_set(err, -EBUSY, "pool %.200s: %s %s is in use: nothing may be, during a repair",
					 pool->path, inst->rec.subsystem, inst->rec.name);
	}
	return 0;
}

int
prmem_repair(struct prmem_pool *pool, const struct prmem_check_args *args, size_t args_bytes,
	     struct prmem_check_result *ret_result, size_t result_bytes, struct prmem_error *err)
{
	struct check c;
	struct repair r = {.c = &c, .pool = pool};
	struct prmem_check_args whole;
	struct prmem_check_result result;
	int ret = check_take_args(&whole, args, args_bytes, err);

	if (ret == 0)
		ret = check_nobody_uses_it(pool, err);
	if (ret < 0)
		return ret;
	whole.disk = NULL;
	r.scrub = (whole.flags & PRMEM_CHECK_SCRUB) != 0;
	ret = check_begin(&c, pool, &whole, &result, err);
	if (ret < 0)
		return ret;
	/* Nothing is to be handed out: what the mark did not reach may be in use. */
	pool_set_read_only(pool, "it was repaired: close it and open it again");
	ret = repair_all(&r);
	check_end(&c);
	if (ret < 0)
		return error_set(err, ret, "pool %.200s: the repair was ended: %s", pool->path,
				 ret == -ECANCELED ? "it was interrupted" : strerror(-ret));
	sized_fill(ret_result, result_bytes, &result, sizeof result);
	return 0;
}
