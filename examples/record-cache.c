/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cache of named records that survives its own restarts, on libprmem.
 *
 *	record-cache POOL put NAME TEXT
 *	record-cache POOL get NAME
 *	record-cache POOL forget NAME
 *	record-cache POOL list
 *
 * A record is a small buffer that holds its name and its text.  The index it
 * lies at is a hash of its name; the next ones are tried when others are
 * there.  Storing publishes the record as a whole: after a crash the cache
 * has the old text or the new one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <prmem.h>

#define PROBES 64u /* places that a name may lie at */

struct record {
	char name[64];
	char text[1];
};

static uint32_t
first_place(const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash & ~(PROBES - 1);
}

/* Find a name; *place is where it lies, or else where it may be put. */
static int
find(struct prmem_instance *cache, const char *name, uint32_t *place, struct prmem_loan *loan)
{
	uint32_t first = first_place(name);
	int free_place = -1;

	for (uint32_t i = 0; i < PROBES; i++) {
		int r = prmem_borrow(cache, first + i, loan);

		if (r == 0) {
			const struct record *record = loan->addr;

			if (strncmp(record->name, name, sizeof record->name) == 0) {
				*place = first + i;
				return 0;
			}
			prmem_give_back(cache, loan);
		} else if (r != -ENODATA && r != -EIO) {
			return r;
		} else if (free_place < 0) {
			free_place = (int)i; /* empty, or damaged: storing there heals it */
		}
	}
	if (free_place < 0)
		return -ENOSPC;
	*place = first + (uint32_t)free_place;
	return -ENOENT;
}

static int
put(struct prmem_pool *pool, struct prmem_instance *cache, const char *name, const char *text)
{
	struct prmem_loan loan;
	struct record *record;
	xa_entry_t entry, old;
	uint32_t place;
	void *buffer;
	int r;

	if (strlen(name) >= sizeof record->name)
		return -ENAMETOOLONG;
	r = find(cache, name, &place, &loan);
	if (r == 0)
		prmem_give_back(cache, &loan);
	else if (r != -ENOENT)
		return r;
	r = prmem_alloc(pool, sizeof *record + strlen(text), &buffer);
	if (r < 0)
		return r;
	record = buffer;
	memset(record->name, 0, sizeof record->name);
	strcpy(record->name, name);
	strcpy(record->text, text);
	r = prmem_mk_entry(cache, place, buffer, &entry);
	if (r < 0) {
		prmem_free(pool, buffer);
		return r;
	}
	old = xa_store(prmem_xarray(cache), place, entry);
	if (xa_is_err(old)) {
		prmem_free(pool, buffer);
		return xa_err(old);
	}
	prmem_free_entry(cache, old);
	return prmem_sync(pool);
}

static int
get(struct prmem_instance *cache, const char *name)
{
	struct prmem_loan loan;
	uint32_t place;
	int r = find(cache, name, &place, &loan);

	if (r < 0)
		return r;
	puts(((const struct record *)loan.addr)->text);
	prmem_give_back(cache, &loan);
	return 0;
}

static int
forget(struct prmem_pool *pool, struct prmem_instance *cache, const char *name)
{
	struct prmem_loan loan;
	xa_entry_t old;
	uint32_t place;
	int r = find(cache, name, &place, &loan);

	if (r < 0)
		return r;
	prmem_give_back(cache, &loan);
	old = xa_erase(prmem_xarray(cache), place);
	if (xa_is_err(old))
		return xa_err(old);
	prmem_free_entry(cache, old);
	return prmem_sync(pool);
}

static int
list(struct prmem_instance *cache)
{
	uint32_t place;
	xa_entry_t entry;

	xa_for_each(prmem_xarray(cache), place, entry) {
		struct prmem_loan loan;

		if (prmem_borrow(cache, place, &loan) < 0) {
			printf("(a damaged record)\n");
			continue;
		}
		printf("%s=%s\n", ((const struct record *)loan.addr)->name, ((const struct record *)loan.addr)->text);
		prmem_give_back(cache, &loan);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct prmem_open_args args = {.pool_size_bytes = 4 << 20};
	struct prmem_error err;
	struct prmem_pool *pool;
	struct prmem_instance *cache;
	const char *verb = argc > 2 ? argv[2] : "";
	int r;

	if (argc < 3) {
		fprintf(stderr, "usage: record-cache POOL put NAME TEXT | get NAME | forget NAME | list\n");
		return 2;
	}
	args.path = argv[1];
	if (prmem_open(&args, sizeof args, &pool, &err) < 0) {
		fprintf(stderr, "record-cache: %s\n", err.message);
		return 1;
	}
	if (prmem_get(pool, "example", "record-cache", PRMEM_CREATE, &cache, &err) < 0) {
		fprintf(stderr, "record-cache: %s\n", err.message);
		prmem_close(pool);
		return 1;
	}
	if (strcmp(verb, "put") == 0 && argc == 5)
		r = put(pool, cache, argv[3], argv[4]);
	else if (strcmp(verb, "get") == 0 && argc == 4)
		r = get(cache, argv[3]);
	else if (strcmp(verb, "forget") == 0 && argc == 4)
		r = forget(pool, cache, argv[3]);
	else if (strcmp(verb, "list") == 0 && argc == 3)
		r = list(cache);
	else
		r = -EINVAL;
	if (r < 0)
		fprintf(stderr, "record-cache: %s: %s\n", argc > 3 ? argv[3] : verb, strerror(-r));
	prmem_put(cache);
	prmem_close(pool);
	return r < 0 ? 1 : 0;
}
