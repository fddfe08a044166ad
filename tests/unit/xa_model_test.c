/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random operations against a plain array, over a few windows of indices that
 * lie across the edges of nodes; failing allocations, closing and opening in
 * between.  What is in use is counted all the time, and in tracked runs what
 * is durable is compared after each operation.
 */
#include <errno.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

#define WINDOW (3 * XA_CHUNK_SIZE)
#define NR_WINDOWS 5

static struct sim_memory sim;
static struct xarray xa;
static uint32_t windows[NR_WINDOWS];
static xa_entry_t model[NR_WINDOWS][WINDOW];

static uint32_t
below(uint32_t n)
{
	return (uint32_t)(unit_random() % n);
}

static xa_entry_t
random_entry(void)
{
	switch (below(4)) {
	case 0:
		return 0;
	case 1:
		return xa_mk_value((uint32_t)unit_random());
	default:
		return sim_new_entry(&sim);
	}
}

static void
check_array(struct xarray *array, unsigned int w, uint32_t from, uint32_t nr)
{
	XA_STATE(xas, array);

	xa_read_lock();
	for (uint32_t i = from; i < from + nr; i++)
		CHECK_EQ(xas_load(&xas, windows[w] + i), model[w][i]);
	xa_read_unlock();
}

static void
check_all(struct xarray *array)
{
	uint32_t idx;
	xa_entry_t entry;
	uint64_t nr = 0;

	for (unsigned int w = 0; w < NR_WINDOWS; w++) {
		check_array(array, w, 0, WINDOW);
		for (uint32_t i = 0; i < WINDOW; i++)
			nr += model[w][i] != 0;
	}
	xa_for_each(array, idx, entry) {
		CHECK(!xa_is_err(entry));
		nr--;
	}
	CHECK_EQ(nr, 0);
}

/* Random faults: about one operation in eight meets a full memory. */
static bool
arm_faults(void)
{
	bool armed = below(8) == 0;

	sim.alloc_fails_in = armed ? 1 + (int)below(6) : -1;
	sim.set_root_fails_in = armed && below(4) == 0 ? 1 : -1;
	return armed;
}

static void
do_exchange(unsigned int w)
{
	static xa_entry_t new[WINDOW], old[WINDOW];
	uint32_t from = below(WINDOW), few = 1 + below(4), nr = 1 + below(WINDOW - from);
	bool armed;
	int64_t done;

	if (below(2))
		nr = MIN(nr, few);
	for (uint32_t i = 0; i < nr; i++)
		new[i] = below(8) ? random_entry() : 0;
	armed = arm_faults();
	done = xa_exchange(&xa, windows[w] + from, nr, new, old);
	CHECK(done == nr || (armed && (done == -ENOSPC || (done > 0 && done < nr))));
	for (uint32_t i = 0; i < nr; i++) {
		if (i < MAX(done, 0)) {
			CHECK_EQ(old[i], model[w][from + i]);
			sim_free_entry(&sim, old[i]);
			model[w][from + i] = new[i];
		} else {
			sim_free_entry(&sim, new[i]);
		}
	}
}

static void
do_store(unsigned int w)
{
	uint32_t i = below(WINDOW);
	xa_entry_t new = random_entry(), old;
	bool armed = arm_faults();

	old = new == 0 && below(2) ? xa_erase(&xa, windows[w] + i) : xa_store(&xa, windows[w] + i, new);
	if (xa_is_err(old)) {
		CHECK(armed && new != 0);
		CHECK_EQ(xa_err(old), -ENOSPC);
		sim_free_entry(&sim, new);
		return;
	}
	CHECK_EQ(old, model[w][i]);
	sim_free_entry(&sim, old);
	model[w][i] = new;
}

static void
do_cmpxchg(unsigned int w)
{
	uint32_t i = below(WINDOW);
	xa_entry_t was = model[w][i], expected = below(3) ? was : xa_mk_value(below(3)), new = random_entry(), old;
	bool armed = arm_faults();

	old = xa_cmpxchg(&xa, windows[w] + i, expected, new);
	if (xa_is_err(old)) {
		CHECK(armed && new != 0 && expected == 0);
		sim_free_entry(&sim, new);
		return;
	}
	CHECK_EQ(old, was);
	if (was == expected) {
		sim_free_entry(&sim, old);
		model[w][i] = new;
	} else {
		sim_free_entry(&sim, new);
	}
}

/* From somewhere in one window to somewhere in another, or within one. */
static void
do_erase_range(unsigned int w)
{
	unsigned int w2 = below(4) ? w : below(NR_WINDOWS);
	uint32_t first = windows[w] + below(WINDOW), last = windows[w2] + below(WINDOW);

	if (below(8) == 0)
		first = 0;
	if (below(16) == 0)
		last = UINT32_MAX;
	arm_faults();
	CHECK_EQ(xa_erase_range(&xa, first, last), 0);
	for (w = 0; w < NR_WINDOWS; w++)
		for (uint32_t i = 0; i < WINDOW; i++)
			if (windows[w] + i >= first && windows[w] + i <= last)
				model[w][i] = 0;
}

static void
do_find(unsigned int w)
{
	uint32_t i = below(WINDOW), idx = windows[w] + i, max = windows[w] + WINDOW - 1;
	bool after = below(2);
	xa_entry_t entry = after ? xa_find_after(&xa, &idx, max) : xa_find(&xa, &idx, max);

	for (i += after; i < WINDOW && model[w][i] == 0; i++)
		;
	CHECK_EQ(entry, i < WINDOW ? model[w][i] : 0);
	if (entry != 0)
		CHECK_EQ(idx, windows[w] + i);
}

static void
do_skip(unsigned int w)
{
	XA_STATE(xas, &xa);
	uint32_t i = below(WINDOW);

	xa_read_lock();
	CHECK_EQ(xas_load(&xas, windows[w] + i), model[w][i]);
	if (model[w][i] == 0) {
		uint64_t nr = xas_skip(&xas, windows[w] + i);

		CHECK(nr >= 1);
		for (uint32_t n = 0; n < nr && i + n < WINDOW; n++)
			CHECK_EQ(model[w][i + n], 0);
	}
	xa_read_unlock();
}

/* Where there is an entry there is its leaf: nothing that is stored there needs a page. */
static void
do_store_over(unsigned int w)
{
	uint32_t from = below(WINDOW), nr = 1 + below(WINDOW - from);

	sim.alloc_fails_in = sim.set_root_fails_in = 1;
	for (uint32_t i = from; i < from + nr; i += 1 + below(WINDOW / 4)) {
		xa_entry_t new = xa_mk_value(i);

		if (model[w][i] == 0)
			continue;
		CHECK_EQ(xa_store(&xa, windows[w] + i, new), model[w][i]);
		sim_free_entry(&sim, model[w][i]);
		model[w][i] = new;
	}
}

static void
open_again(void)
{
	xa_fini(&xa);
	sim_open(&sim, &xa);
}

static void
begin(bool tracked)
{
	sim_init(&sim, 4096);
	if (tracked)
		sim_track(&sim);
	sim_open(&sim, &xa);
	memset(model, 0, sizeof model);
	windows[0] = 0;
	windows[1] = (uint32_t)xa_span(2) * 2 - XA_CHUNK_SIZE - 1;
	windows[2] = (1u << 20) + below(1u << 26);
	windows[3] = (1u << 31) - XA_CHUNK_SIZE - below(XA_CHUNK_SIZE);
	windows[4] = UINT32_MAX - WINDOW + 1;
}

static void
end(void)
{
	sim.alloc_fails_in = sim.set_root_fails_in = -1;
	check_all(&xa);
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), 0);
	CHECK_EQ(sim.root, 0);
	sim_check_empty(&sim);
	xa_fini(&xa);
	sim_fini(&sim);
}

static void
run(unsigned int nr_ops, bool tracked)
{
	begin(tracked);
	for (unsigned int n = 0; n < nr_ops; n++) {
		unsigned int w = below(NR_WINDOWS);

		switch (below(64)) {
		case 0:
			open_again();
			break;
		case 1:
		case 2:
		case 3:
			do_erase_range(w);
			break;
		case 4:
		case 5:
		case 6:
			do_store_over(w);
			break;
		case 7:
			check_all(&xa);
			break;
		default:
			switch (below(6)) {
			case 0:
				do_exchange(w);
				break;
			case 1:
			case 2:
				do_store(w);
				break;
			case 3:
				do_cmpxchg(w);
				break;
			case 4:
				do_find(w);
				break;
			case 5:
				do_skip(w);
				break;
			}
		}
		sim.alloc_fails_in = sim.set_root_fails_in = -1;
		sim_check_leaks(&sim, &xa);
		if (tracked) {
			struct xarray durable;

			/* Everything was acknowledged: the least that survives is all. */
			sim_durable_array(&sim, &durable);
			check_all(&durable);
			xa_fini(&durable);
		}
	}
	end();
}

static void
random_operations_do_what_an_array_does(void)
{
	for (int round = 0; round < 4; round++)
		run(XA_CHUNK_SIZE == 4 ? 4000 : 400, false);
}

static void
what_is_acknowledged_is_durable(void)
{
	run(XA_CHUNK_SIZE == 4 ? 2000 : 150, true);
}

UNIT_MAIN(CASE(random_operations_do_what_an_array_does), CASE(what_is_acknowledged_is_durable))
