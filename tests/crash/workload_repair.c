/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A crash while a damaged pool is repaired: the repair of what it left comes
 * to the same end, and once a repair is acknowledged, nothing of it is lost.
 */
#include <stdio.h>
#include <string.h>

#include "common/mix64.h"
#include "prmem/core/pool.h"
#include "tests/crash/workload.h"
#include "xarray/xa_node.h"

enum damage { SLOT_BIT, RECORD_BIT, DIRECTORY_SLOT, DIRECTORY_AND_RECORD, SUPERBLOCK };

/* Whatever a repair may look at is looked at. */
static uint64_t
walk_all(void *opaque, struct explorer *ex)
{
	const struct persist *persist = ex->persist;
	uint64_t hash = 0;

	(void)opaque;
	explore_touch(ex, 0, persist->len_bytes);
	for (uint32_t page = 0; page < persist->nr_pages; page++) {
		uint32_t stamp = explore_stamp(ex, page);

		hash = mix64(hash + (stamp ? stamp : content_hash(persist->work + 4096 * (uint64_t)page, 4096)));
	}
	return hash;
}

static void
play_write(struct pm *pm, void *dst, const void *src, size_t len_bytes)
{
	play_user_write(CONTAINER_OF(pm, struct play_pm, pm), dst, src, len_bytes);
}

/* Is all as the repair that nothing interrupted left it? */
static bool
is_as_repaired(struct session *session, struct explorer *ex, const char *when)
{
	session->media.quiet = true;
	media_walk(&session->media);
	if (session->media.wrong[0])
		return explore_fail(ex, "%s: %s", when, session->media.wrong);
	return model_judge(&session->after, &session->media) || explore_fail(ex, "%s: %s", when, session->after.wrong);
}

static bool
judge_repair(void *opaque, struct explorer *ex, bool fresh)
{
	struct session *session = opaque;
	const struct op again = {.type = OP_REPAIR};
	struct prmem_pool_info info;
	struct prmem_error err;
	struct play_pm play;
	int64_t r;

	if (session->model.nr_acked > 0 && !is_as_repaired(session, ex, "an acknowledged repair"))
		return false;
	if (!fresh)
		return true;
	play_pm_init(&play, ex);
	session->again.pm = &play.pm;
	session->again.user_write = play_write;
	r = op_run(&session->again, &again);
	if (r < 0)
		return explore_fail(ex, "the repair after a crash fails with %d", (int)r);
	if (!is_as_repaired(session, ex, "the repair after a crash"))
		return false;
	r = engine_open(&session->again, &play.pm, PRMEM_FORMAT_NEVER, &err);
	if (r < 0)
		return explore_fail(ex, "after the repair it does not open: %s", err.message);
	prmem_pool_info(session->again.pool, &info, sizeof info);
	engine_close(&session->again);
	if (info.read_only || info.nr_damaged)
		return explore_fail(ex, "after the repair it is damaged: %s", info.read_only_why);
	return true;
}

/* Where the directory's slot for an instance is: the word that names its record. */
static uint64_t *
slot_of(const struct session *session, const struct media_instance *inst)
{
	uint64_t *words = session->sim.pm.base;
	uint32_t pfn = (uint32_t)((uint64_t)((const char *)inst->rec - (const char *)session->sim.pm.base) >> 12);

	for (uint64_t page = 0; page < session->media.nr_pages; page++)
		for (uint64_t i = 0; session->in_memory.role[page] == ROLE_NODE && i < XA_CHUNK_SIZE; i++)
			if (xa_entry_kind(le64toh(words[512 * page + i])) == XA_KIND_PAGE &&
			    xa_entry_payload(le64toh(words[512 * page + i])) == pfn)
				return &words[512 * page + i];
	return NULL;
}

static void
flip(void *bytes, uint64_t bit)
{
	((uint8_t *)bytes)[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void
damage(struct session *session, enum damage how)
{
	const struct media *media = session_look(session);
	const struct media_instance *inst = media_instance_named(media, PRMEM_SUBSYSTEM_RAMDISK, "pram0");
	char *memory = session->sim.pm.base;
	uint64_t r = mix64(session->seed), *slot = slot_of(session, inst);
	char *rec = memory + ((const char *)inst->rec - memory);
	uint64_t root = le64_to_cpu(inst->rec->root);

	switch (how) {
	case SLOT_BIT:
		/* A slot of the root, which is there whatever the height. */
		flip(memory + 4096 * (uint64_t)xa_entry_payload(root), r % 64);
		flip(slot, r >> 8 & 63);
		break;
	case RECORD_BIT:
		flip(rec, r % (8 * sizeof(struct record_media)));
		break;
	case DIRECTORY_SLOT:
		*slot = r;
		break;
	case DIRECTORY_AND_RECORD:
		/* What is found then is an older version. */
		*slot = r;
		memset(rec, (int)(r & 0xff), 300);
		break;
	default:
		memset(memory + (r & 1 ? 4096 * (uint64_t)SB_PFN_B : 0) + 64, 0x5a, 200);
		flip(slot, r >> 8 & 63);
		break;
	}
}

static bool
run_repair(struct run *run, const struct workload *workload)
{
	const struct op disk = {.type = OP_DISK_CREATE, .size_bytes = (uint64_t)indices_tall.idx[7] << 12};
	const struct op array = {.type = OP_INST_CREATE, .inst = 1, .name = 1};
	const struct op repair = {.type = OP_REPAIR};
	struct session *session = session_new(run->seed, 64, indices_tall.idx, indices_tall.nr, &profile_short);
	bool ok = session_do(session, &disk) && session_do(session, &array);

	for (uint32_t i = 0; ok && i < 6; i++) {
		const struct op write = {.type = OP_WRITE,
					 .size_bytes = 1,
					 .len_bytes = 4096,
					 .tag = run->seed + i,
					 .off = (uint64_t)indices_tall.idx[i] << 12};
		const struct op store = {.type = OP_STORE,
					 .inst = 1,
					 .name = 1,
					 .off = indices_tall.idx[i],
					 .object = OBJECT_VALUE,
					 .tag = i + 1};

		ok = session_do(session, &write) && session_do(session, &store);
	}
	if (ok) {
		engine_close(&session->engine);
		damage(session, (enum damage)(uintptr_t)workload->opaque);
		session_record_start(session);
		ok = session_record(session, &repair);
	}
	if (ok) {
		const struct media *media = session_look(session);

		if (media->wrong[0]) {
			snprintf(session->why, sizeof session->why, "the repair leaves this: %s", media->wrong);
			ok = false;
		} else {
			model_settle(&session->after, &session->now, media, true);
			session->target = (struct explore_target){walk_all, judge_repair, session};
			ok = run_explore(run, session);
		}
	}
	return run_end(run, session, ok);
}

const struct workload repair_workloads[] = {
	{"repair-slots", "repair of slots with a wrong bit", run_repair, .rare = true, .max_images = 4000,
	 .opaque = (void *)SLOT_BIT},
	{"repair-record", "of a record with a wrong bit", run_repair, .rare = true, .max_images = 4000,
	 .opaque = (void *)RECORD_BIT},
	{"repair-lost-slot", "of a directory that lost a record", run_repair, .rare = true, .max_images = 4000,
	 .opaque = (void *)DIRECTORY_SLOT},
	{"repair-old-record", "when only an older record is left", run_repair, .rare = true, .max_images = 4000,
	 .opaque = (void *)DIRECTORY_AND_RECORD},
	{"repair-superblock", "of a superblock, and a slot", run_repair, .rare = true, .max_images = 4000,
	 .opaque = (void *)SUPERBLOCK},
};
const unsigned int nr_repair_workloads = ARRAY_SIZE(repair_workloads);
