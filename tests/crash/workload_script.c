/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workloads that are written down: making a pool where something else was,
 * removing disks with a wipe, and pools that grow.
 */
#include "tests/crash/workload.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mix64.h"

enum before { BLANK, FOREIGN, OLD_POOL, OLD_POOL_BY_A, OLD_POOL_BY_B };

/* Make a pool of what holds one, or something else, or nothing. */
static bool
format(struct run *run, const struct workload *workload)
{
	enum before before = (enum before)(uintptr_t)workload->opaque;
	const struct op make = {.type = OP_FORMAT, .old = before == BLANK ? PRMEM_FORMAT_AUTO : PRMEM_FORMAT_FORCE};
	struct session *session;
	bool ok = true;

	if (before >= OLD_POOL) {
		session = session_new(run->seed, 64, indices_near.idx, indices_near.nr, &profile_mixed);
		for (unsigned int i = 0; ok && i < 30; i++) {
			struct op op = session_random_op(session);

			ok = session_do(session, &op);
		}
		if (before > OLD_POOL && session->engine.pool) {
			/* One superblock of the old pool is damaged already. */
			engine_close(&session->engine);
			memset((char *)session->sim.pm.base + (before == OLD_POOL_BY_B ? 0 : 32 * 4096), 0x5a, 100);
		}
	} else {
		uint64_t *memory = calloc(64, 4096);

		if (!memory)
			abort();
		for (uint64_t i = 0; before == FOREIGN && i < 64 * 512; i++)
			memory[i] = mix64(run->seed + i);
		session = session_new_on(run->seed, memory, 64, indices_near.idx, indices_near.nr, &profile_mixed);
		session->foreign = before == FOREIGN;
		free(memory);
	}
	session_record_start(session);
	ok = ok && session_record(session, &make);
	/* The pool must be good for something, too. */
	for (unsigned int i = 0; ok && i < 6; i++) {
		struct op op = session_random_op(session);

		ok = session_record(session, &op);
	}
	ok = ok && run_explore(run, session);
	return run_end(run, session, ok);
}

/* Remove a disk and wipe what it held; then others get its pages. */
static bool
wipe(struct run *run, const struct workload *workload)
{
	const struct op disk = {.type = OP_DISK_CREATE, .size_bytes = 24 << 12};
	const struct op remove = {.type = OP_REMOVE, .size_bytes = 1, .old = OP_REMOVE_WIPE};
	struct session *session = session_new(run->seed, 64, indices_near.idx, indices_near.nr, &profile_short);
	struct media_secret *secret = calloc(1, sizeof *secret);
	const struct media *media;
	bool ok;

	(void)workload;
	if (!secret)
		abort();
	ok = session_do(session, &disk);
	for (uint64_t i = 0; ok && i < 3; i++) {
		const struct op op = {.type = OP_WRITE,
				      .size_bytes = 1,
				      .off = (7 * i) << 12,
				      .len_bytes = 4096,
				      .tag = run->seed + i};

		ok = session_do(session, &op);
	}
	if (ok) {
		media = session_look(session);
		media_keep_secret(media, media_instance_named(media, PRMEM_SUBSYSTEM_RAMDISK, "pram0"), secret);
		session->secret = secret;
		session_record_start(session);
		ok = session_record(session, &remove);
	}
	for (unsigned int i = 0; ok && i < 4; i++) {
		struct op op = session_random_op(session);

		ok = session_record(session, &op);
	}
	ok = ok && run_explore(run, session);
	free(secret);
	return run_end(run, session, ok);
}

enum growth { GROW_FILE, ADD_REGION };

/* A pool that gets larger while it is used, twice. */
static bool
grow(struct run *run, const struct workload *workload)
{
	enum growth growth = (enum growth)(uintptr_t)workload->opaque;
	const struct op grow = {.type = growth == ADD_REGION ? OP_ADD_REGION : OP_GROW,
				.size_bytes = growth == ADD_REGION ? 128 << 12 : 80 << 12};
	const struct op grow_more = {.type = OP_GROW, .size_bytes = 96 << 12};
	char path[] = "/tmp/prmem-crash-XXXXXX";
	int fd = mkstemp(path);
	struct session *session;
	bool ok = true;

	/* Only its name and its lock are of use; its memory is a piece of the simulated one. */
	if (fd < 0 || ftruncate(fd, 64 << 12) < 0)
		abort();
	close(fd);
	session = session_new_views(run->seed, 64, growth == ADD_REGION ? 128 : 96, path, indices_near.idx,
				    indices_near.nr, &profile_short);
	session->profile.max_pages = 12;
	for (unsigned int i = 0; ok && i < 10; i++) {
		struct op op = session_random_op(session);

		ok = session_do(session, &op);
	}
	session_record_start(session);
	for (unsigned int i = 0; ok && i < 9; i++) {
		struct op op = i == 1 ? grow : i == 5 && growth == GROW_FILE ? grow_more : session_random_op(session);

		ok = session_record(session, &op);
	}
	/* The lock on the region is needed for the images. */
	engine_close(&session->engine);
	ok = ok && run_explore(run, session);
	unlink(path);
	return run_end(run, session, ok);
}

const struct workload script_workloads[] = {
	{"format-blank", "make a pool of blank memory", format, .rare = true, .max_images = 4000,
	 .opaque = (void *)BLANK},
	{"format-foreign", "make a pool where something else was", format, .rare = true, .max_images = 4000,
	 .opaque = (void *)FOREIGN},
	{"format-again", "make a pool where another one was", format, .rare = true, .max_images = 4000,
	 .opaque = (void *)OLD_POOL},
	{"format-half-a", "the same, with superblock B of it damaged", format, .rare = true, .max_images = 4000,
	 .opaque = (void *)OLD_POOL_BY_A},
	{"format-half-b", "the same, with superblock A of it damaged", format, .rare = true, .max_images = 4000,
	 .opaque = (void *)OLD_POOL_BY_B},
	{"grow", "the pool's file gets longer", grow, .rare = true, .max_images = 8000, .opaque = (void *)GROW_FILE},
	{"add-region", "the pool gets a region more", grow, .rare = true, .max_images = 8000,
	 .opaque = (void *)ADD_REGION},
	{"wipe", "remove a disk and wipe what it held", wipe, .rare = true, .max_images = 8000},
};
const unsigned int nr_script_workloads = ARRAY_SIZE(script_workloads);
