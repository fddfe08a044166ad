/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The read lock: liburcu's "bulletproof" flavour, which registers threads by
 * itself (a library cannot ask its callers' threads to).
 *
 * ThreadSanitizer does not see the order that a grace period makes; the
 * annotations tell it.
 */
#ifndef PRMEM_XA_RCU_H
#define PRMEM_XA_RCU_H

#include <urcu/urcu-bp.h>

#if defined(__SANITIZE_THREAD__)
#define XA_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define XA_TSAN 1
#endif
#endif

#ifdef XA_TSAN
#include <sanitizer/tsan_interface.h>
extern char xa_rcu_tsan_tag;
#define XA_TSAN_RELEASE() __tsan_release(&xa_rcu_tsan_tag)
#define XA_TSAN_ACQUIRE() __tsan_acquire(&xa_rcu_tsan_tag)
#else
#define XA_TSAN_RELEASE() ((void)0)
#define XA_TSAN_ACQUIRE() ((void)0)
#endif

static inline void
xa_read_lock(void)
{
	urcu_bp_read_lock();
}

static inline void
xa_read_unlock(void)
{
	XA_TSAN_RELEASE();
	urcu_bp_read_unlock();
}

/* Wait until every read lock that is held now has been released. */
static inline void
xa_synchronize(void)
{
	urcu_bp_synchronize_rcu();
	XA_TSAN_ACQUIRE();
}

#endif
