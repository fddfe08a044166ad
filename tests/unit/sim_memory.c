/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/sim_memory.h"

#include <endian.h>
#include <errno.h>

#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ASAN 1
#endif
#endif

#ifdef SIM_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#elif defined(__has_include) && __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HIDE(p, n) VALGRIND_MAKE_MEM_NOACCESS(p, n)
#define SHOW(p, n) VALGRIND_MAKE_MEM_UNDEFINED(p, n)
#else
#define HIDE(p, n) ((void)0)
#define SHOW(p, n) ((void)0)
#endif

/* A byte whose kind is for later: a reader of a freed node meets damage. */
#define POISON 0xdd

static void *
sim_map(void *memory, uint32_t pfn)
{
	struct sim_memory *sim = memory;

	atomic_fetch_add_explicit(&sim->nr_maps, 1, memory_order_relaxed);
	if (sim->hook)
		sim->hook(sim->hook_opaque, SIM_SITE_MAP);
	/* Page 0 stands for what is reserved. */
	return pfn > 0 && pfn < sim->nr_pages ? sim->arena + (size_t)pfn * XA_PAGE_SIZE : NULL;
}

/* Context: sim->lock held; nobody else waits for it under a read lock. */
static void
bury_retired(struct sim_memory *sim)
{
	xa_synchronize();
	while (sim->nr_retired > 0) {
		uint32_t pfn = sim->retired[--sim->nr_retired];
		char *page = sim->arena + (size_t)pfn * XA_PAGE_SIZE;

		memset(page, POISON, XA_PAGE_SIZE);
		HIDE(page, XA_PAGE_SIZE);
		sim->page_state[pfn] = SIM_PAGE_FREE;
	}
}

static bool
fails_now(int *in)
{
	if (*in > 0)
		--*in;
	return *in == 0;
}

static int
sim_alloc_node(void *memory, uint32_t *ret_pfn)
{
	struct sim_memory *sim = memory;
	int ret = -ENOSPC;

	pthread_mutex_lock(&sim->lock);
	atomic_fetch_add(&sim->nr_allocs, 1);
	for (int tries = 0; tries < 2 && ret < 0 && !fails_now(&sim->alloc_fails_in); tries++) {
		for (uint32_t pfn = 1; pfn < sim->nr_pages; pfn++) {
			if (sim->page_state[pfn] != SIM_PAGE_FREE)
				continue;
			sim->page_state[pfn] = SIM_PAGE_USED;
			sim->nr_nodes++;
			SHOW(sim->arena + (size_t)pfn * XA_PAGE_SIZE, XA_PAGE_SIZE);
			*ret_pfn = pfn;
			ret = 0;
			break;
		}
		if (ret < 0)
			bury_retired(sim);
	}
	pthread_mutex_unlock(&sim->lock);
	return ret;
}

static void
sim_free_node(void *memory, uint32_t pfn)
{
	struct sim_memory *sim = memory;

	if (sim->tracker)
		sim_check_node_unreachable(sim, pfn);
	pthread_mutex_lock(&sim->lock);
	CHECK(pfn > 0 && pfn < sim->nr_pages);
	CHECK_EQ(sim->page_state[pfn], SIM_PAGE_USED);
	sim->page_state[pfn] = SIM_PAGE_RETIRED;
	sim->nr_nodes--;
	sim->retired[sim->nr_retired++] = pfn;
	if (sim->nr_retired >= sim->retire_batch)
		bury_retired(sim);
	pthread_mutex_unlock(&sim->lock);
}

static void
free_entry_op(void *memory, uint32_t idx, xa_entry_t entry)
{
	(void)idx;
	sim_free_entry(memory, entry);
}

static int
sim_set_root(void *memory, struct xarray *xa, uint64_t root, unsigned int height)
{
	struct sim_memory *sim = memory;

	(void)xa;
	atomic_fetch_add(&sim->nr_set_roots, 1);
	if (fails_now(&sim->set_root_fails_in))
		return sim->set_root_error;
	if (sim->tracker)
		sim_check_root_durable(sim, root, height);
	sim->root = root;
	sim->height = height;
	return 0;
}

const struct xa_memory_ops sim_memory_ops = {
	.map = sim_map,
	.alloc_node = sim_alloc_node,
	.free_node = sim_free_node,
	.free_entry = free_entry_op,
	.set_root = sim_set_root,
};

void
sim_init(struct sim_memory *sim, uint32_t nr_pages)
{
	memset(sim, 0, sizeof *sim);
	sim->nr_pages = nr_pages;
	sim->arena = aligned_alloc(XA_PAGE_SIZE, (size_t)nr_pages * XA_PAGE_SIZE);
	sim->page_state = calloc(nr_pages, 1);
	sim->objects = calloc(SIM_MAX_OBJECTS, 1);
	CHECK(sim->arena && sim->page_state && sim->objects);
	HIDE(sim->arena, (size_t)nr_pages * XA_PAGE_SIZE);
	pthread_mutex_init(&sim->lock, NULL);
	sim->retire_batch = 1;
	sim->next_object = 1;
	sim->alloc_fails_in = sim->set_root_fails_in = -1;
	sim->set_root_error = -ENOSPC;
	sim->skipped_site = -1;
	sim->pm.ops = &sim_pm_ops;
	sim->pm.base = sim->arena;
	sim->pm.len_bytes = (uint64_t)nr_pages * XA_PAGE_SIZE;
}

void
sim_fini(struct sim_memory *sim)
{
	if (sim->tracker)
		sim_tracker_free(sim);
	SHOW(sim->arena, (size_t)sim->nr_pages * XA_PAGE_SIZE);
	free(sim->arena);
	free(sim->page_state);
	free((void *)sim->objects);
	pthread_mutex_destroy(&sim->lock);
}

static bool
count_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	(void)pfn;
	(void)level;
	(void)first;
	++*(uint64_t *)opaque;
	return true;
}

void
sim_open(struct sim_memory *sim, struct xarray *xa)
{
	uint64_t nr_nodes = 0;
	const struct xa_visitor visitor = {.node = count_node, .opaque = &nr_nodes};

	CHECK_EQ(xa_init(xa, &sim_memory_ops, sim, &sim->pm, SIM_LINEAGE, sim->root, sim->height), 0);
	xa_walk(xa, 0, XA_MAX_INDEX, &visitor);
	atomic_store(&xa->nr_nodes, nr_nodes);
}

xa_entry_t
sim_new_entry(struct sim_memory *sim)
{
	uint32_t id = atomic_fetch_add(&sim->next_object, 1);

	CHECK(id < SIM_MAX_OBJECTS);
	atomic_store(&sim->objects[id], SIM_OBJECT_LIVE);
	atomic_fetch_add(&sim->nr_objects, 1);
	return xa_mk_entry(XA_KIND_PAGE, id, (uint32_t)(mix64(id) >> 36));
}

void
sim_free_entry(struct sim_memory *sim, xa_entry_t entry)
{
	uint32_t id = xa_entry_payload(entry);
	unsigned char live = SIM_OBJECT_LIVE;

	if (xa_entry_kind(entry) != XA_KIND_PAGE)
		return;
	if (sim->tracker)
		sim_check_entry_unreachable(sim, entry);
	CHECK(id < SIM_MAX_OBJECTS);
	CHECK_EQ(xa_entry_proof(entry), (uint32_t)(mix64(id) >> 36));
	/* Not so if it is freed twice. */
	CHECK(atomic_compare_exchange_strong(&sim->objects[id], &live, SIM_OBJECT_FREED));
	atomic_fetch_sub(&sim->nr_objects, 1);
	/* A grace period for each would be slow; a sample sees use after free as well. */
	if (sim->retire_batch == 1 || id % sim->retire_batch == 0) {
		xa_synchronize();
		atomic_store(&sim->objects[id], SIM_OBJECT_GONE);
	}
}

bool
sim_entry_is_whole(struct sim_memory *sim, xa_entry_t entry)
{
	unsigned char state = atomic_load(&sim->objects[xa_entry_payload(entry)]);

	return state == SIM_OBJECT_LIVE || state == SIM_OBJECT_FREED;
}

struct leak_count {
	struct sim_memory *sim;
	uint64_t nr_nodes;
	int64_t nr_entries;
};

static bool
leak_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct leak_count *count = opaque;

	(void)level;
	(void)first;
	CHECK_EQ(count->sim->page_state[pfn], SIM_PAGE_USED);
	count->nr_nodes++;
	return true;
}

static void
leak_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	struct leak_count *count = opaque;

	(void)idx;
	if (xa_entry_kind(entry) != XA_KIND_PAGE)
		return;
	CHECK_EQ(atomic_load(&count->sim->objects[xa_entry_payload(entry)]), SIM_OBJECT_LIVE);
	count->nr_entries++;
}

static void
leak_damage(void *opaque, uint32_t idx, uint64_t nr, unsigned int level, uint64_t slot)
{
	(void)opaque;
	fprintf(stderr, "damaged: %" PRIu64 " from %" PRIu32 ", level %u, slot %016" PRIx64 "\n", nr, idx, level, slot);
	abort();
}

void
sim_make_leaves(struct xarray *xa, uint32_t first, uint32_t last)
{
	for (uint64_t idx = first; idx <= last; idx = (uint64_t)xa_span_last(1, (uint32_t)idx) + 1) {
		CHECK_EQ(xa_store(xa, (uint32_t)idx, xa_mk_value(0)), 0);
		CHECK_EQ(xa_erase(xa, (uint32_t)idx), xa_mk_value(0));
	}
}

void
sim_check_leaks(struct sim_memory *sim, struct xarray *xa)
{
	struct leak_count count = {.sim = sim};
	const struct xa_visitor visitor = {
		.node = leak_node, .entry = leak_entry, .damage = leak_damage, .opaque = &count};

	xa_walk(xa, 0, XA_MAX_INDEX, &visitor);
	CHECK_EQ(count.nr_nodes, sim->nr_nodes);
	CHECK_EQ(count.nr_nodes, atomic_load(&xa->nr_nodes));
	CHECK_EQ(count.nr_entries, atomic_load(&sim->nr_objects));
}

void
sim_check_empty(struct sim_memory *sim)
{
	CHECK_EQ(sim->nr_nodes, 0);
	CHECK_EQ(atomic_load(&sim->nr_objects), 0);
}

pm_slot *
sim_slot(struct sim_memory *sim, struct xarray *xa, unsigned int level, uint32_t idx)
{
	uint64_t root = atomic_load(&xa->root);
	pm_slot *slots = sim_map(sim, (uint32_t)root);
	unsigned int l = (unsigned int)(root >> 32);

	CHECK(l > level);
	for (l--; l > level; l--)
		slots = sim_map(sim, (uint32_t)le64toh(atomic_load(&slots[xa_slot_number(l, idx)])));
	CHECK(slots);
	return &slots[xa_slot_number(level, idx)];
}
