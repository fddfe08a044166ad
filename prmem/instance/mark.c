/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mark: at open, every instance's array is walked, and what it reaches is
 * in use; everything else is free (DESIGN: the index is the only truth).
 *
 * A page that is reached twice gets an extra owner (page_refs.h), so that
 * replacing it in one place cannot free it under the other.  If it is shared
 * by design that is the reference count; if a damaged slot points where it
 * should not, its proof fails when it is read, and nobody else is harmed.
 *
 * The work is cut into ranges of 2^18 indices (1 GiB of disk); threads take
 * one after the other.  The threads end before the open returns, so that a
 * caller may fork.
 */
#include "prmem/instance/mark.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/core/notice.h"
#include "prmem/core/pool.h"
#include "prmem/format/buffer_format.h"
#include "prmem/instance/instance_types.h"
#include "prmem/instance/record.h"
#include "prmem/object/buffer.h"
#include "prmem/object/object.h"
#include "prmem/prmem.h"
#include "xarray/xa_internal.h"

#define MARK_RANGE_SHIFT 18
#define MARK_WORD_PAGES 64u

struct mark_task {
	struct prmem_instance *inst;
	uint32_t first, last;
};

struct mark_job {
	struct mark_task *tasks;
	size_t nr_tasks;
	_Atomic size_t next_task;
};

/* What one task counts, so that threads do not fight over the instance's counters. */
struct mark_count {
	struct prmem_instance *inst;
	uint64_t nr_pages_of_disk;
	uint64_t nr_entries, nr_nodes, nr_damaged;
	bool behind_end, structure;
};

/* What was marked before gets an extra owner. */
static bool
mark_again(struct prmem_pool *pool, uint32_t pfn, uint32_t nr)
{
	if (pool_page(pool, pfn) == NULL || pool_page(pool, pfn + nr - 1) == NULL)
		return false;
	return page_refs_add(pool->refs, (uint64_t)pfn << BUFFER_GRANULE_SHIFT) == 0;
}

static bool
mark_pages(struct prmem_pool *pool, uint32_t pfn, uint32_t nr)
{
	return page_mark(pool->pages, pfn, nr) || mark_again(pool, pfn, nr);
}

bool
mark_node(struct prmem_pool *pool, uint32_t pfn)
{
	return mark_pages(pool, pfn, 1);
}

bool
mark_object(struct prmem_pool *pool, enum xa_kind kind, uint32_t payload)
{
	struct object obj;

	switch (kind) {
	case XA_KIND_PAGE:
		return mark_pages(pool, payload, 1);
	case XA_KIND_RUN:
		if (object_of_slot(pool, kind, payload, &obj) < 0)
			return false;
		return mark_pages(pool, object_run_pfn(payload), 1u << object_run_order(payload));
	case XA_KIND_BUFFER:
		if (buffer_mark(pool->buffers, payload))
			return true;
		/* Whatever is there is not this slot's alone: never free it through this slot. */
		if (page_refs_add(pool->refs, payload) < 0)
			return false;
		return object_of_slot(pool, kind, payload, &obj) == 0;
	case XA_KIND_VALUE:
	case XA_KIND_BAD:
		return true;
	case XA_KIND_HOLE:
	case XA_KIND_NODE:
		break;
	}
	return false;
}

static bool
visit_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct mark_count *count = opaque;

	(void)level;
	count->nr_nodes++;
	/* Even if it holds nothing: the disk's own pages need other ones. */
	if (first >= count->nr_pages_of_disk)
		count->behind_end = true;
	if (!mark_node(count->inst->pool, pfn))
		count->structure = true;
	return true;
}

static void
visit_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	struct mark_count *count = opaque;

	if (!mark_object(count->inst->pool, xa_entry_kind(entry), xa_entry_payload(entry)))
		count->nr_damaged++;
	/* What is known as lost has no page. */
	if (xa_entry_kind(entry) != XA_KIND_BAD)
		count->nr_entries++;
	if (idx >= count->nr_pages_of_disk)
		count->behind_end = true;
}

/* Pages of one word of the bitmap, to be marked by one store: most are written, and found, in their order. */
struct marks {
	uint32_t word;
	uint64_t mask;
};

static void
put_marks(struct mark_count *count, const struct marks *marks)
{
	struct prmem_pool *pool = count->inst->pool;
	uint64_t again = marks->mask == 0 ? 0 : page_mark_bits(pool->pages, marks->word, marks->mask);

	for (; UNLIKELY(again != 0); again &= again - 1) {
		if (!mark_again(pool, marks->word * MARK_WORD_PAGES + (uint32_t)__builtin_ctzll(again), 1))
			count->nr_damaged++;
	}
}

/* How far ahead in a leaf the words of the bitmap are fetched. */
#define MARK_AHEAD 16u

static void
visit_entries(void *opaque, uint32_t idx, const xa_entry_t *entries, uint32_t nr)
{
	struct mark_count *count = opaque;
	struct prmem_pool *pool = count->inst->pool;
	uint64_t nr_pages = pool->nr_pages, nr_entries = 0;
	struct marks marks = {0};

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t pfn = xa_entry_payload(entries[i]), word = pfn / MARK_WORD_PAGES;
		uint64_t bit = UINT64_C(1) << (pfn % MARK_WORD_PAGES);

		if (i + MARK_AHEAD < nr)
			page_mark_soon(pool->pages, xa_entry_payload(entries[i + MARK_AHEAD]));
		if (entries[i] == 0)
			continue;
		if (UNLIKELY(xa_entry_kind(entries[i]) != XA_KIND_PAGE || pfn >= nr_pages)) {
			visit_entry(opaque, idx + i, entries[i]);
			continue;
		}
		nr_entries++;
		/* A page that is named twice here must be seen to be. */
		if (word != marks.word || (marks.mask & bit) != 0) {
			put_marks(count, &marks);
			marks = (struct marks){.word = word};
		}
		marks.mask |= bit;
		if (UNLIKELY((uint64_t)idx + i >= count->nr_pages_of_disk))
			count->behind_end = true;
	}
	put_marks(count, &marks);
	count->nr_entries += nr_entries;
}

static void
visit_damage(void *opaque, uint32_t idx, uint64_t nr, unsigned int level, uint64_t slot)
{
	struct mark_count *count = opaque;

	/* What an earlier repair gave up is settled. */
	if (xa_is_lost_slot(&count->inst->xa, level, idx, slot))
		return;
	count->nr_damaged += nr;
	/* A leaf slot stands for one page; a lost node hides what others still reach. */
	if (level > 0)
		count->structure = true;
}

static void
mark_task_run(const struct mark_task *task)
{
	struct prmem_instance *inst = task->inst;
	struct mark_count count = {.inst = inst, .nr_pages_of_disk = UINT64_MAX};
	const struct xa_visitor visitor = {
		.node = visit_node, .entries = visit_entries, .damage = visit_damage, .opaque = &count};

	if (instance_is_disk(inst))
		count.nr_pages_of_disk = DIV_ROUND_UP(le64_to_cpu(inst->rec.size_bytes), PRMEM_PAGE_SIZE);
	xa_walk(&inst->xa, task->first, task->last, &visitor);
	/* Most ranges of a high tree are empty. */
	if (count.nr_nodes == 0 && count.nr_entries == 0 && count.nr_damaged == 0)
		return;
	atomic_fetch_add(&inst->nr_entries, count.nr_entries);
	atomic_fetch_add(&inst->xa.nr_nodes, count.nr_nodes);
	atomic_fetch_add(&inst->nr_damaged, count.nr_damaged);
	atomic_fetch_add(&inst->pool->nr_damaged, count.nr_damaged);
	if (count.behind_end)
		__atomic_store_n(&inst->behind_end, true, __ATOMIC_RELAXED);
	if (count.structure)
		pool_set_read_only(inst->pool,
				   "a node of %s %s is damaged; what it held cannot be read, all else can; "
				   "copy the data away or repair the pool",
				   inst->rec.subsystem, inst->rec.name);
}

static void *
mark_thread(void *opaque)
{
	struct mark_job *job = opaque;

	for (;;) {
		size_t i = atomic_fetch_add(&job->next_task, 1);

		if (i >= job->nr_tasks)
			return NULL;
		mark_task_run(&job->tasks[i]);
	}
}

/* The last index that a tree of a height can hold. */
static uint32_t
last_index(unsigned int height)
{
	unsigned int bits = height * XA_CHUNK_SHIFT;

	return bits >= 32 ? UINT32_MAX : (uint32_t)((UINT64_C(1) << bits) - 1);
}

static size_t
nr_tasks_of(struct prmem_instance *inst)
{
	unsigned int height = xa_height(&inst->xa);

	return height == 0 ? 0 : (size_t)(last_index(height) >> MARK_RANGE_SHIFT) + 1;
}

int
mark_instances(struct directory *dir, unsigned int nr_threads)
{
	struct mark_job job = {0};
	pthread_t *threads;
	unsigned int nr_started = 0;

	for (struct prmem_instance *inst = dir->first; inst != NULL; inst = inst->next)
		job.nr_tasks += nr_tasks_of(inst);
	if (job.nr_tasks == 0)
		return 0;
	job.tasks = calloc(job.nr_tasks, sizeof *job.tasks);
	threads = calloc(nr_threads, sizeof *threads);
	if (job.tasks == NULL || threads == NULL) {
		free(job.tasks);
		free(threads);
		return -ENOMEM;
	}
	for (struct prmem_instance *inst = dir->first; inst != NULL; inst = inst->next) {
		uint32_t last = last_index(xa_height(&inst->xa));

		for (size_t t = 0, nr = nr_tasks_of(inst); t < nr; t++) {
			struct mark_task *task = &job.tasks[job.next_task++];

			task->inst = inst;
			task->first = (uint32_t)(t << MARK_RANGE_SHIFT);
			task->last = MIN(last, (uint32_t)(task->first + (UINT32_C(1) << MARK_RANGE_SHIFT) - 1));
		}
	}
	job.next_task = 0;

	/* A thread that cannot be had leaves its work to the others: this one works too. */
	while (nr_started + 1 < nr_threads && nr_started + 1 < job.nr_tasks &&
	       pthread_create(&threads[nr_started], NULL, mark_thread, &job) == 0)
		nr_started++;
	mark_thread(&job);
	while (nr_started > 0)
		pthread_join(threads[--nr_started], NULL);
	free(job.tasks);
	free(threads);
	return 0;
}
