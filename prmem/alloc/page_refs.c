/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Extra owners: a hash table with few locks.  Most pools never have an entry,
 * and then a drop is one load.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/mix64.h"
#include "prmem/alloc/page_refs.h"

#define NR_BUCKETS 1024u
#define NR_LOCKS 64u

struct ref {
	struct ref *next;
	uint64_t key;
	uint32_t nr; /* extra owners, at least 1 */
};

struct page_refs {
	_Atomic uint64_t nr_refs; /* entries */
	pthread_mutex_t locks[NR_LOCKS];
	struct ref *buckets[NR_BUCKETS];
};

int
page_refs_create(struct page_refs **ret_refs)
{
	struct page_refs *refs = calloc(1, sizeof *refs);

	if (refs == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < NR_LOCKS; i++)
		pthread_mutex_init(&refs->locks[i], NULL);
	*ret_refs = refs;
	return 0;
}

void
page_refs_destroy(struct page_refs *refs)
{
	if (refs == NULL)
		return;
	for (unsigned int i = 0; i < NR_BUCKETS; i++) {
		while (refs->buckets[i] != NULL) {
			struct ref *ref = refs->buckets[i];

			refs->buckets[i] = ref->next;
			free(ref);
		}
	}
	for (unsigned int i = 0; i < NR_LOCKS; i++)
		pthread_mutex_destroy(&refs->locks[i]);
	free(refs);
}

static unsigned int
bucket_of(uint64_t key)
{
	return (unsigned int)(mix64(key) % NR_BUCKETS);
}

static pthread_mutex_t *
lock_of(struct page_refs *refs, unsigned int bucket)
{
	return &refs->locks[bucket % NR_LOCKS];
}

/* Where the pointer to a key's entry is, or would be. */
static struct ref **
find_locked(struct page_refs *refs, unsigned int bucket, uint64_t key)
{
	struct ref **at = &refs->buckets[bucket];

	while (*at != NULL && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

int
page_refs_add(struct page_refs *refs, uint64_t key)
{
	unsigned int bucket = bucket_of(key);
	struct ref **at, *ref;

	LOCK_FOR_SCOPE(lock_of(refs, bucket));
	at = find_locked(refs, bucket, key);
	if (*at == NULL) {
		ref = malloc(sizeof *ref);
		if (ref == NULL)
			return -ENOMEM;
		*ref = (struct ref){.key = key};
		*at = ref;
		atomic_fetch_add(&refs->nr_refs, 1);
	}
	(*at)->nr++;
	return 0;
}

bool
page_refs_none(struct page_refs *refs)
{
	/*
	 * An owner that the caller must see was added before the grace period
	 * that the caller has waited for, or by the caller.
	 */
	return atomic_load(&refs->nr_refs) == 0;
}

bool
page_refs_drop(struct page_refs *refs, uint64_t key)
{
	unsigned int bucket = bucket_of(key);
	struct ref **at, *ref;

	if (LIKELY(page_refs_none(refs)))
		return true;
	LOCK_FOR_SCOPE(lock_of(refs, bucket));
	at = find_locked(refs, bucket, key);
	ref = *at;
	if (ref == NULL)
		return true;
	if (--ref->nr == 0) {
		*at = ref->next;
		free(ref);
		atomic_fetch_sub(&refs->nr_refs, 1);
	}
	return false;
}

uint32_t
page_refs_nr(struct page_refs *refs, uint64_t key)
{
	unsigned int bucket = bucket_of(key);
	struct ref **at;

	LOCK_FOR_SCOPE(lock_of(refs, bucket));
	at = find_locked(refs, bucket, key);
	return *at == NULL ? 0 : (*at)->nr;
}
