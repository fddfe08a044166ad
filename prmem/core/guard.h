/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that goes bad under us raises SIGBUS: poison on persistent memory; a
 * file that was truncated, or a hole with no disk space behind it, on an
 * ordinary file.
 *
 * Two ways to live on:
 *   - A thread that copies to or from pages says so (a window).  A fault in
 *     the window ends the copy: the request gets EIO, nothing else happens.
 *     Pages that are written without one (nodes, buffers, runs) are tried in
 *     one when they are taken (bad_page_probe() in prmem/alloc/bad_page.h).
 *   - A fault in a pool outside of a window hits the index.  The handler puts
 *     empty memory in its place, so that the thread can go on, and the pool
 *     is read-only from then on: what was there fails its proofs.
 * A fault anywhere else is not ours: the former action is put back and the
 * instruction faults again.  A pool that was opened with PRMEM_NO_SIGBUS is not
 * ours either.
 *
 * The address that the signal carries names the page on a file, but only the
 * start of a 2 MiB mapping on device-DAX: the window knows better which page
 * it was.
 */
#ifndef PRMEM_GUARD_H
#define PRMEM_GUARD_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/compiler.h"

struct prmem_pool;

/*
 * guard_add() - watch over a pool's memory; the first one takes the signal.
 * guard_remove() - no more; the last one gives the signal back, if nobody else
 * has taken it.
 * Context: open and close, one at a time.
 * Return: 0, -EMFILE when there are too many pools in this process, or -errno.
 */
MUST_CHECK int guard_add(struct prmem_pool *pool);
void guard_remove(struct prmem_pool *pool);

/*
 * struct guard_window - what a thread is copying.  @pfn is the page that is
 * touched just now.
 */
struct guard_window {
	sigjmp_buf env;
	struct prmem_pool *pool;
	volatile uint32_t pfn;
};

extern _Thread_local struct guard_window *guard_current __attribute__((tls_model("initial-exec")));

/*
 * GUARD_ENTER() - open a window, in the function that closes it.
 * Evaluates to 0; and to 1, a second time, when a fault ended what was done
 * in the window.  It is closed then, and the locals that were changed in it
 * are not to be believed.  Locks that were taken in it are still held.
 */
#define GUARD_ENTER(window, its_pool)                                                                                  \
	((window)->pool = (its_pool), (window)->pfn = 0, guard_current = (window), sigsetjmp((window)->env, 0))

static inline void
guard_leave(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	guard_current = NULL;
}

/* guard_at() - say which page is touched next. */
static inline void
guard_at(uint32_t pfn)
{
	if (guard_current != NULL)
		guard_current->pfn = pfn;
	atomic_signal_fence(memory_order_seq_cst);
}

#endif
