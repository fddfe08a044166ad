/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a check finds.
 *
 * Callbacks are called with no lock held: findings wait in a list until then.
 */
#include "prmem/check/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/check/check_types.h"
#include "prmem/core/guard.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/record.h"
#include "prmem/instance/stats.h"
#include "prmem/memory/error.h"
#include "prmem/memory/sized.h"
#include "prmem/object/proof.h"

static int
hold_instances(struct check *c, struct prmem_error *err)
{
	struct directory *dir = c->pool->dir;
	const char *wanted = c->args->disk;
	uint32_t nr = 0;

	LOCK_FOR_SCOPE(&dir->inst_lock);
	for (struct prmem_instance *inst = dir->first; inst != NULL; inst = inst->next)
		nr++;
	c->insts = calloc(nr + 1, sizeof(struct prmem_instance *));
	if (c->insts == NULL)
		return error_set(err, -ENOMEM, "pool %.200s: out of memory", c->pool->path);
	for (struct prmem_instance *inst = dir->first; inst != NULL; inst = inst->next) {
		/* One that is being removed goes away under us, unless nobody can change anything. */
		if (atomic_load(&inst->removed) && !pool_is_read_only(c->pool))
			continue;
		if (wanted != NULL && (!instance_is_disk(inst) || instance_is_hidden(inst) ||
				       strcmp(inst->rec.name, wanted) != 0))
			continue;
		inst->nr_holds++;
		c->insts[c->nr_insts++] = inst;
	}
	if (wanted != NULL && c->nr_insts == 0)
		return error_set(err, -ENOENT, "pool %.200s: there is no disk %s", c->pool->path, wanted);
	return 0;
}

int
check_take_args(struct prmem_check_args *known, const struct prmem_check_args *args, size_t args_bytes,
		struct prmem_error *err)
{
	static const struct prmem_check_args plain;

	return args == NULL ? SIZED_TAKE(known, opaque, &plain, sizeof plain, err)
			    : SIZED_TAKE(known, opaque, args, args_bytes, err);
}

int
check_begin(struct check *c, struct prmem_pool *pool, const struct prmem_check_args *args,
	    struct prmem_check_result *result, struct prmem_error *err)
{
	int r;

	memset(c, 0, sizeof *c);
	memset(result, 0, sizeof *result);
	c->pool = pool;
	c->args = args;
	c->result = result;
	r = hold_instances(c, err);
	if (r == 0 && args->disk == NULL) {
		c->nr_words = DIV_ROUND_UP(pool->nr_pages, 64);
		c->reached = calloc(c->nr_words, sizeof *c->reached);
		c->buffers = calloc(c->nr_words, sizeof *c->buffers);
		if (c->reached == NULL || c->buffers == NULL)
			r = error_set(err, -ENOMEM, "pool %.200s: out of memory", pool->path);
	}
	for (uint32_t i = 0; i < c->nr_insts; i++)
		c->total += atomic_load(&c->insts[i]->nr_entries);
	if ((args->flags & PRMEM_CHECK_SCRUB) != 0)
		c->total *= 2;
	c->scrub_started_ns = stats_now_ns();
	if (r < 0)
		check_end(c);
	return r;
}

int
check_hold(struct check *c, struct prmem_instance *inst)
{
	struct prmem_instance **more = realloc(c->insts, (c->nr_insts + 1) * sizeof *more);

	if (more == NULL)
		return -ENOMEM;
	c->insts = more;
	inst->nr_holds++;
	c->insts[c->nr_insts++] = inst;
	return 0;
}

void
check_end(struct check *c)
{
	pthread_mutex_lock(&c->pool->dir->inst_lock);
	for (uint32_t i = 0; i < c->nr_insts; i++) {
		c->insts[i]->nr_holds--;
		instance_put_locked(c->insts[i]);
	}
	pthread_mutex_unlock(&c->pool->dir->inst_lock);
	free(c->insts);
	free(c->reached);
	free(c->buffers);
	free(c->twice);
	free(c->places);
	free(c->found);
	memset(c, 0, sizeof *c);
}

void
check_found(struct check *c, const struct check_found *found)
{
	struct check_found *last = c->nr_found > 0 ? &c->found[c->nr_found - 1] : NULL;

	if (found->kind != PRMEM_FOUND_LOST && found->kind != PRMEM_FOUND_BEHIND)
		wary_begin(c->pool);
	if (last != NULL && last->kind == found->kind && last->inst == found->inst && last->text == found->text &&
	    last->repaired == found->repaired && last->idx + last->nr == found->idx && found->inst != NULL) {
		last->nr += found->nr;
		return;
	}
	if (c->nr_found == c->max_found) {
		size_t max = MAX(64, 2 * c->max_found);
		struct check_found *more = realloc(c->found, max * sizeof *more);

		if (more == NULL) {
			c->no_memory = true;
			return;
		}
		c->found = more;
		c->max_found = max;
	}
	c->found[c->nr_found++] = *found;
}

static void
tell_one(struct check *c, const struct check_found *found)
{
	struct {
		struct prmem_finding finding;
		char zeroes[PRMEM_CALLBACK_BYTES - sizeof(struct prmem_finding)];
	} told = {.finding = {.kind = found->kind, .subsystem = "", .name = "", .text = found->text}};
	struct prmem_finding *finding = &told.finding;
	struct prmem_instance *inst = found->inst;
	char subsystem[sizeof inst->rec.subsystem], name[sizeof inst->rec.name];

	finding->off = found->idx;
	finding->len_bytes = found->nr;
	finding->repaired = found->repaired;
	if (inst != NULL) {
		/* It may be renamed. */
		pthread_mutex_lock(&c->pool->dir->inst_lock);
		memcpy(subsystem, inst->rec.subsystem, sizeof subsystem);
		memcpy(name, inst->rec.name, sizeof name);
		pthread_mutex_unlock(&c->pool->dir->inst_lock);
		finding->subsystem = subsystem;
		finding->name = name;
		finding->is_disk = instance_is_disk(inst);
	}
	if (finding->is_disk) {
		uint64_t size_bytes = atomic_load(&inst->size_bytes);

		finding->off = found->idx << PRMEM_PAGE_SHIFT;
		finding->len_bytes = found->nr << PRMEM_PAGE_SHIFT;
		/* The disk's last page may end behind its end. */
		if (finding->off < size_bytes)
			finding->len_bytes = MIN(finding->len_bytes, size_bytes - finding->off);
	}
	if (found->kind != PRMEM_FOUND_LOST && found->kind != PRMEM_FOUND_BEHIND)
		c->result->nr_findings++;
	if (found->repaired)
		c->result->nr_repaired++;
	if (c->args->report != NULL)
		c->args->report(c->args->opaque, finding);
}

static void
tell_all_but(struct check *c, size_t nr_kept)
{
	size_t nr;

	if (c->nr_found <= nr_kept)
		return;
	nr = c->nr_found - nr_kept;
	for (size_t i = 0; i < nr; i++)
		tell_one(c, &c->found[i]);
	memmove(c->found, c->found + nr, nr_kept * sizeof *c->found);
	c->nr_found = nr_kept;
}

void
check_tell(struct check *c)
{
	tell_all_but(c, 0);
}

int
check_tick(struct check *c, uint64_t nr)
{
	/* The last one may still grow. */
	tell_all_but(c, 1);
	c->done += nr;
	if (c->args->progress != NULL && c->args->progress(c->args->opaque, c->done, MAX(c->done, c->total)) != 0)
		return -ECANCELED;
	return c->no_memory ? -ENOMEM : 0;
}

/* Copy a page that may be unreadable. */
bool
check_copy_page(struct prmem_pool *pool, uint32_t pfn, void *ret_page)
{
	struct guard_window window;
	bool readable = GUARD_ENTER(&window, pool) == 0;

	if (readable) {
		guard_at(pfn);
		memcpy(ret_page, pool_page(pool, pfn), PRMEM_PAGE_SIZE);
	}
	guard_leave();
	return readable;
}
