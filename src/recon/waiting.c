/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The file: one JSON object with the id of the boot, the removals as plan_removal_id() names them, and the
 * members (also what is kept) and shares as struct waiting_removals has them. It is written anew and renamed.
 */
#include "recon/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "recon/boot_id.h"

/* As many as a node of the largest size can hold. */
#define FILE_BYTES_MAX (16u * 1024 * 1024)

struct waiting {
	char *path;
	struct arena *arena; /* of the list */
	struct waiting_removals list;
	char *text; /* the list as in the file */
};

static void clear(struct waiting *w)
{
	arena_free(w->arena);
	w->arena = arena_new();
	w->list = (struct waiting_removals){ 0 };
}

/* --- as text ---------------------------------------------------------------------------- */

/* What is no UTF-8 (names of interfaces may be anything) is known to this process alone. */
static void append(json_t *list, json_t *entry)
{
	if (entry)
		(void)json_array_append_new(list, entry);
}

static json_t *member_to_json(const struct waiting_member *m)
{
	return json_pack("{s:s, s:s, s:s*, s:s, s:I, s:s, s:s, s:s*, s:s*, s:I, s:I, s:b, s:b}",
			 "hook", hook_names[m->hook], "direction", tc_direction_names[m->direction],
			 "netns", m->netns, "interface", m->interface, "ifindex",
			 (json_int_t)m->ifindex, "instance", m->instance, "program", m->program,
			 "version", m->version, "behind", m->behind, "priority",
			 (json_int_t)m->priority, "proceed_on", (json_int_t)m->proceed_on,
			 "required", m->required, "ranked", m->ranked);
}

static json_t *share_to_json(const struct waiting_share *s)
{
	json_t *pins = json_array();

	for (size_t i = 0; i < s->pin_count; i++)
		append(pins, json_pack("{s:s, s:s, s:s, s:s}", "alias", s->pins[i].alias,
				       "instance", s->pins[i].instance, "map", s->pins[i].map,
				       "access", access_names[s->pins[i].access]));
	return json_pack("{s:s, s:s, s:I, s:I, s:o}", "share", s->share, "path", s->path, "gid",
			 (json_int_t)s->gid, "mode", (json_int_t)s->mode, "pins", pins);
}

/* From malloc. */
static char *to_text(const struct waiting_removals *w, const char *boot)
{
	json_t *ids = json_array(), *members = json_array(), *shares = json_array();
	json_t *kept = json_array(), *all;
	char *text;

	for (size_t i = 0; i < w->ids.n; i++)
		append(ids, json_string(w->ids.v[i]));
	for (size_t i = 0; i < w->member_count; i++)
		append(members, member_to_json(&w->members[i]));
	for (size_t i = 0; i < w->share_count; i++)
		append(shares, share_to_json(&w->shares[i]));
	for (size_t i = 0; i < w->kept_count; i++)
		append(kept, member_to_json(&w->kept[i]));
	all = json_pack("{s:s, s:o, s:o, s:o, s:o}", "boot", boot, "removals", ids, "members",
			members, "shares", shares, "kept", kept);
	text = json_dumps(all, JSON_COMPACT);
	json_decref(all);
	return text;
}

/* False: it is none of the names. */
static bool find_name(const char *const *names, int n, const char *name, int *ret)
{
	for (*ret = 0; *ret < n; ++*ret)
		if (str_eq(names[*ret], name))
			return true;
	return false;
}

static bool is_number(json_int_t n)
{
	return n >= 0 && n <= UINT32_MAX;
}

static bool member_from_json(struct arena *a, json_t *j, struct waiting_member *ret)
{
	json_int_t ifindex, priority, proceed_on;
	int required, ranked, hook, direction;
	const char *hook_name, *direction_name;
	struct waiting_member m = { 0 };

	if (json_unpack(j, "{s:s, s:s, s?s, s:s, s:I, s:s, s:s, s?s, s?s, s:I, s:I, s:b, s:b}",
			"hook", &hook_name, "direction", &direction_name, "netns", &m.netns,
			"interface", &m.interface, "ifindex", &ifindex, "instance", &m.instance,
			"program", &m.program, "version", &m.version, "behind", &m.behind,
			"priority", &priority, "proceed_on", &proceed_on, "required", &required,
			"ranked", &ranked) < 0 ||
	    !find_name(hook_names, HOOK_COUNT, hook_name, &hook) ||
	    !find_name(tc_direction_names, TC_DIRECTION_COUNT, direction_name, &direction) ||
	    !is_number(ifindex) || !is_number(priority) || !is_number(proceed_on))
		return false;
	m.hook = (enum hook)hook;
	m.direction = (enum tc_direction)direction;
	m.netns = arena_strdup(a, m.netns);
	m.interface = arena_strdup(a, m.interface);
	m.instance = arena_strdup(a, m.instance);
	m.program = arena_strdup(a, m.program);
	m.version = arena_strdup(a, m.version);
	m.behind = arena_strdup(a, m.behind);
	m.ifindex = (uint32_t)ifindex;
	m.priority = (uint32_t)priority;
	m.proceed_on = (uint32_t)proceed_on;
	m.required = required;
	m.ranked = ranked;
	*ret = m;
	return true;
}

static bool pin_from_json(struct arena *a, json_t *j, struct waiting_pin *ret)
{
	const char *alias, *instance, *map, *access_name;
	int access;

	if (json_unpack(j, "{s:s, s:s, s:s, s:s}", "alias", &alias, "instance", &instance, "map",
			&map, "access", &access_name) < 0 ||
	    !find_name(access_names, ACCESS_COUNT, access_name, &access))
		return false;
	*ret = (struct waiting_pin){ arena_strdup(a, alias), arena_strdup(a, instance),
				     arena_strdup(a, map), (enum access)access };
	return true;
}

static bool share_from_json(struct arena *a, json_t *j, struct waiting_share *ret)
{
	const char *share, *path;
	json_int_t gid, mode;
	json_t *pins;

	if (json_unpack(j, "{s:s, s:s, s:I, s:I, s:o}", "share", &share, "path", &path, "gid", &gid,
			"mode", &mode, "pins", &pins) < 0 ||
	    !is_number(gid) || !is_number(mode))
		return false;
	*ret = (struct waiting_share){
		.share = arena_strdup(a, share),
		.path = arena_strdup(a, path),
		.gid = (uint32_t)gid,
		.mode = (uint32_t)mode,
		.pins = arena_calloc(a, json_array_size(pins), sizeof(*ret->pins)),
	};
	for (size_t i = 0; i < json_array_size(pins); i++)
		ret->pin_count +=
			pin_from_json(a, json_array_get(pins, i), &ret->pins[ret->pin_count]);
	return true;
}

static void from_json(struct waiting *w, json_t *j)
{
	json_t *ids = json_object_get(j, "removals"), *members = json_object_get(j, "members");
	json_t *shares = json_object_get(j, "shares"), *kept = json_object_get(j, "kept");
	struct waiting_removals *to = &w->list;

	to->ids.v = arena_calloc(w->arena, json_array_size(ids), sizeof(*to->ids.v));
	for (size_t i = 0; i < json_array_size(ids); i++)
		if (json_is_string(json_array_get(ids, i)))
			to->ids.v[to->ids.n++] =
				arena_strdup(w->arena, json_string_value(json_array_get(ids, i)));
	to->members = arena_calloc(w->arena, json_array_size(members), sizeof(*to->members));
	for (size_t i = 0; i < json_array_size(members); i++)
		to->member_count += member_from_json(w->arena, json_array_get(members, i),
						     &to->members[to->member_count]);
	to->kept = arena_calloc(w->arena, json_array_size(kept), sizeof(*to->kept));
	for (size_t i = 0; i < json_array_size(kept); i++)
		to->kept_count += member_from_json(w->arena, json_array_get(kept, i),
						   &to->kept[to->kept_count]);
	to->shares = arena_calloc(w->arena, json_array_size(shares), sizeof(*to->shares));
	for (size_t i = 0; i < json_array_size(shares); i++)
		to->share_count += share_from_json(w->arena, json_array_get(shares, i),
						   &to->shares[to->share_count]);
}

static void parse(struct waiting *w, const char *text, size_t n)
{
	json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	char boot[BOOT_ID_SIZE];

	if (boot_id_read(boot) == 0 && str_eq(json_string_value(json_object_get(j, "boot")), boot))
		from_json(w, j);
	json_decref(j);
}

/* --- the file ------------------------------------------------------------------------------- */

/* What the daemon wrote, be it read by `bpfsharectl plan` of somebody who is not root. */
static bool is_believed(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       st->st_size <= FILE_BYTES_MAX;
}

static void load(struct waiting *w)
{
	cleanup(closep) int fd = open(w->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup(freep) char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !is_believed(&st))
		return;
	text = xcalloc(1, (size_t)st.st_size + 1);
	n = read(fd, text, (size_t)st.st_size);
	if (n == st.st_size)
		parse(w, text, (size_t)n);
}

struct waiting *waiting_new(const char *path)
{
	struct waiting *w = xnew(struct waiting);

	clear(w);
	if (path) {
		w->path = xstrdup(path);
		load(w);
	}
	w->text = to_text(&w->list, "");
	return w;
}

void waiting_free(struct waiting *w)
{
	if (!w)
		return;
	arena_free(w->arena);
	free(w->path);
	free(w->text);
	free(w);
}

const struct waiting_removals *waiting_list(const struct waiting *w)
{
	return &w->list;
}

static int write_text(const char *path, const char *text)
{
	cleanup(closep) int fd = -1;
	ssize_t n;

	/* What lies there may be a FIFO, which would be waited for. */
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	n = fd < 0 ? -1 : write(fd, text, strlen(text));
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(text) ? 0 : -ENOSPC;
}

static bool is_empty(const struct waiting_removals *w)
{
	return !w->ids.n && !w->member_count && !w->share_count && !w->kept_count;
}

static int save(const struct waiting *w)
{
	cleanup(freep) char *fresh = xasprintf("%s.new", w->path);
	cleanup(freep) char *text = NULL;
	char boot[BOOT_ID_SIZE];
	int r;

	if (is_empty(&w->list))
		return unlink(w->path) < 0 && errno != ENOENT ? -errno : 0;
	r = boot_id_read(boot);
	if (r < 0)
		return r;
	text = to_text(&w->list, boot);
	r = write_text(fresh, text ? text : "");
	if (r == 0 && rename(fresh, w->path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(fresh);
	return r;
}

int waiting_update(struct waiting *w, const struct plan *p, struct error *e)
{
	char *text = to_text(&p->waiting, "");
	struct arena *a;
	int r;

	if (text && str_eq(text, w->text)) {
		free(text);
		return 0;
	}
	a = arena_new();
	w->list = waiting_removals_copy(a, &p->waiting);
	arena_free(w->arena);
	w->arena = a;
	free(w->text);
	w->text = text;
	r = w->path ? save(w) : 0;
	return r < 0 ? error_set(e, r,
				 "%s: %s; after a restart of the daemon, a removal that waits for "
				 "`bpfsharectl confirm` is judged by itself, and what is kept "
				 "without a declaration in force is not put back if it is taken "
				 "away meanwhile",
				 w->path, error_string(r)) :
		       0;
}
