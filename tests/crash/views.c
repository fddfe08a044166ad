/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/views.h"

#include <stdlib.h>
#include <string.h>

#include "prmem/memory/pm_libpmem.h"

/* What a region's file is mapped to, by the linker's --wrap. */
static struct views *now;

int __real_pm_libpmem_map(const char *path, int fd, uint64_t len_bytes, bool is_device, bool read_only,
			  struct pm **ret_pm, struct prmem_error *err);
int __wrap_pm_libpmem_map(const char *path, int fd, uint64_t len_bytes, bool is_device, bool read_only,
			  struct pm **ret_pm, struct prmem_error *err);

static struct view *
to_view(struct pm *pm)
{
	return CONTAINER_OF(pm, struct view, pm);
}

static struct pm *
whole_of(struct pm *pm)
{
	return to_view(pm)->views->whole;
}

static void
view_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	pm_copy(whole_of(pm), dst, src, len_bytes, site);
}

static void
view_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	pm_store(whole_of(pm), slot, le, site);
}

static uint64_t
view_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	return pm_exchange(whole_of(pm), slot, le, site);
}

static bool
view_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	return pm_cmpxchg(whole_of(pm), slot, expected_le, le, site);
}

static void
view_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	pm_flush(whole_of(pm), addr, len_bytes, site);
}

static void
view_fence(struct pm *pm, enum pm_site site)
{
	pm_fence(whole_of(pm), site);
}

static int
view_sync(struct pm *pm)
{
	return pm_sync(whole_of(pm));
}

static int
view_ensure(struct pm *pm, uint64_t off, uint64_t len_bytes)
{
	return pm_ensure(whole_of(pm), off + (uint64_t)((char *)pm->base - (char *)whole_of(pm)->base), len_bytes);
}

static void
view_close(struct pm *pm)
{
	(void)pm;
}

static struct pm *new_view(struct views *views, uint64_t off, uint64_t len_bytes);

static void
set_length(struct views *views, uint64_t len_bytes)
{
	views->pool_bytes = len_bytes;
	if (views->lengthened)
		views->lengthened(views->whole, len_bytes);
}

static int
view_extend(struct pm *pm, uint64_t old_bytes, uint64_t new_bytes, struct pm **ret_more)
{
	struct views *views = to_view(pm)->views;

	set_length(views, new_bytes);
	*ret_more = new_view(views, old_bytes, new_bytes - old_bytes);
	return 0;
}

static int
view_cut(struct pm *pm, uint64_t len_bytes)
{
	set_length(to_view(pm)->views, len_bytes);
	return 0;
}

static const struct pm_ops view_ops = {
	.copy = view_copy,
	.store = view_store,
	.exchange = view_exchange,
	.cmpxchg = view_cmpxchg,
	.flush = view_flush,
	.fence = view_fence,
	.sync = view_sync,
	.ensure = view_ensure,
	.close = view_close,
	.extend = view_extend,
	.cut = view_cut,
};

static struct pm *
new_view(struct views *views, uint64_t off, uint64_t len_bytes)
{
	struct view *view = &views->list[views->nr++];

	if (views->nr > VIEWS_MAX)
		abort();
	*view = (struct view){
		.pm = {.ops = &view_ops,
		       .base = (char *)views->whole->base + off,
		       .len_bytes = len_bytes,
		       .is_pmem = true},
		.views = views,
	};
	return &view->pm;
}

struct pm *
views_open(struct views *views, struct pm *whole)
{
	now = views;
	views->whole = whole;
	views->nr = 0;
	return new_view(views, 0, views->pool_bytes);
}

int
__wrap_pm_libpmem_map(const char *path, int fd, uint64_t len_bytes, bool is_device, bool read_only, struct pm **ret_pm,
		      struct prmem_error *err)
{
	if (!now)
		return __real_pm_libpmem_map(path, fd, len_bytes, is_device, read_only, ret_pm, err);
	*ret_pm = new_view(now, now->region_off, now->whole->len_bytes - now->region_off);
	return 0;
}
