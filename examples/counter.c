/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A counter that survives: each run prints the next number.
 *
 *	counter POOL
 *
 * The number is a value in an array: xa_cmpxchg() is durable on return, and
 * lets threads of a program count at the same time.
 */
#include <stdio.h>
#include <string.h>

#include <prmem.h>

int
main(int argc, char **argv)
{
	const struct prmem_open_args args = {.path = argc > 1 ? argv[1] : "counter.pool", .pool_size_bytes = 1 << 20};
	struct prmem_error err;
	struct prmem_pool *pool;
	struct prmem_instance *counter;
	xa_entry_t old, seen;

	if (prmem_open(&args, sizeof args, &pool, &err) < 0 ||
	    prmem_get(pool, "example", "counter", PRMEM_CREATE, &counter, &err) < 0) {
		fprintf(stderr, "counter: %s\n", err.message);
		return 1;
	}
	seen = xa_load(prmem_xarray(counter), 0);
	do {
		old = seen;
		if (!xa_is_err(old))
			seen = xa_cmpxchg(prmem_xarray(counter), 0, old,
					  xa_mk_value(old == 0 ? 1 : xa_to_value(old) + 1));
	} while (!xa_is_err(seen) && seen != old);
	if (xa_is_err(seen))
		fprintf(stderr, "counter: %s\n", strerror(-xa_err(seen)));
	else
		printf("%u\n", old == 0 ? 1 : xa_to_value(old) + 1);
	prmem_put(counter);
	prmem_close(pool);
	return xa_is_err(seen);
}
