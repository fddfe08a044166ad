/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checking the structure: everything that the directory and the arrays reach
 * is there, is what it should be, and is reached once.
 *
 * While others write, a page that is met twice may only have moved from a
 * place that was looked at early to one that was looked at late.  So a second
 * round notes where the pages that were met twice are, and then the places of
 * each are looked at in one read lock: within it a page cannot move.
 */
#include "prmem/check/check_structure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/check/check_types.h"
#include "prmem/check/findings.h"
#include "prmem/core/pool.h"
#include "prmem/format/buffer_format.h"
#include "prmem/instance/instance_types.h"
#include "prmem/instance/record.h"
#include "prmem/object/object.h"
#include "xarray/xa_internal.h"
#include "xarray/xa_rcu.h"

/* The walk over one array. */
struct array_walk {
	struct check *c;
	struct prmem_instance *inst; /* NULL: the directory */
	struct xarray *xa;
	uint64_t nr_entries; /* in this range */
	bool again; /* the second round: only places of pages that were met twice */
};

static bool
test_and_set(uint64_t *bits, uint32_t pfn)
{
	uint64_t bit = UINT64_C(1) << (pfn % 64);
	bool was = (bits[pfn / 64] & bit) != 0;

	bits[pfn / 64] |= bit;
	return was;
}

static bool
test(const uint64_t *bits, uint32_t pfn)
{
	return (bits[pfn / 64] >> (pfn % 64) & 1) != 0;
}

static void
damaged_entry(struct array_walk *w, uint32_t idx, const char *text)
{
	const struct check_found found = {
		.kind = w->inst == NULL ? PRMEM_FOUND_RECORD : PRMEM_FOUND_ENTRY,
		.inst = w->inst,
		.idx = idx,
		.nr = 1,
		.text = text,
	};

	w->c->result->nr_damaged++;
	check_found(w->c, &found);
}

static void
note_twice(struct check *c, uint32_t pfn)
{
	if (c->twice == NULL)
		c->twice = calloc(c->nr_words, sizeof *c->twice);
	if (c->twice == NULL)
		c->no_memory = true;
	else
		test_and_set(c->twice, pfn);
}

static void
note_place(struct check *c, const struct check_place *place)
{
	if (c->nr_places == c->max_places) {
		size_t max = MAX(64, 2 * c->max_places);
		struct check_place *more = realloc(c->places, max * sizeof *more);

		if (more == NULL) {
			c->no_memory = true;
			return;
		}
		c->places = more;
		c->max_places = max;
	}
	c->places[c->nr_places++] = *place;
}

/* A place names a page.  Return: false if that cannot be a page in use. */
static bool
reach(struct array_walk *w, uint32_t pfn, uint32_t idx, unsigned int level, bool is_buffer)
{
	const struct check_place place = {w->inst, pfn, idx, level};
	struct check *c = w->c;
	const struct check_found is_free = {
		.kind = PRMEM_FOUND_FREE, .inst = w->inst, .idx = idx, .nr = 1, .text = "what it names counts as free"};

	if (pfn >= c->pool->nr_pages || pool_page(c->pool, pfn) == NULL || pool_is_fixed_page(c->pool, pfn))
		return false;
	/* The pool may have grown meanwhile. */
	if (c->reached == NULL || pfn / 64 >= c->nr_words)
		return true;
	if (w->again) {
		if (test(c->twice, pfn))
			note_place(c, &place);
		return true;
	}
	if (!page_is_marked(c->pool->pages, pfn))
		check_found(c, &is_free);
	if (is_buffer) {
		/* Many buffers share a page; but nothing else may be in it. */
		test_and_set(c->buffers, pfn);
		if (test(c->reached, pfn))
			note_twice(c, pfn);
	} else if (test_and_set(c->reached, pfn) || test(c->buffers, pfn)) {
		note_twice(c, pfn);
	}
	return true;
}

static bool
reach_object(struct array_walk *w, uint32_t idx, xa_entry_t entry, unsigned int level)
{
	uint32_t payload = xa_entry_payload(entry);
	struct object obj;
	bool ok = true;

	switch (xa_entry_kind(entry)) {
	case XA_KIND_PAGE:
		return reach(w, payload, idx, level, false);
	case XA_KIND_RUN:
		if (object_of_slot(w->c->pool, XA_KIND_RUN, payload, &obj) < 0)
			return false;
		for (uint32_t i = 0; i < UINT32_C(1) << object_run_order(payload); i++)
			ok = reach(w, object_run_pfn(payload) + i, idx, level, false) && ok;
		return ok;
	case XA_KIND_BUFFER:
		if (object_of_slot(w->c->pool, XA_KIND_BUFFER, payload, &obj) < 0)
			return false;
		return reach(w, payload / BUFFER_GRANULES_PER_PAGE, idx, level, true);
	case XA_KIND_VALUE:
	case XA_KIND_BAD:
		return true;
	default:
		return false;
	}
}

static const char *
what_is_wrong_with_record(struct directory *dir, uint32_t number, xa_entry_t entry)
{
	const struct record_media *media = pool_page(dir->pool, xa_entry_payload(entry));
	struct record_media rec;

	if (xa_entry_kind(entry) != XA_KIND_PAGE || media == NULL)
		return "its slot in the directory names no record";
	memcpy(&rec, media, sizeof rec);
	if (record_proof(dir, number, &rec) != xa_entry_proof(entry))
		return "its record does not match its proof";
	return record_check(&rec);
}

static bool
visit_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct array_walk *w = opaque;

	if (!w->again)
		w->c->result->nr_nodes++;
	reach(w, pfn, first, level, false);
	return true;
}

static void
visit_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	struct array_walk *w = opaque;
	const struct check_found lost = {
		.kind = PRMEM_FOUND_LOST, .inst = w->inst, .idx = idx, .nr = 1, .text = "lost since an earlier repair"};
	const char *wrong;

	w->nr_entries++;
	if (!reach_object(w, idx, entry, CHECK_ENTRY)) {
		if (!w->again)
			damaged_entry(w, idx, "it names what cannot be");
		return;
	}
	if (w->again)
		return;
	if (w->inst != NULL && xa_entry_kind(entry) == XA_KIND_BAD) {
		w->c->result->nr_lost++;
		check_found(w->c, &lost);
	}
	if (w->inst == NULL) {
		wrong = what_is_wrong_with_record(w->c->pool->dir, idx, entry);
		if (wrong != NULL)
			damaged_entry(w, idx, wrong);
	}
}

static void
visit_damage(void *opaque, uint32_t idx, uint64_t nr, unsigned int level, uint64_t slot)
{
	struct array_walk *w = opaque;
	struct check_found found = {.inst = w->inst, .idx = idx, .nr = nr};

	if (w->again)
		return;
	if (w->inst == NULL) {
		found.kind = level > 0 ? PRMEM_FOUND_DIRECTORY : PRMEM_FOUND_RECORD;
		found.text = level > 0 ? "a node of the directory is damaged" : "its slot in the directory is damaged";
	} else if (xa_is_lost_slot(w->xa, level, idx, slot)) {
		found.kind = PRMEM_FOUND_LOST;
		found.text = "lost since an earlier repair";
	} else {
		found.kind = level > 0 ? PRMEM_FOUND_NODE : PRMEM_FOUND_ENTRY;
		found.text = level > 0 ? "a node of its index is damaged" : "its entry in the index is damaged";
	}
	if (found.kind == PRMEM_FOUND_LOST)
		w->c->result->nr_lost += nr;
	else
		w->c->result->nr_damaged += nr;
	check_found(w->c, &found);
}

static bool
is_behind_tree(struct xarray *xa, uint64_t idx)
{
	unsigned int height = xa_height(xa);

	return !atomic_load(&xa->damaged_root) && height < XA_MAX_HEIGHT &&
	       idx >= UINT64_C(1) << (height * XA_CHUNK_SHIFT);
}

static int
walk_array(struct array_walk *w)
{
	const struct xa_visitor visitor = {.node = visit_node, .entry = visit_entry, .damage = visit_damage, .opaque = w};
	struct check *c = w->c;

	for (uint64_t first = 0; first <= XA_MAX_INDEX; first += UINT64_C(1) << CHECK_RANGE_SHIFT) {
		uint32_t last = (uint32_t)(first + (UINT64_C(1) << CHECK_RANGE_SHIFT) - 1);
		bool end;
		int r;

		w->nr_entries = 0;
		xa_read_lock();
		/* Once it is removed its nodes may be anything. */
		end = w->inst != NULL && atomic_load(&w->inst->removed) && !pool_is_read_only(c->pool);
		if (!end)
			xa_walk(w->xa, (uint32_t)first, last, &visitor);
		xa_read_unlock();
		r = 0;
		if (w->again) {
			r = check_tick(c, 0);
		} else if (w->inst != NULL) {
			c->result->nr_entries += w->nr_entries;
			r = check_tick(c, w->nr_entries);
		}
		if (r < 0)
			return r;
		/* What lies behind the tree's end is nothing. */
		if (end || is_behind_tree(w->xa, (uint64_t)last + 1))
			break;
	}
	return c->no_memory ? -ENOMEM : 0;
}

static void
walk_data(struct array_walk *w)
{
	struct prmem_instance *inst = w->inst;
	const struct check_found found = {
		.kind = PRMEM_FOUND_CONTENT, .inst = inst, .text = "its data names what cannot be"};
	uint64_t data;

	LOCK_FOR_SCOPE(&inst->pool->dir->inst_lock);
	data = le64_to_cpu(inst->rec.data);
	if (data != 0 && !reach_object(w, 0, data, CHECK_DATA) && !w->again)
		check_found(w->c, &found);
}

static int
walk_all(struct check *c, bool again)
{
	struct array_walk w = {.c = c, .again = again};
	int r = 0;

	if (c->reached != NULL) {
		w.xa = &c->pool->dir->xa;
		r = walk_array(&w);
	}
	for (uint32_t i = 0; i < c->nr_insts && r == 0; i++) {
		w.inst = c->insts[i];
		w.xa = &w.inst->xa;
		if (!again)
			c->result->nr_instances++;
		r = walk_array(&w);
		if (r == 0)
			walk_data(&w);
	}
	return r;
}

/* ---- pages that were met twice ---- */

struct still_there {
	const struct check_place *place;
	bool yes;
};

static bool
again_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct still_there *s = opaque;

	if (level == s->place->level && first == s->place->idx && pfn == s->place->pfn)
		s->yes = true;
	return !s->yes;
}

static void
again_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	struct still_there *s = opaque;
	uint32_t payload = xa_entry_payload(entry), first = payload, nr = 1;

	(void)idx;
	if (s->place->level != CHECK_ENTRY)
		return;
	if (xa_entry_kind(entry) == XA_KIND_RUN) {
		first = object_run_pfn(payload);
		nr = UINT32_C(1) << object_run_order(payload);
	} else if (xa_entry_kind(entry) == XA_KIND_BUFFER) {
		first = payload / BUFFER_GRANULES_PER_PAGE;
	} else if (xa_entry_kind(entry) != XA_KIND_PAGE) {
		return;
	}
	s->yes = s->place->pfn - first < nr;
}

/* Context: read lock held. */
static bool
is_still_there(struct check *c, const struct check_place *place)
{
	struct still_there s = {.place = place};
	const struct xa_visitor visitor = {.node = again_node, .entry = again_entry, .opaque = &s};

	/* Data is changed under the instance lock, which nobody here can take: it counts as there. */
	if (place->level == CHECK_DATA)
		return true;
	if (place->inst != NULL && atomic_load(&place->inst->removed) && !pool_is_read_only(c->pool))
		return false;
	xa_walk(place->inst == NULL ? &c->pool->dir->xa : &place->inst->xa, place->idx, place->idx, &visitor);
	return s.yes;
}

static int
compare_places(const void *a, const void *b)
{
	const struct check_place *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* The places of one page, @nr of them. */
static void
judge_page(struct check *c, const struct check_place *places, size_t nr)
{
	size_t nr_there = 0;

	xa_read_lock();
	for (size_t i = 0; i < nr; i++)
		nr_there += is_still_there(c, &places[i]);
	xa_read_unlock();
	if (nr_there < 2)
		return;
	c->result->nr_shared++;
	for (size_t i = 0; i < nr; i++) {
		const struct check_found found = {
			.kind = PRMEM_FOUND_SHARED,
			.inst = places[i].inst,
			.idx = places[i].idx,
			.nr = 1,
			.text = "a page of it is named in another place, too",
		};

		check_found(c, &found);
	}
}

static int
check_twice(struct check *c)
{
	int r;

	if (c->twice == NULL)
		return 0;
	r = walk_all(c, true);
	if (r < 0 || c->nr_places == 0)
		return r;
	qsort(c->places, c->nr_places, sizeof *c->places, compare_places);
	for (size_t i = 0, end; i < c->nr_places; i = end) {
		for (end = i + 1; end < c->nr_places && c->places[end].pfn == c->places[i].pfn;)
			end++;
		judge_page(c, &c->places[i], end - i);
	}
	return 0;
}

int
check_structure(struct check *c)
{
	int r = walk_all(c, false);

	return r < 0 ? r : check_twice(c);
}
