/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operations that workloads are made of: what they do to the engine, and
 * what they should do to an index or an instance.
 */
#ifndef PRMEM_TESTS_OP_H
#define PRMEM_TESTS_OP_H

#include "prmem/prmem.h"
#include "tests/crash/content.h"
#include "tests/crash/sim_log.h"
#include "tests/crash/views.h"

#define MAX_INSTANCES 6u /* of a workload, at one time */
#define HIDDEN_PLACE MAX_INSTANCES /* behind these: the disk that was begun and is not finished */
#define NR_PLACES (MAX_INSTANCES + 1u)

enum op_type {
	OP_WRITE, /* disk: off, len_bytes, tag (0: zeroes) */
	OP_ZERO, /* disk: off, len_bytes */
	OP_READ, /* disk: one page at off; the result says what was read */
	OP_DISK_CREATE, /* name, size; old: 0, or OP_CREATE_RESERVE */
	OP_BEGIN, /* at HIDDEN_PLACE: name, size; old: as above */
	OP_FINISH, /* inst: the disk that has the name, or a free place; size */
	OP_ABANDON, /* at HIDDEN_PLACE: close it without having finished it */
	OP_RESIZE, /* disk: size */
	OP_INST_CREATE, /* name */
	OP_REMOVE, /* old: 0, or OP_REMOVE_WIPE for a disk */
	OP_RENAME, /* new_name */
	OP_SET_DATA, /* len_bytes, tag, object */
	OP_STORE, /* array: index off; a value, or an object with tag and len_bytes */
	OP_CMPXCHG, /* array: index off; value old (0: nothing) by value tag */
	OP_ERASE_RANGE, /* array: indices off to off + len_bytes - 1 */
	OP_REOPEN, /* close the pool and open it again; at HIDDEN_PLACE if there is one */
	OP_FORMAT, /* make a new pool; old: enum prmem_format */
	OP_GROW, /* the pool: size */
	OP_ADD_REGION, /* the one that views have */
	OP_REPAIR, /* open a damaged pool, repair it, close it */
	OP_NR_TYPES,
};

#define OP_REMOVE_WIPE 1u
#define OP_CREATE_RESERVE 1u

enum op_object {
	OBJECT_NONE,
	OBJECT_VALUE,
	OBJECT_BUFFER,
	OBJECT_PAGES, /* + order */
};

struct op {
	enum op_type type;
	uint8_t inst; /* its place in the model */
	uint8_t name; /* its name, as a number */
	uint8_t new_name;
	uint8_t object; /* enum op_object, or OBJECT_PAGES + order */
	uint64_t off;
	uint64_t len_bytes;
	uint64_t size_bytes;
	uint64_t tag;
	uint32_t old;
};

/* An engine that operations are run on: over a simulated or a played memory. */
struct engine {
	struct pm *pm;
	void (*user_write)(struct pm *pm, void *dst, const void *src, size_t len_bytes);
	struct views *views; /* the pool is in several pieces; or NULL */
	struct prmem_pool *pool;
	struct prmem_disk *disks[NR_PLACES];
	struct prmem_instance *insts[NR_PLACES];
	bool shared; /* by threads: handles stay open */
	char notice[160]; /* the last one */
	unsigned int nr_notices;
};

/* engine_open() - Return: as pool_open_pm(); @ret_err says why. */
int engine_open(struct engine *engine, struct pm *pm, enum prmem_format format, struct prmem_error *ret_err);

/* engine_open_read_only() - Return: as above. */
int engine_open_read_only(struct engine *engine, struct pm *pm, struct prmem_error *ret_err);
void engine_close(struct engine *engine);

/* engine_handles() - open what an operation will need, so that it does not take part in the operation. */
int engine_handles(struct engine *engine, const struct op *op);

/* op_run() - Return: 0 or more, or a negative errno. */
int64_t op_run(struct engine *engine, const struct op *op);

/* op_is_of_disk() - is the instance it is about a disk?  OP_REMOVE and OP_RENAME say it by a size. */
bool op_is_of_disk(const struct op *op);

/* The name and the subsystem of an instance. */
void op_instance_name(uint8_t name, bool is_disk, char ret_name[16]);
const char *op_subsystem(bool is_disk);

/* op_affects() - can it change what is at an index of its instance?  OP_FINISH changes all of it at once. */
bool op_affects(const struct op *op, uint32_t idx);

/*
 * op_effect() - what is at an index after it; not of OP_FINISH, which brings what is at HIDDEN_PLACE.
 * @ret_matched: of OP_CMPXCHG, whether it found what it expected
 */
int32_t op_effect(struct contents *contents, const struct op *op, uint32_t idx, int32_t content, bool *ret_matched);

/* op_data() - the content that OP_SET_DATA sets; CONTENT_NONE for none. */
int32_t op_data(struct contents *contents, const struct op *op);

/* op_read_result() - what OP_READ answers for a content. */
int64_t op_read_result(const struct contents *contents, int32_t content);

void op_text(const struct op *op, char *buf, size_t buf_bytes);

#endif
