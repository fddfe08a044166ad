/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parsing the parameters.  Each error is one line: what, where, what to do.
 */
#include "plugin/params.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugin/nbdkit.h"
#include "plugin/say.h"

struct params params = {
	.format = PRMEM_FORMAT_AUTO,
	.max_disks = MAX_DISKS_DEFAULT,
};

/* As given; parameters that depend on each other are checked at the end. */
static const char *given_size, *given_sizes;

/*
 * shown() - a value as an error message may show it: on one line, shortened.
 * Context: .config and .config_complete, which one thread calls.
 */
static const char *
shown(const char *value)
{
	static char text[80];
	size_t len = 0;

	for (; len < sizeof(text) - 4 && value[len]; len++)
		text[len] = isprint((unsigned char)value[len]) ? value[len] : '?';
	snprintf(text + len, sizeof(text) - len, "%s", value[len] ? "..." : "");
	return text;
}

/*
 * parse_size() - a size in the forms that nbdkit_parse_size() accepts.
 * That function is not used because its error message names no parameter.
 * @what: the parameter or the item of a list, for the error
 */
static int
parse_size(const char *what, const char *text, uint64_t min_bytes, uint64_t max_bytes, uint64_t *ret_bytes)
{
	static const struct {
		char letter;
		unsigned int shift;
	} units[] = {{'b', 0}, {'s', 9}, {'k', 10}, {'m', 20}, {'g', 30}, {'t', 40}, {'p', 50}, {'e', 60}};
	char min_text[SIZE_TEXT_BYTES], max_text[SIZE_TEXT_BYTES];
	size_t nr_digits = strspn(text, "0123456789");
	const char *suffix = text + nr_digits;
	unsigned long long number;
	unsigned int shift = 0;
	bool known = *suffix == '\0';

	if (*text == '\0') {
		nbdkit_error("%s is empty: give a size, such as 512M or 1G", what);
		return -1;
	}
	if (*text == '-') {
		nbdkit_error("%s is negative (%s): give a size above 0, such as 1G", what, shown(text));
		return -1;
	}
	for (size_t i = 0; !known && i < sizeof(units) / sizeof(units[0]); i++) {
		if (tolower((unsigned char)*suffix) == units[i].letter && suffix[1] == '\0') {
			shift = units[i].shift;
			known = true;
		}
	}
	if (nr_digits == 0 || !known) {
		nbdkit_error(
			"%s is not a size (%s): give a whole number with K, M, G or T after it, such as 512M or 1G",
			what, shown(text));
		return -1;
	}
	errno = 0;
	number = strtoull(text, NULL, 10);
	if (errno == ERANGE || number > max_bytes >> shift) {
		nbdkit_error("%s is too large (%s): give %s at most", what, shown(text),
			     size_text(max_bytes, max_text));
		return -1;
	}
	number <<= shift;
	if (number < min_bytes) {
		nbdkit_error("%s is too small (%s): give %s at least", what, shown(text),
			     size_text(min_bytes, min_text));
		return -1;
	}
	*ret_bytes = number;
	return 0;
}

/* Errors and the log name the path, one line each. */
static int
check_path(const char *key, const char *value)
{
	for (const char *p = value; *p; p++) {
		if (iscntrl((unsigned char)*p)) {
			nbdkit_error("%s=%s has a control character in it: give a path without one", key, shown(value));
			return -1;
		}
	}
	return 0;
}

static int
param_pool(const char *value)
{
	if (*value == '\0') {
		nbdkit_error("pool= is empty: give the path of the pool, such as /dev/dax0.0 or /var/lib/prmem/pool");
		return -1;
	}
	if (check_path("pool", value) < 0)
		return -1;
	/* nbdkit goes to / when it goes into the background. */
	params.pool = nbdkit_absolute_path(value);
	return params.pool ? 0 : -1;
}

static int
param_size(const char *value)
{
	given_size = value;
	return 0;
}

static int
param_sizes(const char *value)
{
	given_sizes = value;
	return 0;
}

bool
disk_name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len > PRMEM_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (!isgraph(c) || c == '/' || c == '@')
			return false;
	}
	return true;
}

static int
param_disk(const char *value)
{
	if (!disk_name_is_valid(value)) {
		nbdkit_error("disk=%s is not a valid name: give 1 to %d printable characters without '/', '@' and "
			     "white space",
			     shown(value), PRMEM_NAME_MAX);
		return -1;
	}
	params.disk = value;
	return 0;
}

static int
param_pool_size(const char *value)
{
	return parse_size("pool-size=", value, PRMEM_POOL_SIZE_MIN, PRMEM_POOL_SIZE_MAX, &params.pool_size_bytes);
}

static int
param_low_space(const char *value)
{
	return parse_size("low-space=", value, 0, PRMEM_POOL_SIZE_MAX, &params.low_space_bytes);
}

static int
param_region(const char *value)
{
	const char **grown = realloc(params.region_paths, (params.nr_regions + 2) * sizeof(*grown));
	char *path;

	if (!grown) {
		nbdkit_error("no memory for region=%s", shown(value));
		return -1;
	}
	params.region_paths = grown;
	grown[params.nr_regions] = NULL;
	if (*value == '\0') {
		nbdkit_error("region= is empty: give the path of a region that was added to the pool");
		return -1;
	}
	if (check_path("region", value) < 0)
		return -1;
	path = nbdkit_absolute_path(value);
	if (!path)
		return -1;
	grown[params.nr_regions++] = path;
	grown[params.nr_regions] = NULL;
	return 0;
}

/* The words of nbdkit_parse_bool(), whose error message shows the value as it is and names no parameter. */
static int
param_degraded(const char *value)
{
	static const char *const words[] = {"0", "1", "no", "yes", "n", "y", "false", "true", "f", "t", "off", "on"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(value, words[i]) == 0) {
			params.degraded = i % 2 != 0;
			return 0;
		}
	}
	nbdkit_error("degraded=%s is neither yes nor no: give one of them", shown(value));
	return -1;
}

static int
param_format(const char *value)
{
	if (strcmp(value, "auto") == 0) {
		params.format = PRMEM_FORMAT_AUTO;
	} else if (strcmp(value, "never") == 0) {
		params.format = PRMEM_FORMAT_NEVER;
	} else if (strcmp(value, "force") == 0) {
		params.format = PRMEM_FORMAT_FORCE;
	} else {
		nbdkit_error("format=%s is unknown: give auto, never or force", shown(value));
		return -1;
	}
	return 0;
}

static int
param_max_disks(const char *value)
{
	char *end = NULL;
	unsigned long number = 0;

	errno = 0;
	if (isdigit((unsigned char)*value))
		number = strtoul(value, &end, 10);
	if (!end || *end != '\0' || errno != 0 || number < 1 || number > MAX_DISKS_LIMIT) {
		nbdkit_error("max-disks=%s is not a number of disks: give 1 to %d", shown(value), MAX_DISKS_LIMIT);
		return -1;
	}
	params.max_disks = (unsigned int)number;
	return 0;
}

static const struct param {
	const char *key;
	int (*parse)(const char *value);
} table[] = {
#define PARAM(field, key, usage, help) {key, param_##field},
	PARAMS(PARAM)};
#define NR_PARAMS (sizeof(table) / sizeof(table[0]))

static bool given[NR_PARAMS];

/* same_but_for_form() - is it the key in capitals, or with underscores? */
static bool
same_but_for_form(const char *a, const char *key)
{
	for (; *a && *key; a++, key++) {
		if (tolower((unsigned char)*a) != *key && !(*a == '_' && *key == '-'))
			return false;
	}
	return *a == *key;
}

int
params_config(const char *key, const char *value)
{
	for (size_t i = 0; i < NR_PARAMS; i++) {
		if (strcmp(key, table[i].key) != 0)
			continue;
		if (given[i] && table[i].parse != param_region) {
			nbdkit_error("%s= is given twice (the second time %s): give it once", key, shown(value));
			return -1;
		}
		given[i] = true;
		return table[i].parse(value);
	}
	for (size_t i = 0; i < NR_PARAMS; i++) {
		if (same_but_for_form(key, table[i].key)) {
			nbdkit_error("unknown parameter %s=: write %s=", shown(key), table[i].key);
			return -1;
		}
	}
	nbdkit_error("unknown parameter %s=: nbdkit prmem --help lists those there are", shown(key));
	return -1;
}

/* want() - remember a disk that must exist. */
static int
want(const char *name, uint64_t size_bytes)
{
	struct wanted_disk *grown = realloc(params.wanted, (params.nr_wanted + 1) * sizeof(*grown));

	if (!grown) {
		nbdkit_error("no memory for %zu disks", params.nr_wanted + 1);
		return -1;
	}
	params.wanted = grown;
	snprintf(grown[params.nr_wanted].name, sizeof(grown->name), "%s", name);
	grown[params.nr_wanted].size_bytes = size_bytes;
	params.nr_wanted++;
	return 0;
}

/* want_list() - sizes=: pram0, pram1, ... */
static int
want_list(const char *list)
{
	const char *item = list;

	for (unsigned int i = 0;; i++) {
		size_t len = strcspn(item, ",");
		char what[64], name[PRMEM_NAME_MAX + 1];
		const char *text;
		uint64_t size_bytes;

		if (i >= params.max_disks) {
			nbdkit_error("sizes= has more disks than max-disks=%u allows: leave some out or give a larger "
				     "max-disks=",
				     params.max_disks);
			return -1;
		}
		snprintf(what, sizeof(what), "item %u of sizes=", i + 1);
		text = nbdkit_strndup_intern(item, len);
		if (!text)
			return -1;
		snprintf(name, sizeof(name), "pram%u", i);
		if (parse_size(what, text, 1, PRMEM_DISK_SIZE_MAX, &size_bytes) < 0 || want(name, size_bytes) < 0)
			return -1;
		if (item[len] == '\0')
			return 0;
		item += len + 1;
	}
}

int
params_complete(void)
{
	uint64_t size_bytes;

	if (!params.pool) {
		nbdkit_error("pool= is missing: give the path of the pool, such as pool=/dev/dax0.0 or "
			     "pool=/var/lib/prmem/pool");
		return -1;
	}
	if (given_size && given_sizes) {
		nbdkit_error("size= and sizes= are both given: sizes= alone makes pram0, pram1, ...");
		return -1;
	}
	if (params.disk && given_sizes) {
		nbdkit_error("disk= and sizes= are both given: give size= with disk=, or leave disk= out");
		return -1;
	}
	if (params.disk && !given_size && params.format == PRMEM_FORMAT_FORCE) {
		nbdkit_error("disk= cannot be in a pool that format=force makes empty: give size= to make it");
		return -1;
	}
	if (given_sizes)
		return want_list(given_sizes);
	if (given_size) {
		if (parse_size("size=", given_size, 1, PRMEM_DISK_SIZE_MAX, &size_bytes) < 0)
			return -1;
		return want(params.disk ? params.disk : "pram0", size_bytes);
	}
	return 0;
}

void
params_dump(void)
{
	printf("prmem_parameters=");
	for (size_t i = 0; i < NR_PARAMS; i++)
		printf("%s%s", i > 0 ? "," : "", table[i].key);
	printf("\n");
}

void
params_free(void)
{
	for (size_t i = 0; i < params.nr_regions; i++)
		free((char *)params.region_paths[i]);
	free(params.region_paths);
	params.region_paths = NULL;
	params.nr_regions = 0;
	free(params.pool);
	free(params.wanted);
	params.pool = NULL;
	params.wanted = NULL;
	params.nr_wanted = 0;
}
