/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small persistent memory for one thread that knows, at any moment, which
 * images a power failure could leave, and shows them to a judge.
 *
 * It is for the superblocks, whose every torn image is wanted here; the crash
 * suite (tests/crash) does it for the engine as a whole.
 */
#ifndef PRMEM_TESTS_TORN_PM_H
#define PRMEM_TESTS_TORN_PM_H

#include "common/pm.h"
#include "tests/unit/unit.h"

#define TORN_BYTES (256u << 10)
#define TORN_PIECES_MAX 4096u
#define TORN_NO_SITE PM_NR_SITES

struct torn_piece {
	uint32_t off;
	uint64_t value;
	bool wanted; /* flushed, or non-temporal: the next fence makes it durable */
};

struct torn_pm {
	struct pm pm;
	char durable[TORN_BYTES]; /* what is certain */
	char image[TORN_BYTES]; /* one of the possible ones, for the judge */
	char visible[TORN_BYTES]; /* what the program sees */
	struct torn_piece pieces[TORN_PIECES_MAX];
	uint32_t nr_pieces;
	enum pm_site skip; /* a site that does nothing: the planted error */
	int sync_result;
	unsigned int nr_syncs;
	uint64_t nr_images;
	/* Is this image allowed?  Reads t->image, through a pm of its own. */
	bool (*judge)(struct torn_pm *t);
	uint64_t nr_wrong;
};

static inline void
torn_judge(struct torn_pm *t)
{
	t->nr_images++;
	if (!t->judge(t))
		t->nr_wrong++;
}

static inline void
torn_put(struct torn_pm *t, uint32_t piece)
{
	memcpy(t->image + t->pieces[piece].off, &t->pieces[piece].value, 8);
}

static inline void
torn_drop(struct torn_pm *t)
{
	for (uint32_t i = 0; i < t->nr_pieces; i++)
		memcpy(t->image + t->pieces[i].off, t->durable + t->pieces[i].off, 8);
}

/* Show the judge: nothing pending got there, each one, all but one, each prefix and each suffix, and random ones. */
static inline void
torn_enumerate(struct torn_pm *t)
{
	uint32_t n = t->nr_pieces;

	torn_judge(t);
	for (uint32_t i = 0; i < n; i++) {
		torn_put(t, i);
		torn_judge(t);
		torn_drop(t);
	}
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = 0; j < n; j++) {
			if (j != i)
				torn_put(t, j);
		}
		torn_judge(t);
		torn_drop(t);
	}
	for (uint32_t i = 0; i < n; i++) {
		torn_put(t, i);
		torn_judge(t);
	}
	torn_drop(t);
	for (uint32_t i = n; i > 0; i--) {
		for (uint32_t j = i - 1; j < n; j++)
			torn_put(t, j);
		torn_judge(t);
		torn_drop(t);
	}
	for (uint32_t k = 0; k < (n > 0 ? 200u : 0u); k++) {
		uint64_t density = unit_random() % 64 + 1;

		for (uint32_t i = 0; i < n; i++) {
			if (unit_random() % 64 < density)
				torn_put(t, i);
		}
		torn_judge(t);
		torn_drop(t);
	}
}

static inline struct torn_pm *
torn_of(struct pm *pm)
{
	return CONTAINER_OF(pm, struct torn_pm, pm);
}

static inline void
torn_add(struct torn_pm *t, uint32_t off, const void *value, bool wanted)
{
	CHECK(t->nr_pieces < TORN_PIECES_MAX);
	memcpy(t->visible + off, value, 8);
	t->pieces[t->nr_pieces].off = off;
	memcpy(&t->pieces[t->nr_pieces].value, value, 8);
	t->pieces[t->nr_pieces].wanted = wanted;
	t->nr_pieces++;
}

static inline void
torn_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	struct torn_pm *t = torn_of(pm);
	uint32_t off = (uint32_t)((char *)dst - t->visible);

	CHECK(off % 8 == 0 && len_bytes % 8 == 0 && off + len_bytes <= TORN_BYTES);
	if (site == t->skip)
		return;
	/* A piece that keeps its value is no other image, and there would be too many. */
	for (size_t i = 0; i < len_bytes; i += 8) {
		if (memcmp(t->visible + off + i, (const char *)src + i, 8) != 0)
			torn_add(t, off + (uint32_t)i, (const char *)src + i, true);
	}
	torn_enumerate(t);
}

static inline void
torn_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	struct torn_pm *t = torn_of(pm);

	if (site == t->skip)
		return;
	torn_add(t, (uint32_t)((char *)slot - t->visible), &le, false);
	torn_enumerate(t);
}

static inline void
torn_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	struct torn_pm *t = torn_of(pm);
	uint32_t first = (uint32_t)((const char *)addr - t->visible) & ~63u;
	uint32_t end = (uint32_t)((const char *)addr - t->visible + len_bytes + 63) & ~63u;

	if (site == t->skip)
		return;
	for (uint32_t i = 0; i < t->nr_pieces; i++) {
		if (t->pieces[i].off >= first && t->pieces[i].off < end)
			t->pieces[i].wanted = true;
	}
}

static inline void
torn_fence(struct pm *pm, enum pm_site site)
{
	struct torn_pm *t = torn_of(pm);
	uint32_t nr_left = 0;

	if (site == t->skip)
		return;
	for (uint32_t i = 0; i < t->nr_pieces; i++) {
		if (t->pieces[i].wanted) {
			memcpy(t->durable + t->pieces[i].off, &t->pieces[i].value, 8);
			torn_put(t, i);
		} else {
			t->pieces[nr_left++] = t->pieces[i];
		}
	}
	t->nr_pieces = nr_left;
	torn_enumerate(t);
}

static inline int
torn_sync(struct pm *pm)
{
	torn_of(pm)->nr_syncs++;
	return torn_of(pm)->sync_result;
}

static inline int
torn_ensure(struct pm *pm, uint64_t off, uint64_t len_bytes)
{
	(void)pm;
	(void)off;
	(void)len_bytes;
	return 0;
}

/* Start from content that is durable. */
static inline struct torn_pm *
torn_new(const void *content, bool (*judge)(struct torn_pm *t), enum pm_site skip)
{
	static const struct pm_ops ops = {
		.copy = torn_copy,
		.store = torn_store,
		.flush = torn_flush,
		.fence = torn_fence,
		.sync = torn_sync,
		.ensure = torn_ensure,
	};
	struct torn_pm *t = calloc(1, sizeof *t);

	CHECK(t != NULL);
	memcpy(t->durable, content, TORN_BYTES);
	memcpy(t->image, content, TORN_BYTES);
	memcpy(t->visible, content, TORN_BYTES);
	t->pm.ops = &ops;
	t->pm.base = t->visible;
	t->pm.len_bytes = TORN_BYTES;
	t->pm.is_pmem = true;
	t->judge = judge;
	t->skip = skip;
	return t;
}

#endif
