/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/sim_pm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

_Thread_local unsigned int sim_thread;
void (*sim_yield)(void);

static struct sim_pm *
to_sim(struct pm *pm)
{
	return CONTAINER_OF(pm, struct sim_pm, pm);
}

static void
yield(void)
{
	if (sim_yield)
		sim_yield();
}

/* A place outside the memory is a bug of the code under test that nothing may hide. */
static uint64_t
offset_of(const struct sim_pm *sim, const volatile void *addr, size_t len_bytes, unsigned int site)
{
	uint64_t off = (uint64_t)((const char *)addr - (const char *)sim->pm.base);

	if (off > sim->pm.len_bytes || len_bytes > sim->pm.len_bytes - off) {
		fprintf(stderr, "%s: writes outside the memory, offset 0x%llx, %zu bytes\n", sim_site_name(site),
			(unsigned long long)off, len_bytes);
		abort();
	}
	return off;
}

static void
add(struct sim_pm *sim, struct sim_event event)
{
	event.thread = (uint8_t)sim_thread;
	if (sim->recording)
		sim_log_add(&sim->log, &event);
}

static void
sim_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	struct sim_pm *sim = to_sim(pm);
	uint64_t off = offset_of(sim, dst, len_bytes, site);
	uint64_t at = 0;

	yield();
	memcpy(dst, src, len_bytes);
	if (sim->recording)
		at = sim_log_add_data(&sim->log, src, len_bytes);
	add(sim, (struct sim_event){.type = SIM_COPY,
				    .site = (uint16_t)site,
				    .off = off,
				    .len_bytes = (uint32_t)len_bytes,
				    .value = at});
}

static void
add_store(struct sim_pm *sim, pm_slot *slot, uint64_t le, enum pm_site site)
{
	add(sim, (struct sim_event){.type = SIM_STORE,
				    .site = (uint16_t)site,
				    .off = offset_of(sim, slot, 8, site),
				    .len_bytes = 8,
				    .value = le});
}

static void
sim_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	yield();
	atomic_store_explicit(slot, le, memory_order_release);
	add_store(to_sim(pm), slot, le, site);
}

static uint64_t
sim_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	uint64_t old;

	yield();
	old = atomic_exchange_explicit(slot, le, memory_order_acq_rel);
	add_store(to_sim(pm), slot, le, site);
	return old;
}

static bool
sim_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	yield();
	if (!atomic_compare_exchange_strong_explicit(slot, expected_le, le, memory_order_acq_rel, memory_order_acquire))
		return false;
	add_store(to_sim(pm), slot, le, site);
	return true;
}

static void
sim_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	struct sim_pm *sim = to_sim(pm);
	uint64_t off = offset_of(sim, addr, len_bytes, site);

	yield();
	add(sim, (struct sim_event){
			 .type = SIM_FLUSH, .site = (uint16_t)site, .off = off, .len_bytes = (uint32_t)len_bytes});
}

static void
sim_fence(struct pm *pm, enum pm_site site)
{
	yield();
	add(to_sim(pm), (struct sim_event){.type = SIM_FENCE, .site = (uint16_t)site});
}

static int
sim_sync(struct pm *pm)
{
	(void)pm;
	return 0;
}

static int
sim_ensure(struct pm *pm, uint64_t off, uint64_t len_bytes)
{
	struct sim_pm *sim = to_sim(pm);

	return sim->on_ensure ? sim->on_ensure(sim->opaque, off, len_bytes) : 0;
}

static void
sim_close(struct pm *pm)
{
	(void)pm; /* the test looks at the memory afterwards */
}

static const struct pm_ops sim_ops = {
	.copy = sim_copy,
	.store = sim_store,
	.exchange = sim_exchange,
	.cmpxchg = sim_cmpxchg,
	.flush = sim_flush,
	.fence = sim_fence,
	.sync = sim_sync,
	.ensure = sim_ensure,
	.close = sim_close,
};

void
sim_pm_init(struct sim_pm *sim, uint64_t len_bytes)
{
	memset(sim, 0, sizeof *sim);
	sim->pm.ops = &sim_ops;
	sim->pm.len_bytes = len_bytes;
	sim->pm.is_pmem = true;
	sim->pm.base = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sim->pm.base == MAP_FAILED)
		abort();
	sim->recording = true;
}

void
sim_pm_fini(struct sim_pm *sim)
{
	munmap(sim->pm.base, sim->pm.len_bytes);
	sim_log_free(&sim->log);
}

void
sim_begin(struct sim_pm *sim, uint64_t operation)
{
	add(sim, (struct sim_event){.type = SIM_BEGIN, .value = operation});
}

void
sim_ack(struct sim_pm *sim, uint64_t operation, int64_t result)
{
	add(sim, (struct sim_event){.type = SIM_ACK, .value = operation, .result = result});
}

void
sim_length(struct sim_pm *sim, uint64_t len_bytes)
{
	add(sim, (struct sim_event){.type = SIM_LENGTH, .site = SIM_SITE_TEST, .value = len_bytes});
}

void
sim_user_write(struct sim_pm *sim, void *dst, const void *src, size_t len_bytes)
{
	uint64_t off = offset_of(sim, dst, len_bytes, SIM_SITE_USER);

	memcpy(dst, src, len_bytes);
	for (uint64_t word = off / 8; word * 8 < off + len_bytes; word++) {
		uint64_t value;

		memcpy(&value, (char *)sim->pm.base + 8 * word, 8);
		add(sim,
		    (struct sim_event){
			    .type = SIM_STORE, .site = SIM_SITE_USER, .off = 8 * word, .len_bytes = 8, .value = value});
	}
}
