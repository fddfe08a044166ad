/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "prmem/core/guard.h"
#include "prmem/core/pool.h"

#define GUARD_MAX_POOLS 64

_Thread_local struct guard_window *guard_current;

static struct prmem_pool *_Atomic guarded[GUARD_MAX_POOLS];
static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int nr_guarded; /* under guard_lock */
static struct sigaction former; /* what was there before ours */
/* What was there before an earlier one of ours that somebody else's covered; SIG_DFL at first. */
static struct sigaction beneath;
static bool is_covered; /* under guard_lock */

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

static bool
is_guarded(const struct prmem_pool *pool)
{
	for (size_t i = 0; i < GUARD_MAX_POOLS; i++) {
		if (atomic_load(&guarded[i]) == pool)
			return true;
	}
	return false;
}

static void on_sigbus(int signo, siginfo_t *info, void *context);

static const struct sigaction ours = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

static bool
same_handler(const struct sigaction *a, const struct sigaction *b)
{
	return (a->sa_flags & SA_SIGINFO) == (b->sa_flags & SA_SIGINFO) && a->sa_handler == b->sa_handler;
}

/* The action that has the signal when it is not for us. */
static const struct sigaction *
next_action(int signo)
{
	struct sigaction now;

	/* A handler that was installed over ours calls ours for what it does not know: it is not asked again. */
	return sigaction(signo, NULL, &now) == 0 && same_handler(&now, &former) ? &beneath : &former;
}

/* A signal that a process sent does what it would have done without us. */
static void
pass_on(int signo, siginfo_t *info, void *context)
{
	const struct sigaction *next = next_action(signo);

	if ((next->sa_flags & SA_SIGINFO) != 0) {
		next->sa_sigaction(signo, info, context);
	} else if (next->sa_handler == SIG_DFL) {
		sigaction(signo, next, NULL);
		raise(signo);
	} else if (next->sa_handler != SIG_IGN) {
		next->sa_handler(signo);
	}
}

static void
on_sigbus(int signo, siginfo_t *info, void *context)
{
	struct guard_window *window = guard_current;
	const struct pool_region *region;
	const char *addr = info->si_addr;
	int saved_errno = errno;

	/* Sent by a process: there is no address. */
	if (info->si_code <= 0) {
		pass_on(signo, info, context);
		errno = saved_errno;
		return;
	}
	if (window != NULL && is_guarded(window->pool) && (region = region_of(window->pool, addr)) != NULL) {
		set_page(window, region, addr);
		guard_current = NULL;
		/* A handler that called this one is left as well, and may have had signals blocked. */
		pthread_sigmask(SIG_SETMASK, &((ucontext_t *)context)->uc_sigmask, NULL);
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
	/* The instruction faults again, and that is the next one's. */
	sigaction(signo, next_action(signo), NULL);
	errno = saved_errno;
}

/* With guard_lock held. */
static int
install(void)
{
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) < 0)
		return -errno;
	if (same_handler(&now, &ours))
		return 0; /* whoever had covered it has gone */
	if (is_covered)
		beneath = former;
	/* Before ours can be called. */
	former = now;
	return sigaction(SIGBUS, &ours, NULL) < 0 ? -errno : 0;
}

/* With guard_lock held.  What somebody has installed since then stays, and may call ours as long as it likes. */
static void
uninstall(void)
{
	struct sigaction now;

	is_covered = sigaction(SIGBUS, NULL, &now) == 0 && !same_handler(&now, &ours);
	if (!is_covered)
		sigaction(SIGBUS, &former, NULL);
}

int
guard_add(struct prmem_pool *pool)
{
	int r = -EMFILE;

	pthread_mutex_lock(&guard_lock);
	for (size_t i = 0; i < GUARD_MAX_POOLS && r < 0; i++) {
		if (atomic_load(&guarded[i]) == NULL) {
			atomic_store(&guarded[i], pool);
			r = 0;
		}
	}
	if (r == 0 && nr_guarded++ == 0)
		r = install();
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
			uninstall();
	}
	pthread_mutex_unlock(&guard_lock);
}
