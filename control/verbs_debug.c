/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debug-slot: what a disk's index says of one page.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/verb.h"

static const char *
kind_name(enum prmem_slot_kind kind)
{
	switch (kind) {
	case PRMEM_SLOT_HOLE:
		return "hole";
	case PRMEM_SLOT_PAGE:
		return "page";
	case PRMEM_SLOT_RUN:
		return "run";
	case PRMEM_SLOT_BUFFER:
		return "buffer";
	case PRMEM_SLOT_VALUE:
		return "value";
	case PRMEM_SLOT_NODE:
		return "node";
	case PRMEM_SLOT_BAD:
		return "bad";
	case PRMEM_SLOT_LOST:
		return "lost";
	case PRMEM_SLOT_UNKNOWN:
		break;
	}
	return "unknown";
}

/* 64 bits are more than a number of JSON is sure to hold, and people know slots in hexadecimal. */
static void
put_hex(struct json_object *object, const char *key, int digits, uint64_t bits)
{
	char text[17];

	snprintf(text, sizeof text, "%0*" PRIx64, digits, bits);
	put_text(object, key, text);
}

static void
add_slot(struct json_object *result, const struct prmem_slot *slot)
{
	put_number(result, "offset", slot->off);
	put_number(result, "length", slot->len_bytes);
	put_text(result, "kind", kind_name(slot->kind));
	put_flag(result, "verifies", slot->verifies);
	put_hex(result, "lineage", 16, slot->lineage);
	put_flag(result, "in_node", slot->in_node);
	if (!slot->in_node)
		return;
	put_number(result, "node", slot->node_page);
	put_number(result, "number", slot->number);
	put_number(result, "level", slot->level);
	put_hex(result, "slot", 16, slot->slot);
	if (slot->kind == PRMEM_SLOT_PAGE || slot->kind == PRMEM_SLOT_NODE || slot->kind == PRMEM_SLOT_BAD)
		put_number(result, "page", slot->payload);
	put_flag(result, "unreadable", slot->unreadable);
	put_hex(result, "proof", 7, slot->proof);
	if (slot->expected == 0)
		return;
	put_hex(result, "expected", 16, slot->expected);
	put_hex(result, "expected_proof", 7, slot->expected_proof);
}

int
verb_debug_slot(const struct control *control, struct json_object *request, struct json_object *result,
		struct prmem_error *err)
{
	const char *name = get_text(request, "disk");
	uint64_t off = get_number(request, "offset", 0);
	struct prmem_slot slot;
	struct prmem_disk *disk;
	uint64_t size_bytes;
	int r = open_disk(control, name, &disk, err);

	if (r < 0)
		return r;
	size_bytes = prmem_disk_size(disk);
	r = prmem_disk_slot(disk, off, &slot, sizeof slot);
	prmem_disk_close(disk);
	if (r == -EINVAL)
		return verb_error(err, r, "disk %.80s ends at %" PRIu64 ": it has nothing at %" PRIu64, name,
				  size_bytes, off);
	if (r < 0)
		return verb_error(err, r, "disk %.80s: no slot can be found for %" PRIu64 ": %s", name, off,
				  strerror(-r));
	put_text(result, "name", name);
	add_slot(result, &slot);
	return 0;
}
