/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The name of every place that copies to, stores in, flushes or fences
 * persistent memory.  A place is named so that a crash test can break just
 * that one and see whether anybody notices.  One site per call in the source.
 *
 * X(name, what it makes durable)
 */
#ifndef PRMEM_COMMON_PM_SITES_H
#define PRMEM_COMMON_PM_SITES_H

#define PM_SITES(X)                                                                                                    \
	/* xarray/: a new node, the slot that links it, a slot */                                                      \
	X(XA_NODE_COPY, "content of a new node")                                                                       \
	X(XA_NODE_FENCE, "content of a new node, before it is linked")                                                 \
	X(XA_LINK_STORE, "link to a new node")                                                                         \
	X(XA_LINK_FLUSH, "link to a new node")                                                                         \
	X(XA_LINK_FENCE, "link to a new node, before anything below it is acknowledged")                               \
	X(XA_SLOT_STORE, "an entry")                                                                                   \
	X(XA_SLOT_CMPXCHG, "an entry, if another one is there")                                                        \
	X(XA_SLOT_FLUSH, "an entry")                                                                                   \
	X(XA_SLOT_FENCE, "entries, before they are acknowledged and before what they replaced is freed")               \
	X(XA_SEEN_FLUSH, "a slot that another thread stored and an acknowledgement relies on")                         \
	X(XA_ERASE_STORE, "a hole, by a range erase")                                                                  \
	X(XA_ERASE_FLUSH, "holes, by a range erase")                                                                   \
	X(XA_ERASE_FENCE, "holes, before what they replaced is freed")                                                 \
	X(XA_UNLINK_STORE, "removal of an empty node")                                                                 \
	X(XA_UNLINK_FLUSH, "removal of an empty node")                                                                 \
	X(XA_UNLINK_FENCE, "removal of empty nodes, before they are freed")                                            \
	/* prmem/: pages, buffers, records, superblocks */                                                             \
	X(PAGE_COPY, "content of a new page")                                                                          \
	X(PAGE_FENCE, "content of new pages, before slots point to them")                                              \
	X(OBJECT_FLUSH, "content of a caller's page, run or buffer")                                                   \
	X(OBJECT_FENCE, "the same, before a slot points to it")                                                        \
	X(DATA_FLUSH, "content of an instance's data")                                                                 \
	X(SINGLE_COPY, "content of a page that is written by itself in a full pool")                                   \
	X(SINGLE_FENCE, "the same, before its slot points to it")                                                      \
	X(PARTIAL_COPY, "content of a page that is changed in part")                                                   \
	X(PARTIAL_FENCE, "the same, before its slot points to it")                                                     \
	X(BUFFER_HEADER_COPY, "header of a buffer")                                                                    \
	X(RECORD_COPY, "content of a new instance record")                                                             \
	X(RECORD_FENCE, "content of a new instance record, before the directory points to it")                         \
	X(WIPE_COPY, "zeroes over freed pages")                                                                        \
	X(WIPE_FENCE, "zeroes over freed pages, before they are handed out")                                           \
	X(SB_FIRST_COPY, "the superblock copy that is written first")                                                  \
	X(SB_FIRST_FENCE, "the first copy, before the second one is touched")                                          \
	X(SB_SECOND_COPY, "the superblock copy that is written second")                                                \
	X(SB_SECOND_FENCE, "the second copy, before the change is acknowledged")                                       \
	X(FORMAT_MARK_STORE, "mark of a format under way")                                                             \
	X(FORMAT_MARK_FLUSH, "mark of a format under way")                                                             \
	X(FORMAT_MARK_FENCE, "mark of a format under way, before anything else is overwritten")                        \
	X(FORMAT_WIPE_COPY, "zeroes over what was the first superblock, before a new one is written there")            \
	X(FORMAT_WIPE_FENCE, "the same, before the other superblock is written")                                       \
	X(REPAIR_STORE, "a word that a repair puts right")                                                             \
	X(REPAIR_FLUSH, "a word that a repair puts right")                                                             \
	X(REPAIR_FENCE, "the same, before the next one")                                                               \
	X(REPAIR_RECORD_COPY, "a record that was found again, brought up to date")                                     \
	X(REPAIR_RECORD_FENCE, "the same, before the directory points to it")                                          \
	X(OWNER_COPY, "the owner record")                                                                              \
	X(OWNER_FENCE, "the owner record")                                                                             \
	X(REGION_COPY, "header of an added region")                                                                    \
	X(REGION_FENCE, "header of an added region, before the superblock names it")

#endif
