/* SPDX-License-Identifier: BSD-3-Clause */
/* A small pool in ordinary memory that takes back what is written to it. */
#include "tests/damage/mem_pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "prmem/pool/open_memory.h"
#include "tests/unit/unit.h"

static struct mem_pm *
mem_of(struct pm *pm)
{
	return CONTAINER_OF(pm, struct mem_pm, pm);
}

static void
remember(struct mem_pm *mem, const void *addr, size_t len_bytes)
{
	uint64_t off = (uint64_t)((const uint8_t *)addr - mem->image);

	CHECK(off <= mem->pm.len_bytes && len_bytes <= mem->pm.len_bytes - off);
	if (!mem->keep)
		return;
	if (mem->nr_undo == mem->max_undo) {
		mem->max_undo = mem->max_undo * 2 + 64;
		mem->undo = realloc(mem->undo, mem->max_undo * sizeof *mem->undo);
		CHECK(mem->undo != NULL);
	}
	if (mem->nr_old + len_bytes > mem->max_old) {
		mem->max_old = mem->max_old * 2 + (uint32_t)len_bytes + MEM_POOL_PAGE;
		mem->old = realloc(mem->old, mem->max_old);
		CHECK(mem->old != NULL);
	}
	mem->undo[mem->nr_undo++] = (struct mem_undo){(uint32_t)off, mem->nr_old, (uint32_t)len_bytes};
	memcpy(mem->old + mem->nr_old, addr, len_bytes);
	mem->nr_old += (uint32_t)len_bytes;
}

static void
mem_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	(void)site;
	remember(mem_of(pm), dst, len_bytes);
	memcpy(dst, src, len_bytes);
}

static void
mem_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)site;
	remember(mem_of(pm), slot, sizeof le);
	atomic_store_explicit(slot, le, memory_order_release);
}

static uint64_t
mem_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)site;
	remember(mem_of(pm), slot, sizeof le);
	return atomic_exchange(slot, le);
}

static bool
mem_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	(void)site;
	remember(mem_of(pm), slot, sizeof le);
	return atomic_compare_exchange_strong(slot, expected_le, le);
}

static void
mem_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	(void)pm;
	(void)addr;
	(void)len_bytes;
	(void)site;
}

static void
mem_fence(struct pm *pm, enum pm_site site)
{
	(void)pm;
	(void)site;
}

static int
mem_sync(struct pm *pm)
{
	(void)pm;
	return 0;
}

static int
mem_ensure(struct pm *pm, uint64_t off, uint64_t len_bytes)
{
	(void)pm;
	(void)off;
	(void)len_bytes;
	return 0;
}

static void
mem_close(struct pm *pm)
{
	(void)pm; /* the image is wanted again */
}

static const struct pm_ops mem_ops = {
	.copy = mem_copy,
	.store = mem_store,
	.exchange = mem_exchange,
	.cmpxchg = mem_cmpxchg,
	.flush = mem_flush,
	.fence = mem_fence,
	.sync = mem_sync,
	.ensure = mem_ensure,
	.close = mem_close,
};

void
mem_pm_make(struct mem_pm *mem, uint64_t len_bytes)
{
	memset(mem, 0, sizeof *mem);
	mem->image = mmap(NULL, len_bytes + 2 * MEM_POOL_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mem->image != MAP_FAILED);
	mem->image += MEM_POOL_PAGE;
	CHECK_EQ(mprotect(mem->image, len_bytes, PROT_READ | PROT_WRITE), 0);
	mem->max_bytes = len_bytes;
	mem->pm = (struct pm){.ops = &mem_ops, .base = mem->image, .len_bytes = len_bytes, .is_pmem = true};
}

void
mem_pm_free(struct mem_pm *mem)
{
	munmap(mem->image - MEM_POOL_PAGE, mem->max_bytes + 2 * MEM_POOL_PAGE);
	free(mem->undo);
	free(mem->old);
}

void
mem_pm_take_back(struct mem_pm *mem)
{
	while (mem->nr_undo > 0) {
		const struct mem_undo *u = &mem->undo[--mem->nr_undo];

		memcpy(mem->image + u->off, mem->old + u->at, u->len_bytes);
	}
	mem->nr_old = 0;
}

void
mem_poke(struct mem_pm *mem, uint64_t off, const void *bytes, size_t len_bytes)
{
	remember(mem, mem->image + off, len_bytes);
	memmove(mem->image + off, bytes, len_bytes);
}

int
mem_pool_open(struct mem_pm *mem, struct prmem_pool **ret_pool, struct prmem_error *err)
{
	struct prmem_open_args args = {.format = PRMEM_FORMAT_NEVER, .nr_mark_threads = 1};

	return pool_open_pm(&mem->pm, &args, ret_pool, err);
}
