/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resize POOL DISK BYTES - change the size of a disk in a pool that no server
 * has open.  POOL is a path, or - for what standard input is open on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <prmem.h>

int
main(int argc, char **argv)
{
	struct prmem_open_args args = {.format = PRMEM_FORMAT_NEVER};
	struct prmem_error err = {0};
	struct prmem_pool *pool;
	int r;

	if (argc != 4) {
		fprintf(stderr, "usage: resize POOL DISK BYTES\n");
		return 2;
	}
	args.path = argv[1];
	if (strcmp(argv[1], "-") == 0)
		args.flags = PRMEM_OPEN_FD; /* fd is 0 */
	r = prmem_open(&args, sizeof args, &pool, &err);
	if (r < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	r = prmem_disk_resize(pool, argv[2], strtoull(argv[3], NULL, 10), false, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.message);
	prmem_close(pool);
	return r < 0;
}
