/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Shares: a mount per target. A sealed share (all of it read-only) is replaced as a whole,
 * since its superblock is never to be writable where that can be avoided; any other is changed pin by pin,
 * which consumers see wherever they bound it. What we mount is ours alone, so a map in it that is not
 * declared goes: else nothing could be taken back from a consumer.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "model/layout.h"
#include "plan/plan_internal.h"

/* One target while it is compared with its mount. */
struct comparison {
	struct planner *p;
	struct share_state *s;
	struct target_state *t;
	const char *subject, *version;
	struct draft *first; /* of the operations planned for it; NULL: none */
};

const char *target_path(struct arena *a, const char *run_dir, const struct share_decl *s,
			const struct share_target *t)
{
	return t->path ? t->path : arena_printf(a, "%s/shares/%s/maps", run_dir, s->name);
}

/* --- fates of pins, for remove.c -------------------------------------------------- */

static void set_fate(struct planner *p, uint32_t map_id, struct draft *draft)
{
	if (map_id)
		*LIST_ADD(p->a, &p->pin_fates) =
			(struct pin_fate){ .map_id = map_id, .draft = draft };
}

static void set_fates(struct planner *p, const struct observed_mount *m, struct draft *draft)
{
	for (size_t i = 0; i < m->pin_count; i++)
		set_fate(p, m->pins[i].map_id, draft);
}

/* --- operations ---------------------------------------------------------------------- */

static struct draft *share_draft(struct comparison *c, enum op_kind kind, const char *reason)
{
	const char *key = arena_printf(c->p->a, "share %s", c->s->decl->name);
	struct draft *d = draft_add(c->p, kind, key);

	d->op.subject = c->subject;
	d->op.version = c->version;
	d->op.reason = reason;
	d->op.origin = c->t->decl->origin;
	d->op.share = (struct op_share){
		.share = c->s->decl->name,
		.path = c->t->path,
		.gid = c->t->gid,
		.mode = c->t->decl->mode,
		.read_only = c->s->read_only,
	};
	if (!c->first)
		c->first = d;
	return d;
}

static void add_pin(struct comparison *c, struct draft *d, const struct wanted_pin *w)
{
	struct op_share *o = &d->op.share;
	struct op_share_pin *pins = arena_calloc(c->p->a, o->pin_count + 1, sizeof(*pins));

	if (o->pin_count)
		memcpy(pins, o->pins, o->pin_count * sizeof(*pins));
	pins[o->pin_count++] = (struct op_share_pin){ w->decl->alias, w->map, w->mode };
	o->pins = pins;
	draft_need(c->p, d, w->load);
}

/* Names a map by its pin, for one that stays while its object is not loaded. */
static bool find_map(const struct planner *p, uint32_t id, struct map_ref *ret)
{
	const struct map_entry *m;

	if (!lookup_maps(p, id, &m))
		return false;
	*ret = (struct map_ref){ m->object->instance, m->object->version, m->map->name };
	return true;
}

static const struct observed_pin *find_pin(const struct observed_mount *m, const char *alias)
{
	for (size_t i = 0; m && i < m->pin_count; i++)
		if (str_eq(m->pins[i].name, alias))
			return &m->pins[i];
	return NULL;
}

static const struct wanted_pin *find_wanted(const struct share_state *s, const char *alias)
{
	for (size_t i = 0; i < s->pins.n; i++)
		if (str_eq(s->pins.v[i].decl->alias, alias))
			return &s->pins.v[i];
	return NULL;
}

static void mount_whole(struct comparison *c, const char *reason)
{
	struct draft *d = share_draft(c, OP_SHARE_MOUNT, reason);
	const struct observed_mount *m = c->t->mount;

	d->op.share.replace = m != NULL;
	d->op.share.window = m && m->read_only && c->s->read_only &&
			     !observed_has_feature(c->p->observed, "mount_beneath");
	if (m)
		set_fates(c->p, m, d);
	for (size_t i = 0; i < c->s->pins.n; i++) {
		struct wanted_pin w = c->s->pins.v[i];
		const struct observed_pin *old = find_pin(m, w.decl->alias);

		if (!w.map.instance && old && find_map(c->p, old->map_id, &w.map))
			set_fate(c->p, old->map_id, NULL);
		if (w.map.instance)
			add_pin(c, d, &w);
	}
}

/* --- comparison ------------------------------------------------------------------------ */

static bool pin_differs(const struct wanted_pin *w, const struct observed_pin *old)
{
	return w->map.instance && (!old || !w->id || old->map_id != w->id);
}

static bool owner_differs(const struct comparison *c, const struct wanted_pin *w,
			  const struct observed_pin *old)
{
	return old && (old->uid != 0 || old->gid != c->t->gid || old->mode != w->mode);
}

static bool directory_differs(const struct comparison *c)
{
	const struct observed_mount *m = c->t->mount;

	return m->uid != 0 || m->gid != c->t->gid || m->mode != c->t->decl->mode;
}

/* A pin that nobody declares; what is no map was not put there by us. */
static bool is_extra(const struct comparison *c, const struct observed_pin *pin)
{
	return pin->map_id && !find_wanted(c->s, pin->name);
}

static const char *explain_extra(const struct comparison *c, const char *alias)
{
	for (size_t i = 0; i < c->s->decl->map_count; i++)
		if (str_eq(c->s->decl->maps[i].alias, alias))
			return "its map cannot be published any more";
	return "the share does not declare it";
}

/* What of a sealed share is not as declared, NULL: nothing. */
static const char *find_difference(const struct comparison *c)
{
	const struct observed_mount *m = c->t->mount;

	if (!str_eq(m->share, c->s->decl->name))
		return arena_printf(c->p->a, "share %s is mounted there", m->share);
	if (!m->read_only)
		return NULL;
	if (!c->s->read_only)
		return "it has a writable map now";
	for (size_t i = 0; i < c->s->pins.n; i++) {
		const struct wanted_pin *w = &c->s->pins.v[i];
		const struct observed_pin *old = find_pin(m, w->decl->alias);

		if (pin_differs(w, old))
			return arena_printf(c->p->a,
					    old ? "%s is another map now" : "%s is missing",
					    w->decl->alias);
		if (owner_differs(c, w, old))
			return arena_printf(c->p->a, "owner or mode of %s differ", w->decl->alias);
	}
	for (size_t i = 0; i < m->pin_count; i++)
		if (is_extra(c, &m->pins[i]))
			return arena_printf(c->p->a, "without %s: %s", m->pins[i].name,
					    explain_extra(c, m->pins[i].name));
	return directory_differs(c) ? "owner or mode of the directory differ" : NULL;
}

static void own(struct comparison *c, const char *pin, uint32_t mode)
{
	struct draft *d = share_draft(c, OP_SHARE_OWNER,
				      pin ? "owner or mode of the pin differ" :
					    "owner or mode of the directory differ");

	d->op.share.pin = pin;
	d->op.share.mode = mode;
}

static void edit_pin(struct comparison *c, const struct wanted_pin *w)
{
	const struct observed_pin *old = find_pin(c->t->mount, w->decl->alias);
	struct draft *d;

	if (pin_differs(w, old)) {
		d = share_draft(c, OP_SHARE_PIN,
				arena_printf(c->p->a,
					     old ? "%s is another map now" : "%s is missing",
					     w->decl->alias));
		add_pin(c, d, w);
		if (old)
			set_fate(c->p, old->map_id, d);
		return;
	}
	if (old)
		set_fate(c->p, old->map_id, NULL);
	if (owner_differs(c, w, old))
		own(c, w->decl->alias, w->mode);
}

static void edit_in_place(struct comparison *c)
{
	const struct observed_mount *m = c->t->mount;

	for (size_t i = 0; i < c->s->pins.n; i++)
		edit_pin(c, &c->s->pins.v[i]);
	for (size_t i = 0; i < m->pin_count; i++) {
		struct draft *d;

		if (!is_extra(c, &m->pins[i]))
			continue;
		d = share_draft(c, OP_SHARE_UNPIN, explain_extra(c, m->pins[i].name));
		d->op.share.pin = m->pins[i].name;
		d->op.share.window = c->s->read_only; /* it is sealed by then */
		set_fate(c->p, m->pins[i].map_id, d);
	}
	if (directory_differs(c))
		own(c, NULL, c->t->decl->mode);
}

static void seal(struct comparison *c)
{
	const struct observed_mount *m = c->t->mount;

	if (m->stacked > 1)
		share_draft(c, OP_SHARE_SEAL, "an interrupted change left older mounts on top");
	else if (m->read_only != c->s->read_only)
		share_draft(c, OP_SHARE_SEAL, "all its maps are read-only");
	else if (!m->shared)
		share_draft(c, OP_SHARE_SEAL, "its propagation is not shared");
}

static void compare_mount(struct comparison *c)
{
	const struct observed_mount *m = c->t->mount;
	const char *difference;

	if (!m) {
		mount_whole(c, "nothing is mounted there");
		return;
	}
	difference = find_difference(c);
	if (difference) {
		mount_whole(c, difference);
		return;
	}
	if (m->read_only)
		set_fates(c->p, m, NULL);
	else
		edit_in_place(c);
	seal(c);
}

/* Everything that a refusal may depend on, so that any difference is tried at once. */
static const char *target_version(const struct comparison *c)
{
	struct hasher *h = hasher_new();
	char hex[SHA256_HEX];

	hasher_add_field(h, arena_printf(c->p->a, "%u %o %d %d", (unsigned int)c->t->gid,
					 c->t->decl->mode, c->s->read_only, c->t->mount != NULL));
	for (size_t i = 0; i < c->s->pins.n; i++) {
		const struct wanted_pin *w = &c->s->pins.v[i];

		hasher_add_field(h, w->decl->alias);
		hasher_add_field(h, w->map.instance);
		hasher_add_field(h, w->map.version);
		hasher_add_field(h, w->map.map);
		hasher_add_field(h, w->mode == 0660 ? "rw" : "ro");
	}
	hasher_finish(h, hex);
	return arena_strdup(c->p->a, hex);
}

/* --- targets ----------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	const struct target_entry *x = a, *y = b;
	int r = strcmp(x->target->path, y->target->path);

	if (r)
		return r;
	return (x->target > y->target) - (x->target < y->target);
}

/* The target that has the path: of several the first in sort order of the shares. NULL: none has. */
static const struct target_entry *find_target(const struct planner *p, const char *path)
{
	size_t low = 0, high = p->target_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(p->targets_by_path[middle].target->path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == p->target_count || !str_eq(p->targets_by_path[low].target->path, path))
		return NULL;
	return &p->targets_by_path[low];
}

/* Lazily, since what was mounted above may be in use by now, not least by us. */
static const char *cover_message(struct planner *p, const struct observed_mount *m)
{
	const char *at = m->cover ? m->cover : m->path;

	if (str_eq(at, m->path))
		return arena_printf(p->a,
				    "something that is not ours is mounted over the share at %s; "
				    "umount -l %s takes it away",
				    at, at);
	return arena_printf(p->a,
			    "something that is not ours is mounted at %s, over the share at %s; "
			    "umount -l %s takes it away",
			    at, m->path, at);
}

static bool target_is_blocked(struct planner *p, struct target_state *t)
{
	const struct observed_mount *m = observed_find_mount(p->observed, t->path);
	const struct target_entry *owner = find_target(p, t->path);

	if (owner->target != t)
		condition_set(&t->condition, STATE_FAILED, REASON_PATH_CONFLICT,
			      arena_printf(p->a,
					   "%s is the path of another target of share %s; give one "
					   "of them another path",
					   t->path, owner->share->decl->name));
	else if (m && !m->ours)
		condition_set(
			&t->condition, STATE_BLOCKED, REASON_PATH_IN_USE,
			arena_printf(p->a,
				     "something that is not ours is mounted at %s; unmount it "
				     "or give the share another path",
				     t->path));
	else if (m && m->covered)
		condition_set(&t->condition, STATE_BLOCKED, REASON_MOUNT_COVERED,
			      cover_message(p, m));
	else
		return !target_resolve_group(p, t);
	return true;
}

static bool shares_mix(const struct share_state *s)
{
	bool ro = false;

	for (size_t i = 0; i < s->pins.n; i++)
		ro |= s->pins.v[i].decl->access == ACCESS_RO;
	return ro && !s->read_only;
}

/* The name of one, NULL: there is none. */
static const char *foreign_pin(const struct comparison *c)
{
	const struct observed_mount *m = c->t->mount;

	for (size_t i = 0; m && i < m->pin_count; i++)
		if (!m->pins[i].map_id && !find_wanted(c->s, m->pins[i].name))
			return m->pins[i].name;
	return NULL;
}

/* What a consumer or an administrator should know about a target that is as declared. */
static void note_target(const struct comparison *c)
{
	const struct observed *o = c->p->observed;
	struct condition_status *to = &c->t->condition;

	if (!observed_has_feature(o, "unprivileged_map_access"))
		condition_set(
			to, STATE_READY, REASON_UNPRIVILEGED_BPF_BLOCKED,
			"this kernel lets only privileged processes use maps: it is older than "
			"5.19 and kernel.unprivileged_bpf_disabled is not 0");
	else if (shares_mix(c->s))
		condition_set(
			to, STATE_READY, REASON_READ_ONLY_NOT_ENFORCED,
			"it mixes read-only and writable maps, so its file system is writable and a "
			"consumer that is root can write to all of them; use two shares");
	else if (c->s->read_only && !observed_has_feature(o, "mount_beneath"))
		condition_set(
			to, STATE_READY, REASON_READ_ONLY_WINDOW,
			"on this kernel (before 6.5) every change makes it writable to a consumer "
			"that is root for a moment");
	else if (!to->reason && foreign_pin(c))
		/* Escaped: the name is whatever a consumer made of it. */
		condition_set(to, STATE_READY, REASON_FOREIGN_PIN,
			      arena_printf(c->p->a, "its entry '%s' is no map; it is left alone",
					   layout_escape(c->p->a, foreign_pin(c))));
}

/* --- mounts without maps ----------------------------------------------------------------- */

/* A share of maps whose own declaration cannot be read may well have been declared next to them. */
static bool may_be_orphaned(const struct planner *p, const struct observed_mount *m)
{
	struct map_ref map;

	for (size_t i = 0; i < m->pin_count; i++) {
		const struct instance *at = NULL;

		if (find_map(p, m->pins[i].map_id, &map))
			at = lookup_instance(p, map.instance);
		if (at && at->object->standing == STANDING_ORPHANED)
			return true;
	}
	return false;
}

static void mount_remove(struct planner *p, const struct observed_mount *m, const char *reason)
{
	bool declared = desired_find_share(p->desired, m->share);
	const char *subject = arena_printf(p->a, "share %s %s", m->share, m->path);
	struct draft *d;

	if (m->covered || may_be_orphaned(p, m) || (p->held && !declared) ||
	    lookup_undone(p, subject, "unmount")) {
		set_fates(p, m, NULL);
		return;
	}
	d = draft_add(p, OP_SHARE_UNMOUNT, arena_printf(p->a, "share %s", m->share));
	d->op.subject = subject;
	d->op.version = "unmount";
	d->op.reason = declared ? reason : "no file declares it any more";
	d->op.removes = !declared;
	d->op.share.share = m->share;
	d->op.share.path = m->path;
}

static void target_plan(struct planner *p, struct share_state *s, struct target_state *t)
{
	struct comparison c = { .p = p, .s = s, .t = t };
	const struct failure *f;

	t->mount = observed_find_mount(p->observed, t->path);
	if (target_is_blocked(p, t)) {
		if (t->mount && find_target(p, t->path)->target == t)
			set_fates(p, t->mount, NULL);
		return;
	}
	if (!s->publishes) {
		if (t->mount)
			mount_remove(p, t->mount, "none of its maps can be published");
		t->condition = s->maps;
		return;
	}
	c.subject = arena_printf(p->a, "share %s %s", s->decl->name, t->path);
	c.version = target_version(&c);
	f = lookup_failure(p, c.subject, c.version);
	if (f) {
		if (t->mount)
			set_fates(p, t->mount, NULL);
		condition_from_failure(&t->condition, f);
		return;
	}
	compare_mount(&c);
	if (c.first)
		condition_set(&t->condition, STATE_PENDING, REASON_PLANNED,
			      arena_printf(p->a, "%s: %s", t->path, c.first->op.reason));
	else
		note_target(&c);
}

/* --- what waits for its removal ----------------------------------------------------------- */

/* The share as it was, for a mount that somebody took away. */
static const struct share_decl *held_decl(struct planner *p, const struct waiting_share *w)
{
	struct share_decl *decl = arena_new_of(p->a, struct share_decl);

	decl->name = w->share;
	decl->maps = arena_calloc(p->a, w->pin_count, sizeof(*decl->maps));
	decl->map_count = w->pin_count;
	for (size_t i = 0; i < w->pin_count; i++)
		decl->maps[i] = (struct share_map){ .object = w->pins[i].instance,
						    .map = w->pins[i].map,
						    .alias = w->pins[i].alias,
						    .access = w->pins[i].access,
						    .unsafe = true };
	decl->targets = arena_new_of(p->a, struct share_target);
	decl->target_count = 1;
	*decl->targets = (struct share_target){ .type = TARGET_BPFFS,
						.path = w->path,
						.group = arena_printf(p->a, "%u", w->gid),
						.mode = w->mode };
	return decl;
}

/* What is there stays as it is, and what is missing is put back; nothing else is known to be right. */
static void held_share_plan(struct planner *p, struct share_state *s)
{
	struct target_state *t = &s->targets[0];
	struct comparison c = { .p = p, .s = s, .t = t };

	if (find_target(p, t->path)->target != t)
		return;
	t->mount = observed_find_mount(p->observed, t->path);
	if (target_is_blocked(p, t) || (s->decl->map_count && !s->publishes))
		return;
	c.subject = arena_printf(p->a, "share %s %s", s->decl->name, t->path);
	c.version = target_version(&c);
	if (lookup_failure(p, c.subject, c.version))
		return;
	if (!t->mount)
		mount_whole(&c, "nothing is mounted there");
	for (size_t i = 0; t->mount && !t->mount->read_only && i < s->pins.n; i++)
		if (s->pins.v[i].map.instance && !find_pin(t->mount, s->pins.v[i].decl->alias))
			edit_pin(&c, &s->pins.v[i]);
}

/* The path of its mount may be that of a declared share by now. */
static bool is_path_taken(const struct planner *p, const char *path)
{
	for (size_t i = 0; i < p->target_count; i++)
		if (str_eq(p->targets_by_path[i].target->path, path))
			return true;
	return false;
}

static void share_prepare(struct planner *p, struct share_state *s, struct target_state *targets)
{
	share_resolve(p, s);
	s->targets = targets;
	for (size_t t = 0; t < s->decl->target_count; t++) {
		targets[t].decl = &s->decl->targets[t];
		targets[t].path = target_path(p->a, p->in->run_dir, s->decl, targets[t].decl);
		p->targets_by_path[p->target_count++] = (struct target_entry){ s, &targets[t] };
	}
}

void shares_plan(struct planner *p)
{
	const struct desired *d = p->desired;
	struct target_state *targets;
	size_t n = 0, held;

	for (size_t i = 0; i < d->share_count; i++)
		n += d->shares[i].target_count;
	held = p->held ? p->held->share_count : 0;
	n += held;
	targets = arena_calloc(p->a, n, sizeof(*targets));
	p->targets_by_path = arena_calloc(p->a, n, sizeof(*p->targets_by_path));
	p->shares = arena_calloc(p->a, d->share_count + held, sizeof(*p->shares));
	for (size_t i = 0; i < d->share_count; i++) {
		p->shares[i].decl = &d->shares[i];
		share_prepare(p, &p->shares[i], targets + p->target_count);
	}
	p->share_count = d->share_count;
	for (size_t i = 0; i < held; i++) {
		struct share_state *s = &p->shares[p->share_count];

		if (is_path_taken(p, p->held->shares[i].path))
			continue;
		s->decl = held_decl(p, &p->held->shares[i]);
		share_prepare(p, s, targets + p->target_count);
		p->share_count++;
	}
	if (p->target_count)
		qsort(p->targets_by_path, p->target_count, sizeof(*p->targets_by_path), by_path);
	for (size_t i = 0; i < d->share_count; i++)
		for (size_t t = 0; t < p->shares[i].decl->target_count; t++)
			target_plan(p, &p->shares[i], &p->shares[i].targets[t]);
	for (size_t i = d->share_count; i < p->share_count; i++)
		held_share_plan(p, &p->shares[i]);
	for (size_t i = 0; i < p->observed->mount_count; i++) {
		const struct observed_mount *m = &p->observed->mounts[i];

		const struct target_entry *target = find_target(p, m->path);

		if (m->ours && (!target || target->share >= &p->shares[d->share_count]))
			mount_remove(p, m, "the share has another path now");
	}
}
