/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tree, printed: for gdb ("call xa_dump(xa)") and for checks that fail.
 * The only file of this room that prints, and nothing of it calls it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "xarray/xa_node.h"

static const char *
kind_name(enum xa_kind kind)
{
	switch (kind) {
	case XA_KIND_PAGE:
		return "page";
	case XA_KIND_RUN:
		return "run";
	case XA_KIND_HOLE:
		return "hole";
	case XA_KIND_BAD:
		return "bad";
	case XA_KIND_NODE:
		return "node";
	case XA_KIND_BUFFER:
		return "buffer";
	case XA_KIND_VALUE:
		return "value";
	}
	return "unknown";
}

static bool
dump_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	const struct xarray *xa = opaque;

	fprintf(stderr, "%*snode %" PRIu32 " level %u from %" PRIu32 "\n", 2 * (int)(xa_height(xa) - level), "", pfn,
		level, first);
	return true;
}

static void
dump_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	const struct xarray *xa = opaque;

	fprintf(stderr, "%*s%" PRIu32 ": %s %" PRIu32 " proof %07" PRIx32 "\n", 2 * (int)xa_height(xa) + 2, "", idx,
		kind_name(xa_entry_kind(entry)), xa_entry_payload(entry), xa_entry_proof(entry));
}

static void
dump_damage(void *opaque, uint32_t idx, uint64_t nr, unsigned int level, uint64_t slot)
{
	(void)opaque;
	fprintf(stderr, "damaged: %" PRIu64 " from %" PRIu32 ", level %u, slot %016" PRIx64 " (%s)\n", nr, idx, level,
		slot, kind_name(xa_entry_kind(slot)));
}

void
xa_dump(struct xarray *xa)
{
	const struct xa_visitor visitor = {.node = dump_node, .entry = dump_entry, .damage = dump_damage, .opaque = xa};

	fprintf(stderr, "xarray lineage %016" PRIx64 " height %u nodes %" PRIu64 "%s\n", xa->lineage, xa_height(xa),
		atomic_load(&xa->nr_nodes), atomic_load(&xa->damaged_root) ? " root damaged" : "");
	xa_read_lock();
	xa_walk(xa, 0, XA_MAX_INDEX, &visitor);
	xa_read_unlock();
}
