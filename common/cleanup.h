/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scope-bound clean-up: the variable is released when it goes out of scope.
 */
#ifndef PRMEM_COMMON_CLEANUP_H
#define PRMEM_COMMON_CLEANUP_H

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static inline void
cleanup_free_ptr(void *pp)
{
	free(*(void **)pp);
}

static inline void
cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void
cleanup_unlock_mutex(pthread_mutex_t **mutex)
{
	if (*mutex)
		pthread_mutex_unlock(*mutex);
}

#define CLEANUP_FREE __attribute__((cleanup(cleanup_free_ptr)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close_fd)))

/* Hold @m until the end of the enclosing scope; at most one a scope. */
#define LOCK_FOR_SCOPE(m)                                                                                              \
	__attribute__((cleanup(cleanup_unlock_mutex), unused)) pthread_mutex_t *scope_lock_ = (m);                     \
	pthread_mutex_lock(scope_lock_)

#endif
