/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a pool holds: its instances, disks among them.
 *
 *	list-instances POOL
 *
 * It opens the pool read-only and changes nothing; other readers may have the
 * pool at the same time.
 */
#include <inttypes.h>
#include <stdio.h>

#include <prmem.h>

static int
print_one(void *opaque, const struct prmem_instance_info *info)
{
	(void)opaque;
	printf("%s/%s: %" PRIu64 " entries%s\n", info->subsystem, info->name, info->nr_entries,
	       info->damaged ? ", damaged" : "");
	return 0;
}

int
main(int argc, char **argv)
{
	const struct prmem_open_args args = {
		.path = argc > 1 ? argv[1] : "", .format = PRMEM_FORMAT_NEVER, .read_only = true};
	struct prmem_error err;
	struct prmem_pool *pool;

	if (prmem_open(&args, sizeof args, &pool, &err) < 0) {
		fprintf(stderr, "list-instances: %s\n", err.message);
		return 1;
	}
	prmem_list(pool, NULL, print_one, NULL);
	prmem_close(pool);
	return 0;
}
