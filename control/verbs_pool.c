/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pool as a whole: label, threshold, growth.
 */
#include <errno.h>

#include "control/verb.h"

int
verb_set_pool(const struct control *control, struct json_object *request, struct json_object *result,
	      struct prmem_error *err)
{
	const char *label = get_text(request, "label");
	struct prmem_pool_info info;
	int r = 0;

	if (label == NULL && !has_key(request, "low_space"))
		return verb_error(err, -EINVAL, "pool %.200s: nothing was said that is to be set", control->path);
	if (has_key(request, "low_space") && !control->served)
		return verb_error(err, -ENOTCONN,
				  "pool %.200s: nobody serves it who could watch its space: start the server with "
				  "low-space=",
				  control->path);
	if (label != NULL)
		r = prmem_set_label(control->pool, label, err);
	if (r < 0)
		return r;
	if (has_key(request, "low_space"))
		prmem_set_low_space(control->pool, get_number(request, "low_space", 0));
	prmem_pool_info(control->pool, &info, sizeof info);
	put_text(result, "label", info.label);
	put_number(result, "low_space", info.low_space_bytes);
	return 0;
}

int
verb_grow(const struct control *control, struct json_object *request, struct json_object *result,
	  struct prmem_error *err)
{
	const struct prmem_region_args region = {
		.path = get_text(request, "add"),
		.region_size_bytes = get_number(request, "add_size", 0),
		.force = get_flag(request, "force"),
	};
	struct prmem_pool_info before, after;
	int r;

	if (has_key(request, "size") == (region.path != NULL) ||
	    (region.path == NULL && (region.region_size_bytes != 0 || region.force)))
		return verb_error(err, -EINVAL, "grow needs a size, or what is to be added");
	if (region.path != NULL && region.path[0] != '/')
		return verb_error(err, -EINVAL, "%.200s: not an absolute path", region.path);
	prmem_pool_info(control->pool, &before, sizeof before);
	if (region.path != NULL)
		r = prmem_add_region(control->pool, &region, sizeof region, err);
	else
		r = prmem_grow(control->pool, get_number(request, "size", 0), err);
	if (r < 0)
		return r;
	prmem_pool_info(control->pool, &after, sizeof after);
	put_number(result, "size_before", before.size_bytes);
	put_number(result, "size", after.size_bytes);
	put_number(result, "regions", after.nr_regions);
	return 0;
}
