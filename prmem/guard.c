/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "prmem/guard.h"
#include "prmem/pool.h"

#define GUARD_MAX_POOLS 64

_Thread_local struct guard_window *guard_current;

static struct prmem_pool *_Atomic guarded[GUARD_MAX_POOLS];
static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int nr_guarded; /* under guard_lock */
static struct sigaction former;

/* The region of a pool that an address lies in. */
static const struct pool_region *
region_of(struct prmem_pool *pool, const char *addr)
{
	for (unsigned int i = 0; i < pool->nr_regions; i++) {
		const char *base = pool->regions[i].pm == NULL ? NULL : pool->regions[i].pm->base;

		if (base != NULL && addr >= base && addr < base + pool->regions[i].pm->len_bytes)
			return &pool->regions[i];
	}
	return NULL;
}

/*
 * The page of a window that faulted.  Not always the one that it was at: the
 * way to a page goes by nodes.  But an address at the start of 2 MiB may only
 * say in which ones of them it was.
 */
static void
set_page(struct guard_window *window, const struct pool_region *region, const char *addr)
{
	const uintptr_t huge = (2 << 20) - 1;
	const char *at = pool_page(window->pool, window->pfn);

	if (((uintptr_t)addr & huge) != 0 || at < addr || at > addr + huge)
		window->pfn = region->start_pfn +
			      (uint32_t)((uintptr_t)(addr - (char *)region->pm->base) >> PRMEM_PAGE_SHIFT);
}

/* Empty memory instead of what is gone: 4 KiB, or on device-DAX its 2 MiB page. */
static bool
replace_memory(const char *addr)
{
	static const size_t sizes[] = {4096, 2 << 20};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *start = (char *)((uintptr_t)addr & ~(uintptr_t)(sizes[i] - 1));

		if (mmap(start, sizes[i], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		    start)
			return true;
	}
	return false;
}

static void
on_sigbus(int signo, siginfo_t *info, void *context)
{
	struct guard_window *window = guard_current;
	const struct pool_region *region;
	const char *addr = info->si_addr;
	int saved_errno = errno;

	(void)context;
	if (window != NULL && (region = region_of(window->pool, addr)) != NULL) {
		set_page(window, region, addr);
		guard_current = NULL;
		siglongjmp(window->env, 1);
	}
	for (size_t i = 0; i < GUARD_MAX_POOLS; i++) {
		struct prmem_pool *pool = atomic_load(&guarded[i]);

		if (pool == NULL || region_of(pool, addr) == NULL)
			continue;
		atomic_store(&pool->lost_memory, true);
		atomic_store(&pool->read_only, true);
		if (replace_memory(addr)) {
			errno = saved_errno;
			return;
		}
	}
	sigaction(signo, &former, NULL);
	errno = saved_errno;
}

int
guard_add(struct prmem_pool *pool)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
	int r = -EMFILE;

	pthread_mutex_lock(&guard_lock);
	for (size_t i = 0; i < GUARD_MAX_POOLS && r < 0; i++) {
		if (atomic_load(&guarded[i]) == NULL) {
			atomic_store(&guarded[i], pool);
			r = 0;
		}
	}
	if (r == 0 && nr_guarded++ == 0 && sigaction(SIGBUS, &action, &former) < 0)
		r = -errno;
	pthread_mutex_unlock(&guard_lock);
	return r;
}

void
guard_remove(struct prmem_pool *pool)
{
	pthread_mutex_lock(&guard_lock);
	for (size_t i = 0; i < GUARD_MAX_POOLS; i++) {
		if (atomic_load(&guarded[i]) != pool)
			continue;
		atomic_store(&guarded[i], NULL);
		if (--nr_guarded == 0)
			sigaction(SIGBUS, &former, NULL);
	}
	pthread_mutex_unlock(&guard_lock);
}
