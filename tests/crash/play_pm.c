/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/play_pm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct play_pm *
to_play(struct pm *pm)
{
	return CONTAINER_OF(pm, struct play_pm, pm);
}

static void
about_to_change(struct play_pm *play, const volatile void *addr, size_t len_bytes)
{
	uint64_t off = (uint64_t)((const char *)addr - (const char *)play->pm.base);

	if (off > play->pm.len_bytes || len_bytes > play->pm.len_bytes - off) {
		fprintf(stderr, "play: writes outside the memory, offset 0x%llx, %zu bytes\n", (unsigned long long)off,
			len_bytes);
		abort();
	}
	for (uint64_t page = off / 4096; page * 4096 < off + len_bytes; page++)
		explore_dirty(play->ex, (uint32_t)page);
}

static void
play_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	struct play_pm *play = to_play(pm);

	(void)site;
	about_to_change(play, dst, len_bytes);
	if (memcmp(dst, src, len_bytes) == 0)
		return;
	play->nr_changes++;
	memcpy(dst, src, len_bytes);
}

static void
play_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)pm->ops->exchange(pm, slot, le, site);
}

static uint64_t
play_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	struct play_pm *play = to_play(pm);
	uint64_t old;

	(void)site;
	about_to_change(play, slot, 8);
	old = atomic_exchange_explicit(slot, le, memory_order_relaxed);
	play->nr_changes += old != le;
	return old;
}

static bool
play_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	uint64_t old = atomic_load_explicit(slot, memory_order_relaxed);

	if (old != *expected_le) {
		*expected_le = old;
		return false;
	}
	play_exchange(pm, slot, le, site);
	return true;
}

static void
play_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	(void)pm;
	(void)addr;
	(void)len_bytes;
	(void)site;
}

static void
play_fence(struct pm *pm, enum pm_site site)
{
	(void)pm;
	(void)site;
}

static int
play_sync(struct pm *pm)
{
	(void)pm;
	return 0;
}

static int
play_ensure(struct pm *pm, uint64_t off, uint64_t len_bytes)
{
	(void)pm;
	(void)off;
	(void)len_bytes;
	return 0;
}

static void
play_close(struct pm *pm)
{
	(void)pm;
}

static const struct pm_ops play_ops = {
	.copy = play_copy,
	.store = play_store,
	.exchange = play_exchange,
	.cmpxchg = play_cmpxchg,
	.flush = play_flush,
	.fence = play_fence,
	.sync = play_sync,
	.ensure = play_ensure,
	.close = play_close,
};

void
play_pm_init(struct play_pm *play, struct explorer *ex)
{
	memset(play, 0, sizeof *play);
	play->pm.ops = &play_ops;
	play->pm.base = ex->persist->work;
	play->pm.len_bytes = ex->persist->len_bytes;
	play->pm.is_pmem = true;
	play->ex = ex;
}

void
play_user_write(struct play_pm *play, void *dst, const void *src, size_t len_bytes)
{
	about_to_change(play, dst, len_bytes);
	play->nr_changes++;
	memcpy(dst, src, len_bytes);
}
