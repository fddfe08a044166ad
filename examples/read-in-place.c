/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk's pages, read in place: its data goes to standard output, without a
 * server and without a copy in between.  Holes are left out.
 *
 *	read-in-place POOL DISK
 *
 * A loan holds a page as it is, and checked, until it is given back.
 */
#include <stdio.h>
#include <string.h>

#include <prmem.h>

int
main(int argc, char **argv)
{
	const struct prmem_open_args args = {
		.path = argc > 2 ? argv[1] : "", .format = PRMEM_FORMAT_NEVER, .read_only = true};
	struct prmem_error err;
	struct prmem_pool *pool;
	struct prmem_instance *disk;
	xa_entry_t entry;
	uint32_t idx;
	int status = 0;

	if (prmem_open(&args, sizeof args, &pool, &err) < 0 ||
	    prmem_get(pool, PRMEM_SUBSYSTEM_RAMDISK, argv[2], 0, &disk, &err) < 0) {
		fprintf(stderr, "read-in-place: %s\n", err.message);
		return 1;
	}
	xa_for_each(prmem_xarray(disk), idx, entry) {
		struct prmem_loan loan;
		int r = prmem_borrow(disk, idx, &loan);

		if (r < 0) {
			fprintf(stderr, "read-in-place: page %u: %s\n", idx, strerror(-r));
			status = 1;
			continue;
		}
		fwrite(loan.addr, loan.len_bytes, 1, stdout);
		prmem_give_back(disk, &loan);
	}
	prmem_put(disk);
	prmem_close(pool);
	return status;
}
