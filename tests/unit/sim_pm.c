/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The persistence primitives of the simulated memory: plain ones, and ones
 * that keep track of what is durable for certain.
 */
#include <endian.h>
#include <errno.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

static struct sim_memory *
sim_of(struct pm *pm, enum pm_site site)
{
	struct sim_memory *sim = (struct sim_memory *)(void *)pm;

	atomic_fetch_add_explicit(&sim->nr_at_site[site], 1, memory_order_relaxed);
	if (sim->hook)
		sim->hook(sim->hook_opaque, site);
	return sim;
}

/* ---- plain ---- */

static void
plain_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	(void)sim_of(pm, site);
	memcpy(dst, src, len_bytes);
}

static void
plain_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)sim_of(pm, site);
	atomic_store_explicit(slot, le, memory_order_release);
}

static uint64_t
plain_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)sim_of(pm, site);
	return atomic_exchange_explicit(slot, le, memory_order_acq_rel);
}

static bool
plain_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	(void)sim_of(pm, site);
	return atomic_compare_exchange_strong_explicit(slot, expected_le, le, memory_order_acq_rel,
						       memory_order_acquire);
}

static void
plain_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	(void)addr;
	(void)len_bytes;
	(void)sim_of(pm, site);
}

static void
plain_fence(struct pm *pm, enum pm_site site)
{
	(void)sim_of(pm, site);
}

const struct pm_ops sim_pm_ops = {
	.copy = plain_copy,
	.store = plain_store,
	.exchange = plain_exchange,
	.cmpxchg = plain_cmpxchg,
	.flush = plain_flush,
	.fence = plain_fence,
};

/* ---- tracked ---- */

#define WORDS_A_PAGE (XA_PAGE_SIZE / 8)
#define MAX_PENDING 65536
#define MAX_THREADS 8

/* A word that is on its way: copied, or stored and flushed. */
struct pending {
	size_t word;
	uint64_t le;
	uint64_t version;
};

struct thread_pending {
	pthread_t thread;
	size_t nr;
	struct pending *words;
};

struct sim_tracker {
	pthread_mutex_t lock;
	uint64_t clock;
	uint64_t *durable; /* the memory after a power failure, at the least */
	uint64_t *durable_version; /* when the word was stored that is durable */
	uint64_t *version; /* when the word was last stored */
	struct thread_pending threads[MAX_THREADS];
	unsigned int nr_threads;
};

static size_t
word_of(struct sim_memory *sim, const void *addr)
{
	size_t off = (size_t)((const char *)addr - sim->arena);

	CHECK(off < (size_t)sim->nr_pages * XA_PAGE_SIZE);
	return off / 8;
}

static uint64_t
word_now(struct sim_memory *sim, size_t word)
{
	return atomic_load((pm_slot *)(void *)sim->arena + word);
}

static struct thread_pending *
my_pending(struct sim_tracker *t)
{
	for (unsigned int i = 0; i < t->nr_threads; i++)
		if (pthread_equal(t->threads[i].thread, pthread_self()))
			return &t->threads[i];
	CHECK(t->nr_threads < MAX_THREADS);
	t->threads[t->nr_threads].thread = pthread_self();
	t->threads[t->nr_threads].words = calloc(MAX_PENDING, sizeof(struct pending));
	CHECK(t->threads[t->nr_threads].words);
	return &t->threads[t->nr_threads++];
}

static void
add_pending(struct sim_memory *sim, size_t word)
{
	struct thread_pending *mine = my_pending(sim->tracker);

	CHECK(mine->nr < MAX_PENDING);
	mine->words[mine->nr++] = (struct pending){word, word_now(sim, word), sim->tracker->version[word]};
}

static void
check_subtree_durable(struct sim_memory *sim, uint64_t link)
{
	size_t word = (size_t)xa_entry_payload(link) * WORDS_A_PAGE;

	for (size_t i = 0; i < XA_CHUNK_SIZE; i++) {
		uint64_t slot = le64toh(sim->tracker->durable[word + i]);

		/* Entries may change meanwhile; what a node was born with, and links, must be there. */
		CHECK(sim->tracker->durable_version[word + i] != 0);
		if (xa_entry_kind(slot) == XA_KIND_NODE)
			check_subtree_durable(sim, slot);
	}
}

static void
stored(struct sim_memory *sim, pm_slot *slot, uint64_t le)
{
	if (xa_entry_kind(le64toh(le)) == XA_KIND_NODE)
		check_subtree_durable(sim, le64toh(le));
	sim->tracker->version[word_of(sim, slot)] = ++sim->tracker->clock;
}

static void
tracked_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	struct sim_memory *sim = sim_of(pm, site);
	size_t word = word_of(sim, dst);

	if ((int)site == sim->skipped_site)
		return;
	pthread_mutex_lock(&sim->tracker->lock);
	memcpy(dst, src, len_bytes);
	for (size_t i = 0; i < len_bytes / 8; i++) {
		/* Whatever the page was before is of no use to the new node. */
		sim->tracker->durable_version[word + i] = 0;
		sim->tracker->version[word + i] = ++sim->tracker->clock;
		add_pending(sim, word + i);
	}
	pthread_mutex_unlock(&sim->tracker->lock);
}

static void
tracked_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	struct sim_memory *sim = sim_of(pm, site);

	pthread_mutex_lock(&sim->tracker->lock);
	atomic_store(slot, le);
	stored(sim, slot, le);
	pthread_mutex_unlock(&sim->tracker->lock);
}

static uint64_t
tracked_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	struct sim_memory *sim = sim_of(pm, site);
	uint64_t old;

	pthread_mutex_lock(&sim->tracker->lock);
	old = atomic_exchange(slot, le);
	stored(sim, slot, le);
	pthread_mutex_unlock(&sim->tracker->lock);
	return old;
}

static bool
tracked_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	struct sim_memory *sim = sim_of(pm, site);
	bool done;

	pthread_mutex_lock(&sim->tracker->lock);
	done = atomic_compare_exchange_strong(slot, expected_le, le);
	if (done)
		stored(sim, slot, le);
	pthread_mutex_unlock(&sim->tracker->lock);
	return done;
}

static void
tracked_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	struct sim_memory *sim = sim_of(pm, site);
	/* Just the bytes that were asked for: that they share a line with others is luck. */
	size_t from = word_of(sim, addr), nr = len_bytes / 8;

	if ((int)site == sim->skipped_site)
		return;
	pthread_mutex_lock(&sim->tracker->lock);
	for (size_t word = from; word < from + nr; word++)
		add_pending(sim, word);
	pthread_mutex_unlock(&sim->tracker->lock);
}

static void
tracked_fence(struct pm *pm, enum pm_site site)
{
	struct sim_memory *sim = sim_of(pm, site);
	struct sim_tracker *t = sim->tracker;
	struct thread_pending *mine;

	if ((int)site == sim->skipped_site)
		return;
	pthread_mutex_lock(&t->lock);
	mine = my_pending(t);
	for (size_t i = 0; i < mine->nr; i++) {
		const struct pending *p = &mine->words[i];

		/* What another thread made durable meanwhile is newer. */
		if (t->durable_version[p->word] >= p->version)
			continue;
		t->durable[p->word] = p->le;
		t->durable_version[p->word] = p->version;
	}
	mine->nr = 0;
	pthread_mutex_unlock(&t->lock);
}

const struct pm_ops sim_tracked_pm_ops = {
	.copy = tracked_copy,
	.store = tracked_store,
	.exchange = tracked_exchange,
	.cmpxchg = tracked_cmpxchg,
	.flush = tracked_flush,
	.fence = tracked_fence,
};

void
sim_track(struct sim_memory *sim)
{
	struct sim_tracker *t = calloc(1, sizeof *t);
	size_t nr_words = (size_t)sim->nr_pages * WORDS_A_PAGE;

	CHECK(t);
	pthread_mutex_init(&t->lock, NULL);
	t->durable = calloc(nr_words, 8);
	t->durable_version = calloc(nr_words, 8);
	t->version = calloc(nr_words, 8);
	CHECK(t->durable && t->durable_version && t->version);
	sim->tracker = t;
	sim->pm.ops = &sim_tracked_pm_ops;
}

void
sim_tracker_free(struct sim_memory *sim)
{
	struct sim_tracker *t = sim->tracker;

	for (unsigned int i = 0; i < t->nr_threads; i++)
		free(t->threads[i].words);
	free(t->durable);
	free(t->durable_version);
	free(t->version);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void *
durable_map(void *memory, uint32_t pfn)
{
	struct sim_memory *sim = memory;

	return pfn > 0 && pfn < sim->nr_pages ? &sim->tracker->durable[(size_t)pfn * WORDS_A_PAGE] : NULL;
}

static const struct xa_memory_ops durable_ops = {
	.map = durable_map,
};

void
sim_durable_array(struct sim_memory *sim, struct xarray *xa)
{
	CHECK_EQ(xa_init(xa, &durable_ops, sim, &sim->pm, SIM_LINEAGE, sim->root, sim->height), 0);
}

void
sim_check_root_durable(struct sim_memory *sim, uint64_t root, unsigned int height)
{
	(void)height;
	pthread_mutex_lock(&sim->tracker->lock);
	if (root != 0)
		check_subtree_durable(sim, root);
	pthread_mutex_unlock(&sim->tracker->lock);
}

struct reach {
	uint32_t pfn;
	xa_entry_t entry;
};

static bool
reach_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	(void)level;
	(void)first;
	CHECK(pfn != ((struct reach *)opaque)->pfn);
	return true;
}

static void
reach_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	(void)idx;
	CHECK(entry != ((struct reach *)opaque)->entry);
}

static void
check_unreachable(struct sim_memory *sim, struct reach reach)
{
	const struct xa_visitor visitor = {.node = reach_node, .entry = reach_entry, .opaque = &reach};
	struct xarray xa;

	pthread_mutex_lock(&sim->tracker->lock);
	sim_durable_array(sim, &xa);
	xa_walk(&xa, 0, XA_MAX_INDEX, &visitor);
	xa_fini(&xa);
	pthread_mutex_unlock(&sim->tracker->lock);
}

void
sim_check_node_unreachable(struct sim_memory *sim, uint32_t pfn)
{
	check_unreachable(sim, (struct reach){.pfn = pfn});
}

void
sim_check_entry_unreachable(struct sim_memory *sim, xa_entry_t entry)
{
	check_unreachable(sim, (struct reach){.entry = entry});
}
