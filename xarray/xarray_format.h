/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Media format of the persistent XArray: what a slot and a node look like.
 * prmem-format(5) draws it.  Any change here is a change of every pool.
 *
 * A slot is 8 bytes, little-endian, aligned, changed only by one atomic store:
 *
 *	63            36 35  32 31             0
 *	+---------------+------+----------------+
 *	| proof (28)    | kind | payload (32)   |
 *	+---------------+------+----------------+
 *
 * kind    payload                              proof
 * ------  -----------------------------------  ---------------------------------
 * page    page number                          28 bits of the content's CRC-32C
 * run     page number + 2^(order-1), order>0   the same, over the whole run
 * buffer  page number * 64 + offset / 64       the same, header and content
 * node    page number                          of place (level, position, lineage)
 * value   the caller's 32 bits                 of place
 * bad     page number that went bad, or ~0     of place
 *         (in an upper level ~0: all that was below is lost)
 * hole    32 more bits of the proof            of place
 *
 * The CRC of content is seeded with lineage, index and kind.  The proof of
 * place is a hash of lineage, level, index, kind and payload.  So a slot that
 * is zeroed, erased, moved, or damaged is known as such by itself.
 *
 * In numbers, with mix64() as in common/mix64.h and arithmetic modulo 2^64:
 *
 *	key      = mix64(lineage + 0x9e3779b97f4a7c15)
 *	H(k,l,i) = mix64(key ^ (k << 40 | l << 32 | i))
 *	place    = mix64(H(kind, level, index) + payload * 0xd1342543de82ef95) >> 36
 *	hole     = H(hole, level, index), bits 32 to 35 replaced by the kind
 *	content  = CRC-32C of the content, seeded with H(kind, 0, index) >> 32, >> 4
 *
 * A leaf has level 0, a node above nodes of level l has level l + 1.  The
 * index is the first one that a slot stands for.  The level is that of the
 * node a slot is in; but a node slot proves the node it points to: that node's
 * level and first index.  (So the slot that links a node is the same above it
 * and as the root.)  Slots of the topmost level that would stand for indices
 * beyond 2^32 are not looked at.
 */
#ifndef PRMEM_XARRAY_FORMAT_H
#define PRMEM_XARRAY_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define XA_PAGE_SHIFT 12
#define XA_PAGE_SIZE (1u << XA_PAGE_SHIFT)

/* Index bits a level resolves; tests build with fewer to get tall trees. */
#ifndef XA_CHUNK_SHIFT
#define XA_CHUNK_SHIFT 9
#endif
#define XA_CHUNK_SIZE (1u << XA_CHUNK_SHIFT)
#define XA_CHUNK_MASK (XA_CHUNK_SIZE - 1u)

/* Levels that cover all 2^32 indices: 4 at 512 slots a node. */
#define XA_INDEX_BITS 32
#define XA_MAX_HEIGHT ((XA_INDEX_BITS + XA_CHUNK_SHIFT - 1) / XA_CHUNK_SHIFT)

#define XA_SLOT_PAYLOAD_BITS 32
#define XA_SLOT_KIND_SHIFT 32
#define XA_SLOT_KIND_BITS 4
#define XA_SLOT_PROOF_SHIFT 36
#define XA_SLOT_PROOF_BITS 28

/*
 * The six common kinds have two bits set each, so that no single bit turns
 * one into another.  0 and 15 are never valid: they are what zeroed and
 * erased memory looks like.  1, 2, 4, 8, 11, 13 and 14 are for later.
 */
enum xa_kind {
	XA_KIND_PAGE = 0x3,
	XA_KIND_RUN = 0x5,
	XA_KIND_HOLE = 0x6,
	XA_KIND_BAD = 0x7,
	XA_KIND_NODE = 0x9,
	XA_KIND_BUFFER = 0xa,
	XA_KIND_VALUE = 0xc,
};

/* A node fills the first XA_CHUNK_SIZE slots of a page; it has no header. */
struct xa_node_media {
	uint64_t slots[XA_CHUNK_SIZE]; /*    0: little-endian */
};

static_assert(sizeof(struct xa_node_media) == 8 * XA_CHUNK_SIZE, "a node is its slots");
static_assert(sizeof(struct xa_node_media) <= XA_PAGE_SIZE, "a node fits in a page");
static_assert(offsetof(struct xa_node_media, slots) == 0, "a node has no header");
static_assert(XA_SLOT_PAYLOAD_BITS + XA_SLOT_KIND_BITS + XA_SLOT_PROOF_BITS == 64, "a slot is 8 bytes");

#endif
