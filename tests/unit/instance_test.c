/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Named instances: names, data, entries, loans; and that they come back.
 */
#include <errno.h>

#include "tests/unit/temp_pool.h"

static struct prmem_instance *
get(struct temp_pool *t, const char *name, unsigned int flags)
{
	struct prmem_instance *inst;
	struct prmem_error err;

	CHECK_EQ(prmem_get(t->pool, "test", name, flags, &inst, &err), 0);
	return inst;
}

static void
names_are_checked(void)
{
	char long_name[PRMEM_NAME_MAX + 2];
	const char *bad[] = {"", "a b", "a/b", "a@b", "a\tb", "\x7f", long_name};
	struct prmem_instance *inst;
	struct prmem_error err;
	struct temp_pool t;

	memset(long_name, 'n', sizeof long_name);
	long_name[PRMEM_NAME_MAX + 1] = '\0';
	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		CHECK_EQ(prmem_get(t.pool, "test", bad[i], PRMEM_CREATE, &inst, &err), -EINVAL);
		CHECK_EQ(prmem_get(t.pool, bad[i], "x", PRMEM_CREATE, &inst, &err), -EINVAL);
	}
	long_name[PRMEM_NAME_MAX] = '\0';
	prmem_put(get(&t, long_name, PRMEM_CREATE));
	CHECK_EQ(prmem_get(t.pool, "test", "none", 0, &inst, &err), -ENOENT);
	CHECK_EQ(prmem_get(t.pool, "test", long_name, PRMEM_CREATE | PRMEM_EXCL, &inst, &err), -EEXIST);
	prmem_put(NULL);
	temp_pool_remove(&t);
}

static int
count_one(void *opaque, const struct prmem_instance_info *info)
{
	(void)info;
	++*(int *)opaque;
	return 0;
}

static int
stop_at_second(void *opaque, const struct prmem_instance_info *info)
{
	(void)info;
	return ++*(int *)opaque == 2 ? 7 : 0;
}

static void
many_instances_come_back_and_go(void)
{
	const int nr_made = unit_rounds(10) == 10 ? 700 : 520; /* more than a directory of one node holds */
	struct prmem_pool_info info;
	struct prmem_error err;
	struct temp_pool t;
	uint64_t before;
	char name[16];
	int nr = 0;

	temp_pool_make(&t, 8 << 20);
	before = temp_pool_free_pages(&t);
	for (int i = 0; i < nr_made; i++) {
		snprintf(name, sizeof name, "i%d", i);
		prmem_put(get(&t, name, PRMEM_CREATE | PRMEM_EXCL));
	}
	temp_pool_reopen(&t);
	CHECK_EQ(prmem_list(t.pool, "test", count_one, &nr), 0);
	CHECK_EQ(nr, nr_made);
	nr = 0;
	CHECK_EQ(prmem_list(t.pool, "other", count_one, &nr), 0);
	CHECK_EQ(nr, 0);
	CHECK_EQ(prmem_list(t.pool, NULL, stop_at_second, &nr), 7);
	for (int i = 0; i < nr_made; i++) {
		snprintf(name, sizeof name, "i%d", i);
		prmem_put(get(&t, name, 0));
		CHECK_EQ(prmem_remove(t.pool, "test", name, &err), 0);
	}
	CHECK_EQ(prmem_remove(t.pool, "test", "i0", &err), -ENOENT);
	prmem_pool_info(t.pool, &info, sizeof info);
	CHECK_EQ(info.nr_instances, 0);
	/* What is left is nodes of the directory at most. */
	CHECK(before - info.nr_free <= 3);
	temp_pool_reopen(&t);
	nr = 0;
	CHECK_EQ(prmem_list(t.pool, NULL, count_one, &nr), 0);
	CHECK_EQ(nr, 0);
	temp_pool_remove(&t);
}

static void
a_renamed_instance_keeps_what_it_has(void)
{
	struct prmem_instance *a, *b;
	struct prmem_error err;
	struct temp_pool t;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	a = get(&t, "a", PRMEM_CREATE);
	b = get(&t, "b", PRMEM_CREATE);
	CHECK_EQ(xa_store(prmem_xarray(a), 5, xa_mk_value(55)), 0);
	CHECK_EQ(prmem_rename(a, "b", &err), -EEXIST);
	CHECK_EQ(prmem_rename(a, "x y", &err), -EINVAL);
	CHECK_EQ(prmem_rename(a, "a", &err), 0);
	CHECK_EQ(prmem_rename(a, "c", &err), 0);
	prmem_put(a);
	prmem_put(b);
	temp_pool_reopen(&t);
	CHECK_EQ(prmem_get(t.pool, "test", "a", 0, &a, &err), -ENOENT);
	a = get(&t, "c", 0);
	CHECK_EQ(xa_to_value(xa_load(prmem_xarray(a), 5)), 55);
	prmem_put(a);
	temp_pool_remove(&t);
}

static void
data_is_replaced_and_checked(void)
{
	struct prmem_instance *inst;
	struct temp_pool t;
	char back[PRMEM_ALLOC_MAX];
	const size_t step = 35 / (size_t)unit_rounds(35);
	size_t len = 0;
	uint64_t before;
	void *buf;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	inst = get(&t, "a", PRMEM_CREATE);
	CHECK_EQ(prmem_get_data(inst, back, sizeof back, &len), -ENODATA);
	before = temp_pool_free_pages(&t);
	for (size_t n = 1; n <= PRMEM_ALLOC_MAX; n += 117 * step) {
		CHECK_EQ(prmem_alloc(t.pool, n, &buf), 0);
		memset(buf, (int)(n & 0xff), n);
		CHECK_EQ(prmem_set_data(inst, buf, n), 0);
		CHECK_EQ(prmem_get_data(inst, back, sizeof back, &len), 0);
		CHECK_EQ(len, n);
		CHECK(memcmp(buf, back, n) == 0);
	}
	CHECK_EQ(prmem_alloc_pages(t.pool, 2, &buf), 0);
	strcpy(buf, "a run");
	CHECK_EQ(prmem_set_data(inst, buf, 5 * PRMEM_PAGE_SIZE), -EINVAL);
	CHECK_EQ(prmem_set_data(inst, buf, 6), 0);
	CHECK_EQ(prmem_set_data(inst, back, 1), -EINVAL);
	CHECK_EQ(prmem_get_data(inst, back, 5, &len), -ERANGE);
	CHECK_EQ(len, 6);
	prmem_put(inst);
	temp_pool_reopen(&t);
	inst = get(&t, "a", 0);
	CHECK_EQ(prmem_get_data(inst, back, sizeof back, &len), 0);
	CHECK_STR(back, "a run");
	CHECK_EQ(prmem_set_data(inst, NULL, 1), -EINVAL);
	CHECK_EQ(prmem_set_data(inst, NULL, 0), 0);
	CHECK_EQ(prmem_get_data(inst, back, sizeof back, &len), -ENODATA);
	CHECK_EQ(temp_pool_free_pages(&t), before);
	prmem_put(inst);
	temp_pool_remove(&t);
}

static void
a_loan_keeps_its_content_until_it_is_given_back(void)
{
	struct prmem_loan loan, second;
	struct prmem_instance *inst;
	struct temp_pool t;
	xa_entry_t entry, old;
	uint64_t before;
	void *page;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	inst = get(&t, "a", PRMEM_CREATE);
	CHECK_EQ(prmem_borrow(inst, 3, &loan), -ENODATA);
	CHECK_EQ(xa_store(prmem_xarray(inst), 3, xa_mk_value(1)), 0);
	CHECK_EQ(prmem_borrow(inst, 3, &loan), -ENODATA);
	CHECK_EQ(xa_to_value(xa_erase(prmem_xarray(inst), 3)), 1);
	before = temp_pool_free_pages(&t);

	for (unsigned int order = 0; order <= 2; order++) {
		CHECK_EQ(prmem_alloc_pages(t.pool, order, &page), 0);
		memset(page, 'x', PRMEM_PAGE_SIZE << order);
		CHECK_EQ(prmem_mk_entry(inst, 3, page, &entry), 0);
		CHECK_EQ(xa_store(prmem_xarray(inst), 3, entry), 0);
		CHECK_EQ(prmem_borrow(inst, 3, &loan), 0);
		CHECK_EQ(prmem_borrow(inst, 3, &second), 0);
		CHECK(loan.addr == page && loan.len_bytes == PRMEM_PAGE_SIZE << order);
		prmem_give_back(inst, &second);

		/* Erased, freed, and the pool filled to the brim: it is still there. */
		old = xa_erase(prmem_xarray(inst), 3);
		CHECK(old == entry);
		prmem_free_entry(inst, old);
		for (;;) {
			void *other;

			if (prmem_alloc_pages(t.pool, 0, &other) < 0)
				break;
			CHECK(other < page || (char *)other >= (char *)page + (PRMEM_PAGE_SIZE << order));
		}
		CHECK(((const char *)loan.addr)[loan.len_bytes - 1] == 'x');
		prmem_give_back(inst, &loan);
		prmem_put(inst);
		temp_pool_reopen(&t);
		inst = get(&t, "a", 0);
		CHECK_EQ(temp_pool_free_pages(&t), before);
	}
	CHECK_EQ(prmem_mk_entry(inst, 3, &loan, &entry), -EINVAL);
	prmem_put(inst);
	temp_pool_remove(&t);
}

static void
an_entry_at_another_index_does_not_prove_itself(void)
{
	struct prmem_instance *inst;
	struct prmem_loan loan;
	struct temp_pool t;
	xa_entry_t entry;
	void *buf;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	inst = get(&t, "a", PRMEM_CREATE);
	CHECK_EQ(prmem_alloc(t.pool, 100, &buf), 0);
	memset(buf, 1, 100);
	CHECK_EQ(prmem_mk_entry(inst, 7, buf, &entry), 0);
	CHECK_EQ(xa_store(prmem_xarray(inst), 8, entry), 0);
	CHECK_EQ(prmem_borrow(inst, 8, &loan), -EIO);
	CHECK(xa_store(prmem_xarray(inst), 8, 0) == entry);
	CHECK_EQ(xa_store(prmem_xarray(inst), 7, entry), 0);
	CHECK_EQ(prmem_borrow(inst, 7, &loan), 0);
	CHECK_EQ(loan.len_bytes, 100);
	prmem_give_back(inst, &loan);
	prmem_put(inst);
	temp_pool_remove(&t);
}

static void
what_was_never_published_is_free_at_the_next_open(void)
{
	struct temp_pool t;
	uint64_t before;
	void *p;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	before = temp_pool_free_pages(&t);
	CHECK_EQ(prmem_alloc(t.pool, 100, &p), 0);
	prmem_free(t.pool, p);
	CHECK_EQ(prmem_alloc_pages(t.pool, 1, &p), 0);
	prmem_free_pages(t.pool, p, 1);
	CHECK_EQ(temp_pool_free_pages(&t), before);
	CHECK_EQ(prmem_alloc(t.pool, 100, &p), 0);
	CHECK_EQ(prmem_alloc_pages(t.pool, 1, &p), 0);
	CHECK_EQ(temp_pool_free_pages(&t), before - 3);
	temp_pool_reopen(&t);
	CHECK_EQ(temp_pool_free_pages(&t), before);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(names_are_checked), CASE(many_instances_come_back_and_go), CASE(a_renamed_instance_keeps_what_it_has),
	  CASE(data_is_replaced_and_checked), CASE(a_loan_keeps_its_content_until_it_is_given_back),
	  CASE(an_entry_at_another_index_does_not_prove_itself),
	  CASE(what_was_never_published_is_free_at_the_next_open))
