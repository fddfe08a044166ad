/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What calls fail in: a pool made from a template, an operation on it, and how
 * to see whether it was done.
 */
#ifndef PRMEM_TESTS_FAULT_SCENE_H
#define PRMEM_TESTS_FAULT_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prmem/prmem.h"
#include "tests/unit/unit.h"

#define SCENE_BYTES (UINT64_C(2) << 20)
#define SCENE_PAGES 20u /* written of disk "a" */

struct scene {
	char dir[64];
	char path[80], region[80];
	struct prmem_pool *pool; /* open, or NULL */
	struct prmem_disk *disk; /* "a", open, or NULL */
	struct prmem_instance *inst;
	void *object;
};

/* A file of a scene, as it was. */
struct digest {
	bool exists;
	uint64_t len_bytes;
	uint32_t crc;
};

enum template {
	NO_FILE,
	EMPTY_FILE,
	FILE_OF_ZEROES,
	POOL,
	POOL_CUT_GROWTH, /* longer than its superblock says, on the way to be */
	POOL_UNFINISHED, /* a disk was removed, and not all of it wiped */
	POOL_SB_DAMAGED, /* superblock B */
	POOL_BIT_FLIPPED, /* in a slot of "a" */
	POOL_OF_TWO, /* with an added region */
	NR_TEMPLATES,
};

struct op {
	const char *name;
	enum template template;
	void (*before)(struct scene *s); /* with no call failing */
	int (*run)(struct scene *s, struct prmem_error *err); /* the calls of this fail */
	int (*state)(struct scene *s); /* of the pool opened again: 0 as it was, 1 done, -1 neither; NULL: 0 */
	int wanted; /* what state() is when it was done */
	bool has_error; /* it fills err */
	bool is_open; /* it opens s->pool */
	bool is_format;
	bool may_be_done; /* also when it failed: in part, or late */
	bool syncs_another; /* it syncs a file that is not yet the pool's */
	bool is_quiet; /* it has no way to say that it failed */
};

/* scene_make() - the templates, in a directory of its own. */
void scene_make(struct scene *s);
void scene_remove(struct scene *s);

/* scene_set() - the files as an operation's template has them. */
void scene_set(struct scene *s, const struct op *op);

/* scene_close() - all that is open. */
void scene_close(struct scene *s);

struct digest scene_digest(const struct scene *s);
bool scene_is_unchanged(const struct scene *s, struct digest before, bool or_empty);

/* scene_a_is_whole() - disk "a" of s->pool reads as it was written. */
bool scene_a_is_whole(struct scene *s);

/*
 * scene_judge() - open the pool again, and check all of it.
 * Return: the operation's state, or -1 and what is wrong.
 */
int scene_judge(struct scene *s, const struct op *op, char *what, size_t what_bytes);

/* fault_ops() - Return: how many there are, *ret_ops. */
size_t fault_ops(const struct op **ret_ops);

/* scene_open() - open s->pool, by the operation's way.  Return: as prmem_open(). */
int scene_open(struct scene *s, bool read_only, uint64_t size_bytes, struct prmem_error *err);

/* must_open() - open s->pool and disk "a". */
void must_open(struct scene *s);

#endif
