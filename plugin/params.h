/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parameters.  PARAMS is the one table: parsing, `nbdkit prmem --help`
 * and `--dump-plugin` are made from it, and a test compares the manual with
 * it.
 */
#ifndef PRMEM_PLUGIN_PARAMS_H
#define PRMEM_PLUGIN_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <prmem.h>

#define MAX_DISKS_DEFAULT 256
#define MAX_DISKS_LIMIT 65536

/* X(field, key, usage, what it means) */
#define PARAMS(X)                                                                                                      \
	X(pool, "pool", "[pool=]<PATH>    ", "The pool: a device-DAX node or a file (required).")                      \
	X(size, "size", "size=<SIZE>      ", "Make pram0, or disk=NAME, with this size if it does not exist.")         \
	X(sizes, "sizes", "sizes=<S0,S1,..> ", "Make pram0, pram1, ... with these sizes if they do not exist.")        \
	X(disk, "disk", "disk=<NAME>      ", "Serve this one disk only, under any export name.")                       \
	X(pool_size, "pool-size", "pool-size=<SIZE> ", "Size of a new file pool (default: what its disks can need).")  \
	X(format, "format", "format=<HOW>     ", "auto: a new or blank pool is formatted (default); never; force.")    \
	X(max_disks, "max-disks", "max-disks=<N>    ", "Refuse to make more disks than this (default: 256).")          \
	X(low_space, "low-space", "low-space=<SIZE> ", "Warn when less than this is left (default: never).")           \
	X(region, "region", "region=<PATH>    ", "Path of an added region that moved (may be repeated).")              \
	X(degraded, "degraded", "degraded=<BOOL>  ",                                                                   \
	  "With -r: serve what is whole if a region is missing (default: no).")

#define PARAMS_HELP_LINE(field, key, usage, help) usage help "\n"
#define PARAMS_HELP PARAMS(PARAMS_HELP_LINE)

/* A disk that size= or sizes= asks for. */
struct wanted_disk {
	char name[PRMEM_NAME_MAX + 1];
	uint64_t size_bytes;
};

struct params {
	char *pool; /* absolute */
	const char *disk; /* serve only this one; NULL: all */
	uint64_t pool_size_bytes; /* 0: not given */
	uint64_t low_space_bytes; /* 0: no threshold */
	const char **region_paths; /* ends with NULL; or NULL */
	size_t nr_regions;
	bool degraded;
	enum prmem_format format;
	unsigned int max_disks;
	struct wanted_disk *wanted;
	size_t nr_wanted;
};

extern struct params params;

/* params_config() - nbdkit's .config: one parameter. Return: 0, -1. */
int params_config(const char *key, const char *value);

/* params_complete() - nbdkit's .config_complete: there are no more. Return: 0, -1. */
int params_complete(void);

/* params_dump() - write the keys to standard output, for --dump-plugin. */
void params_dump(void);

void params_free(void);

/*
 * disk_name_is_valid() - may a disk have this name?  The library's own rule,
 * repeated here because a bad name must be refused before the pool is touched,
 * and because a client's export name is logged only if it is harmless.
 */
bool disk_name_is_valid(const char *name);

#endif
