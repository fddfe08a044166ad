/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints the media format: sizes, offsets, constants.  layout.sh compares it
 * with layout.expected, which one must edit on purpose to change the format.
 */
#include <stdio.h>
#include <string.h>

#include "prmem/format/buffer_format.h"
#include "prmem/format/owner_format.h"
#include "prmem/format/record_format.h"
#include "prmem/format/region_format.h"
#include "prmem/format/superblock_format.h"
#include "xarray/xarray_format.h"

#define STRUCT(s) printf("struct %s: %zu bytes\n", #s, sizeof(struct s))
#define FIELD(s, f) printf("struct %s: %zu %s: %zu\n", #s, offsetof(struct s, f), #f, sizeof(((struct s *)0)->f))
#define NUMBER(n) printf("%s: 0x%llx\n", #n, (unsigned long long)(n))

int
main(void)
{
	STRUCT(sb_region_media);
	FIELD(sb_region_media, start_pfn);
	FIELD(sb_region_media, nr_pages);
	FIELD(sb_region_media, uuid);
	FIELD(sb_region_media, flags);
	FIELD(sb_region_media, reserved1);
	FIELD(sb_region_media, path);
	FIELD(sb_region_media, reserved2);
	STRUCT(sb_media);
	FIELD(sb_media, magic);
	FIELD(sb_media, version);
	FIELD(sb_media, chunk_shift);
	FIELD(sb_media, uuid);
	FIELD(sb_media, seq);
	FIELD(sb_media, compat);
	FIELD(sb_media, ro_compat);
	FIELD(sb_media, incompat);
	FIELD(sb_media, created_s);
	FIELD(sb_media, nr_pages);
	FIELD(sb_media, grow_to_pages);
	FIELD(sb_media, dir_root);
	FIELD(sb_media, dir_height);
	FIELD(sb_media, nr_regions);
	FIELD(sb_media, reserved1);
	FIELD(sb_media, label);
	FIELD(sb_media, reserved2);
	FIELD(sb_media, regions);
	FIELD(sb_media, reserved3);
	FIELD(sb_media, crc);
	NUMBER(SB_PFN_A);
	NUMBER(SB_PFN_OWNER);
	NUMBER(SB_PFN_B);
	NUMBER(SB_MAGIC);
	NUMBER(SB_MAGIC_FORMATTING);
	NUMBER(SB_VERSION);
	NUMBER(SB_MAX_REGIONS);
	NUMBER(SB_COMPAT_KNOWN);
	NUMBER(SB_RO_COMPAT_KNOWN);
	NUMBER(SB_INCOMPAT_KNOWN);
	STRUCT(region_media);
	FIELD(region_media, magic);
	FIELD(region_media, version);
	FIELD(region_media, number);
	FIELD(region_media, pool_uuid);
	FIELD(region_media, uuid);
	FIELD(region_media, start_pfn);
	FIELD(region_media, nr_pages);
	FIELD(region_media, reserved);
	FIELD(region_media, crc);
	NUMBER(REGION_MAGIC);
	STRUCT(owner_media);
	FIELD(owner_media, magic);
	FIELD(owner_media, boot_id);
	FIELD(owner_media, pid);
	FIELD(owner_media, start_time);
	FIELD(owner_media, nonce);
	FIELD(owner_media, opened_s);
	FIELD(owner_media, reserved);
	FIELD(owner_media, crc);
	NUMBER(OWNER_MAGIC);
	STRUCT(record_media);
	FIELD(record_media, magic);
	FIELD(record_media, version);
	FIELD(record_media, flags);
	FIELD(record_media, uuid);
	FIELD(record_media, origin);
	FIELD(record_media, size_bytes);
	FIELD(record_media, created_s);
	FIELD(record_media, changed_s);
	FIELD(record_media, root);
	FIELD(record_media, height);
	FIELD(record_media, reserved1);
	FIELD(record_media, data);
	FIELD(record_media, data_bytes);
	FIELD(record_media, replaces);
	FIELD(record_media, reserved2);
	FIELD(record_media, subsystem);
	FIELD(record_media, name);
	FIELD(record_media, description);
	FIELD(record_media, reserved3);
	FIELD(record_media, crc);
	NUMBER(RECORD_MAGIC);
	NUMBER(RECORD_VERSION);
	NUMBER(RECORD_FLAG_READ_ONLY);
	NUMBER(RECORD_FLAG_RESERVE);
	NUMBER(RECORD_FLAG_REMOVED);
	NUMBER(RECORD_FLAG_UNFINISHED);
	NUMBER(RECORD_FLAG_REPLACES);
	NUMBER(RECORD_FLAGS_KNOWN);
	STRUCT(buffer_media);
	FIELD(buffer_media, magic);
	FIELD(buffer_media, len_bytes);
	FIELD(buffer_media, reserved);
	NUMBER(BUFFER_MAGIC);
	NUMBER(BUFFER_GRANULE_SHIFT);
	NUMBER(BUFFER_GRANULE_BYTES);
	NUMBER(BUFFER_GRANULES_PER_PAGE);
	NUMBER(BUFFER_PFN_LIMIT);
	STRUCT(xa_node_media);
	FIELD(xa_node_media, slots);
	NUMBER(XA_PAGE_SHIFT);
	NUMBER(XA_PAGE_SIZE);
	NUMBER(XA_CHUNK_SHIFT);
	NUMBER(XA_CHUNK_SIZE);
	NUMBER(XA_CHUNK_MASK);
	NUMBER(XA_INDEX_BITS);
	NUMBER(XA_MAX_HEIGHT);
	NUMBER(XA_SLOT_PAYLOAD_BITS);
	NUMBER(XA_SLOT_KIND_SHIFT);
	NUMBER(XA_SLOT_KIND_BITS);
	NUMBER(XA_SLOT_PROOF_SHIFT);
	NUMBER(XA_SLOT_PROOF_BITS);
	NUMBER(XA_KIND_PAGE);
	NUMBER(XA_KIND_RUN);
	NUMBER(XA_KIND_HOLE);
	NUMBER(XA_KIND_BAD);
	NUMBER(XA_KIND_NODE);
	NUMBER(XA_KIND_BUFFER);
	NUMBER(XA_KIND_VALUE);
	return 0;
}
