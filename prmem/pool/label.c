/* SPDX-License-Identifier: BSD-3-Clause */
/* The label of a pool. */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/sb_publish.h"
#include "prmem/core/pool.h"
#include "prmem/memory/error.h"

static bool
is_printable(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

int
prmem_set_label(struct prmem_pool *pool, const char *label, struct prmem_error *err)
{
	struct sb_media sb;
	int r;

	if (strnlen(label, sizeof sb.label) >= sizeof sb.label || !is_printable(label))
		return error_set(err, -EINVAL,
				 "pool %.200s: a label has up to %zu characters, none of them a control character",
				 pool->path, sizeof sb.label - 1);
	if (pool_is_read_only(pool))
		return error_set(err, -EROFS, "pool %.200s is read-only: cannot set its label", pool->path);
	{
		LOCK_FOR_SCOPE(&pool->sb_lock);
		sb = pool->sb;
		memset(sb.label, 0, sizeof sb.label);
		memcpy(sb.label, label, strlen(label));
		pool_write_sb(pool, &sb);
		pool->sb = sb;
	}
	r = page_sync(pool->pages);
	return r < 0 ? error_set(err, r, "pool %.200s: cannot set its label: %s", pool->path, strerror(-r)) : 0;
}
