/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "model/layout.h"

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"

#define SOURCE_PREFIX   "bpfshare:"
#define PROTOCOL_PREFIX "dispatch-"

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '@' || c == '-';
}

/* Upper case only, as layout_escape() writes it. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

const char *layout_escape(struct arena *a, const char *name)
{
	static const char digits[] = "0123456789ABCDEF";
	char *s = arena_alloc(a, 3 * strlen(name) + 1), *p = s;

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (is_plain(*name)) {
			*p++ = *name;
			continue;
		}
		*p++ = '%';
		*p++ = digits[c >> 4];
		*p++ = digits[c & 0xf];
	}
	return s;
}

/* Accepts exactly what layout_escape() can have written, so that a name has one spelling. */
const char *layout_unescape(struct arena *a, const char *name)
{
	char *s = arena_alloc(a, strlen(name) + 1), *p = s;

	if (*name == '\0')
		return NULL;
	while (*name) {
		int high, low;

		if (is_plain(*name)) {
			*p++ = *name++;
			continue;
		}
		if (*name != '%' || (high = hex_digit(name[1])) < 0 ||
		    (low = hex_digit(name[2])) < 0)
			return NULL;
		*p = (char)(high << 4 | low);
		if (*p == '\0' || is_plain(*p))
			return NULL;
		p++;
		name += 3;
	}
	return s;
}

const char *layout_instance_dir(struct arena *a, const char *instance)
{
	return arena_printf(a, LAYOUT_OBJECTS "/%s", layout_escape(a, instance));
}

const char *layout_object_dir(struct arena *a, const char *instance, const char *version)
{
	return arena_printf(a, LAYOUT_OBJECTS "/%s/%s", layout_escape(a, instance),
			    layout_escape(a, version));
}

const char *layout_program_pin(struct arena *a, const char *instance, const char *version,
			       const char *function)
{
	return arena_printf(a, "%s/" LAYOUT_PROGRAMS "/%s", layout_object_dir(a, instance, version),
			    layout_escape(a, function));
}

const char *layout_extension_pin(struct arena *a, const char *instance, const char *version,
				 const char *function)
{
	return arena_printf(a, "%s/" LAYOUT_EXTENSIONS "/%s",
			    layout_object_dir(a, instance, version), layout_escape(a, function));
}

const char *layout_map_pin(struct arena *a, const char *instance, const char *version,
			   const char *map)
{
	return arena_printf(a, "%s/" LAYOUT_MAPS "/%s", layout_object_dir(a, instance, version),
			    layout_escape(a, map));
}

const char *layout_chain_dir(struct arena *a, uint32_t id)
{
	return arena_printf(a, LAYOUT_CHAINS "/%u", id);
}

const char *layout_link_pin(struct arena *a, uint32_t id, const char *netns)
{
	if (!netns)
		return arena_printf(a, LAYOUT_LINKS "/%u", id);
	return arena_printf(a, LAYOUT_LINKS "/%u@%s", id, layout_escape(a, netns));
}

bool layout_link_parse(struct arena *a, const char *name, uint32_t *ret_id, const char **ret_netns)
{
	const char *at = strchr(name, '@');
	const char *id = at ? arena_strndup(a, name, (size_t)(at - name)) : name;

	*ret_netns = at ? layout_unescape(a, at + 1) : NULL;
	return (!at || (*ret_netns && **ret_netns)) && num_parse_u32(id, UINT32_MAX, ret_id) == 0;
}

const char *layout_chain_link(struct arena *a, uint32_t id, uint32_t slot)
{
	return arena_printf(a, "%s/link-%u", layout_chain_dir(a, id), slot);
}

const char *layout_netns_dir(struct arena *a, const char *netns)
{
	return arena_printf(a, LAYOUT_NETNS "/%s", layout_escape(a, netns));
}

uint32_t layout_mark_parse(const char *name)
{
	uint32_t version;

	if (!str_starts(name, LAYOUT_MARK_PREFIX) ||
	    num_parse_u32(name + strlen(LAYOUT_MARK_PREFIX), UINT32_MAX, &version) < 0)
		return 0;
	return version;
}

const char *layout_protocol_dir(struct arena *a, uint32_t ifindex, uint32_t id)
{
	return arena_printf(a, PROTOCOL_PREFIX "%u-%u", ifindex, id);
}

bool layout_protocol_parse(const char *name, uint32_t *ret_ifindex, uint32_t *ret_id)
{
	const char *dash;
	char ifindex[16];

	if (!str_starts(name, PROTOCOL_PREFIX))
		return false;
	name += sizeof(PROTOCOL_PREFIX) - 1;
	dash = strchr(name, '-');
	if (!dash || (size_t)(dash - name) >= sizeof(ifindex))
		return false;
	memcpy(ifindex, name, (size_t)(dash - name));
	ifindex[dash - name] = '\0';
	return num_parse_u32(ifindex, UINT32_MAX, ret_ifindex) == 0 && *ret_ifindex &&
	       num_parse_u32(dash + 1, UINT32_MAX, ret_id) == 0 && *ret_id;
}

const char *layout_instance(struct arena *a, const char *object, const char *netns,
			    const char *interface)
{
	if (!netns)
		return arena_printf(a, "%s@%s", object, interface);
	return arena_printf(a, "%s@%s:%s", object, layout_escape(a, netns), interface);
}

const char *layout_mount_source(struct arena *a, const char *tag, const char *share)
{
	return arena_printf(a, SOURCE_PREFIX "%s:%s", tag, share);
}

const char *layout_mount_share(struct arena *a, const char *tag, const char *source)
{
	size_t n = strlen(tag);

	if (strncmp(source, SOURCE_PREFIX, sizeof(SOURCE_PREFIX) - 1) != 0)
		return NULL;
	source += sizeof(SOURCE_PREFIX) - 1;
	if (strncmp(source, tag, n) != 0 || source[n] != ':' || source[n + 1] == '\0')
		return NULL;
	return arena_strdup(a, source + n + 1);
}
