/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Failing calls for a server as it is shipped: to be preloaded into nbdkit.
 * Calls count that come from the plugin, or from libpmem or libblkid.
 *
 *	FAULT_AT=N      the N-th one fails
 *	FAULT_ONWARD=1  and all after it of the same function
 *	FAULT_LOG=FILE  gets the name of the function
 */
#define FAULT_PRELOAD
#include "tests/fault/fault.c"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

void *__libc_malloc(size_t len_bytes);
void *__libc_calloc(size_t nr, size_t len_bytes);
void *__libc_realloc(void *p, size_t len_bytes);
void *__libc_memalign(size_t align, size_t len_bytes);

static __thread bool inside; /* what this file calls does not count */

static bool
is_ours(const void *caller)
{
	static const char *const names[] = {"nbdkit-prmem-plugin", "libpmem", "libblkid"};
	Dl_info info;

	if (dladdr(caller, &info) == 0 || info.dli_fname == NULL)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strstr(info.dli_fname, names[i]) != NULL)
			return true;
	}
	return false;
}

static void
note(const char *function)
{
	const char *path = getenv("FAULT_LOG");
	int fd = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd < 0)
		return;
	(void)!write(fd, function, strlen(function));
	close(fd);
}

bool
fault_here(const char *function, const void *caller)
{
	const char *at = getenv("FAULT_AT");
	const char *was = atomic_load(&failed);
	bool fails = false;
	uint64_t n;

	if (at == NULL || inside)
		return false;
	inside = true;
	if (is_ours(caller)) {
		n = atomic_fetch_add(&nr_calls, 1) + 1;
		if (was == NULL && n == strtoull(at, NULL, 10)) {
			atomic_store(&failed, function);
			note(function);
			fails = true;
		} else {
			fails = was != NULL && getenv("FAULT_ONWARD") != NULL && strcmp(was, function) == 0;
		}
	}
	inside = false;
	return fails;
}

void *
malloc(size_t len_bytes)
{
	FAIL_WITH(ENOMEM, NULL);
	return __libc_malloc(len_bytes);
}

void *
calloc(size_t nr, size_t len_bytes)
{
	FAIL_WITH(ENOMEM, NULL);
	return __libc_calloc(nr, len_bytes);
}

void *
realloc(void *p, size_t len_bytes)
{
	FAIL_WITH(ENOMEM, NULL);
	return __libc_realloc(p, len_bytes);
}

void *
aligned_alloc(size_t align, size_t len_bytes)
{
	FAIL_WITH(ENOMEM, NULL);
	return __libc_memalign(align, len_bytes);
}

int
pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr, void *(*fn)(void *),
	       void *restrict opaque)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (fault_here(__func__, CALLER))
		return EAGAIN;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(thread, attr, fn, opaque);
}
