/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/persist.h"

#include <stdlib.h>
#include <string.h>

static void *
must(void *p)
{
	if (!p)
		abort();
	return p;
}

void
persist_init(struct persist *persist, const void *image, uint64_t len_bytes)
{
	memset(persist, 0, sizeof *persist);
	persist->len_bytes = len_bytes;
	persist->nr_pages = (uint32_t)(len_bytes / 4096);
	persist->base = must(aligned_alloc(4096, len_bytes));
	persist->visible = must(aligned_alloc(4096, len_bytes));
	persist->work = must(aligned_alloc(4096, len_bytes));
	persist->guaranteed_seq = must(calloc(len_bytes / 8, sizeof *persist->guaranteed_seq));
	persist->nr_pending = must(calloc(len_bytes / 8, sizeof *persist->nr_pending));
	persist->stamp = must(calloc(persist->nr_pages, sizeof *persist->stamp));
	persist->next_seq = 1;
	memcpy(persist->base, image, len_bytes);
	memcpy(persist->visible, image, len_bytes);
	memcpy(persist->work, image, len_bytes);
	for (uint32_t i = 0; i < persist->nr_pages; i++)
		persist->stamp[i] = ++persist->next_stamp;
}

static void
forget_pending(struct persist *persist, struct pending_list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		persist->nr_pending[list->p[i].word] = 0;
	list->nr = 0;
}

void
persist_reset(struct persist *persist, const void *image)
{
	forget_pending(persist, &persist->stores);
	forget_pending(persist, &persist->copies);
	/* Numbers go on: what was guaranteed before is older than all that comes. */
	if (persist->next_seq > UINT32_MAX / 2) {
		memset(persist->guaranteed_seq, 0, persist->len_bytes / 8 * sizeof *persist->guaranteed_seq);
		persist->next_seq = 1;
	}
	for (uint32_t i = 0; i < persist->nr_pages; i++) {
		const char *page = (const char *)image + 4096 * (uint64_t)i;
		uint64_t off = 4096 * (uint64_t)i;

		/* A page that stays as it is keeps its stamp, and all that is known of it. */
		if (memcmp(persist->base + off, page, 4096) != 0) {
			memcpy(persist->base + off, page, 4096);
			memcpy(persist->work + off, page, 4096);
			persist->stamp[i] = ++persist->next_stamp;
		}
		if (memcmp(persist->visible + off, page, 4096) != 0)
			memcpy(persist->visible + off, page, 4096);
	}
}

void
persist_fini(struct persist *persist)
{
	free(persist->base);
	free(persist->visible);
	free(persist->work);
	free(persist->guaranteed_seq);
	free(persist->nr_pending);
	free(persist->stamp);
	free(persist->stores.p);
	free(persist->copies.p);
}

static void
push(struct persist *persist, struct pending_list *list, uint32_t word, uint64_t value, const struct sim_event *event)
{
	memcpy(persist->visible + 8 * (uint64_t)word, &value, 8);
	/* A write that changes nothing, whatever survives before it, makes no images. */
	if (persist->nr_pending[word] == 0 && memcmp(persist->base + 8 * (uint64_t)word, &value, 8) == 0)
		return;
	if (list->nr == list->room) {
		list->room = list->room ? 2 * list->room : 1024;
		list->p = must(realloc(list->p, list->room * sizeof *list->p));
	}
	list->p[list->nr++] = (struct pending){
		.value = value,
		.word = word,
		.seq = persist->next_seq,
		.site = event->site,
		.thread = event->thread,
	};
	persist->nr_pending[word]++;
}

static void
copy(struct persist *persist, const uint8_t *src, const struct sim_event *event)
{
	uint64_t off = event->off, end = event->off + event->len_bytes;

	while (off < end) {
		uint32_t word = (uint32_t)(off / 8);
		uint64_t in_word = off % 8, n = 8 - in_word, value;

		if (n > end - off)
			n = end - off;
		memcpy(&value, persist->visible + 8 * (uint64_t)word, 8);
		memcpy((uint8_t *)&value + in_word, src, n);
		push(persist, &persist->copies, word, value, event);
		src += n;
		off += n;
	}
}

static void
flush(struct persist *persist, const struct sim_event *event)
{
	uint64_t first, last;

	if (event->len_bytes == 0)
		return;
	first = event->off / CACHELINE_SIZE;
	last = (event->off + event->len_bytes - 1) / CACHELINE_SIZE;
	for (size_t i = 0; i < persist->stores.nr; i++) {
		struct pending *p = &persist->stores.p[i];

		if (p->word / 8 >= first && p->word / 8 <= last)
			p->flushed_by |= UINT32_C(1) << event->thread;
	}
}

static void
guarantee(struct persist *persist, const struct pending *p)
{
	persist->nr_pending[p->word]--;
	if (p->seq <= persist->guaranteed_seq[p->word])
		return; /* something newer is already there */
	persist->guaranteed_seq[p->word] = p->seq;
	memcpy(persist->base + 8 * (uint64_t)p->word, &p->value, 8);
	memcpy(persist->work + 8 * (uint64_t)p->word, &p->value, 8);
	persist->stamp[p->word / WORDS_PER_PAGE] = ++persist->next_stamp;
}

static void
fence(struct persist *persist, unsigned int thread)
{
	struct pending_list *list = &persist->stores;
	size_t kept = 0;

	for (size_t i = 0; i < list->nr; i++) {
		if (list->p[i].flushed_by >> thread & 1)
			guarantee(persist, &list->p[i]);
		else
			list->p[kept++] = list->p[i];
	}
	list->nr = kept;
	list = &persist->copies;
	kept = 0;
	for (size_t i = 0; i < list->nr; i++) {
		if (list->p[i].thread == thread)
			guarantee(persist, &list->p[i]);
		else
			list->p[kept++] = list->p[i];
	}
	list->nr = kept;
}

void
persist_apply(struct persist *persist, const struct sim_log *log, const struct sim_event *event)
{
	switch (event->type) {
	case SIM_STORE:
		push(persist, &persist->stores, (uint32_t)(event->off / 8), event->value, event);
		break;
	case SIM_COPY:
		copy(persist, log->data + event->value, event);
		break;
	case SIM_FLUSH:
		flush(persist, event);
		break;
	case SIM_FENCE:
		fence(persist, event->thread);
		break;
	case SIM_LENGTH:
		persist->pool_bytes = event->value;
		break;
	default:
		break;
	}
	persist->next_seq++;
}
