/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's allocations and threads, by the linker's --wrap: they can fail,
 * and what is not freed is counted.  A sanitizer's own functions stay below.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/fault/fault.h"

static _Atomic int64_t nr_allocated;

void *__real_malloc(size_t len_bytes);
void *__real_calloc(size_t nr, size_t len_bytes);
void *__real_realloc(void *p, size_t len_bytes);
void *__real_aligned_alloc(size_t align, size_t len_bytes);
char *__real_realpath(const char *path, char *resolved);
void __real_free(void *p);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *opaque);

void *__wrap_malloc(size_t len_bytes);
void *__wrap_calloc(size_t nr, size_t len_bytes);
void *__wrap_realloc(void *p, size_t len_bytes);
void *__wrap_aligned_alloc(size_t align, size_t len_bytes);
char *__wrap_realpath(const char *path, char *resolved);
void __wrap_free(void *p);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *opaque);

int64_t
fault_nr_allocated(void)
{
	return atomic_load(&nr_allocated);
}

static void *
counted(void *p)
{
	if (p != NULL)
		atomic_fetch_add(&nr_allocated, 1);
	return p;
}

static bool
no_memory(const char *function)
{
	if (!fault_here(function, NULL))
		return false;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t len_bytes)
{
	return no_memory("malloc") ? NULL : counted(__real_malloc(len_bytes));
}

void *
__wrap_calloc(size_t nr, size_t len_bytes)
{
	return no_memory("calloc") ? NULL : counted(__real_calloc(nr, len_bytes));
}

void *
__wrap_realloc(void *p, size_t len_bytes)
{
	void *new;

	if (no_memory("realloc"))
		return NULL;
	new = __real_realloc(p, len_bytes);
	return p == NULL ? counted(new) : new;
}

void *
__wrap_aligned_alloc(size_t align, size_t len_bytes)
{
	return no_memory("aligned_alloc") ? NULL : counted(__real_aligned_alloc(align, len_bytes));
}

char *
__wrap_realpath(const char *path, char *resolved)
{
	char *p;

	if (no_memory("realpath"))
		return NULL;
	p = __real_realpath(path, resolved);
	return resolved == NULL ? counted(p) : p;
}

void
__wrap_free(void *p)
{
	if (p != NULL)
		atomic_fetch_sub(&nr_allocated, 1);
	__real_free(p);
}

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *opaque)
{
	if (fault_here("pthread_create", NULL))
		return EAGAIN;
	return __real_pthread_create(thread, attr, fn, opaque);
}
