/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How far long work is: on standard error, as a bar on a terminal, or a line a
 * second.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tools/prmemctl/ctl.h"

#define BAR_CELLS 24
#define BAR_CELLS_MIN 5

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void
progress_begin(struct progress *progress, const struct args *args)
{
	progress->mode = args->progress;
	if (progress->mode == PROGRESS_AUTO)
		progress->mode = on_terminal(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_NONE;
	progress->start_s = progress->told_s = now_s();
}

static void
left_text(double seconds, char text[SIZE_TEXT_BYTES])
{
	unsigned long s = seconds < 0 || seconds > 360000 ? 360000 : (unsigned long)(seconds + 0.5);

	if (s < 60)
		snprintf(text, SIZE_TEXT_BYTES, "%lu s left", s);
	else if (s < 3600)
		snprintf(text, SIZE_TEXT_BYTES, "%lu min %lu s left", s / 60, s % 60);
	else
		snprintf(text, SIZE_TEXT_BYTES, "%lu h %lu min left", s / 3600, s % 3600 / 60);
}

/* On one line of the terminal: what does not fit would stay there. */
static void
put_bar(struct progress *progress, unsigned int percent, const char *text)
{
	const char *what = progress->what;
	struct winsize size;
	int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
	int left = columns - 1 - (int)strlen(what) - 2, cells = left - (int)strlen(text) - 3;
	char bar[BAR_CELLS + 1];

	/* It only becomes shorter: not to and fro with the length of the numbers. */
	cells = cells > BAR_CELLS - progress->nr_cut ? BAR_CELLS - progress->nr_cut : cells;
	progress->nr_cut = BAR_CELLS - cells;
	if (cells < BAR_CELLS_MIN) {
		fprintf(stderr, "%s: %.*s\033[K\r", what, left > 0 ? left : 0, text);
		return;
	}
	memset(bar, ' ', (size_t)cells);
	memset(bar, '#', percent * (unsigned int)cells / 100);
	fprintf(stderr, "%s: [%.*s] %s\033[K\r", what, cells, bar, text);
}

static void
tell(struct progress *progress, uint64_t done, uint64_t total, double seconds)
{
	char size[SIZE_TEXT_BYTES], all[SIZE_TEXT_BYTES], rate[SIZE_TEXT_BYTES], left[SIZE_TEXT_BYTES], text[128];
	double per_s = seconds > 0 ? (double)done / seconds : 0;
	unsigned int percent;

	size_text(done, size);
	size_text((uint64_t)per_s, rate);
	if (total == 0) {
		/* The end is not known: what is imported comes through a pipe. */
		fprintf(stderr, "%s: %s, %s/s%s", progress->what, size, rate,
			progress->mode == PROGRESS_BAR ? "\033[K\r" : "\n");
	} else {
		percent = done >= total ? 100 : (unsigned int)((double)done * 100 / (double)total);
		left_text(per_s > 0 && done < total ? (double)(total - done) / per_s : 0, left);
		snprintf(text, sizeof text, "%u%%, %s of %s, %s/s, %s", percent, size, size_text(total, all), rate,
			 left);
		if (progress->mode == PROGRESS_BAR)
			put_bar(progress, percent, text);
		else
			fprintf(stderr, "%s: %s\n", progress->what, text);
	}
	fflush(stderr);
	progress->told_done = done;
	progress->drawn = true;
}

int
progress_tell(void *opaque, uint64_t done, uint64_t total)
{
	struct progress *progress = opaque;
	double now = now_s(), every = progress->mode == PROGRESS_BAR ? 0.1 : 1;

	progress->done = done;
	progress->total = total;
	if (progress->mode != PROGRESS_NONE && now - progress->told_s >= every) {
		progress->told_s = now;
		tell(progress, done, total, now - progress->start_s);
	}
	return interrupted != 0;
}

void
progress_end(struct progress *progress)
{
	if (progress->drawn && progress->mode == PROGRESS_BAR)
		fputs("\033[K", stderr);
	/* A line at least of whatever was long enough to tell of it, and the last one says how far it came. */
	if (progress->mode == PROGRESS_PLAIN && progress->done != progress->told_done)
		tell(progress, progress->done, progress->total, now_s() - progress->start_s);
}
