/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Shares of the fake kernel: a mount is a list of pins with a few properties. */
#include <errno.h>
#include <string.h>

#include "fake/kern_fake_state.h"

static void put_pin(struct kern_fake *k, struct fake_mount *m, const struct op_share_pin *from,
		    gid_t gid, struct op_result *ret)
{
	uint32_t id = fake_map_id(k, &from->map);
	struct observed_pin *to = NULL;

	if (!id) {
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished",
			    "map %s/%s version %s is not pinned", from->map.instance, from->map.map,
			    from->map.version);
		return;
	}
	for (size_t i = 0; i < m->pins.n && !to; i++)
		if (str_eq(m->pins.v[i].name, from->alias))
			to = &m->pins.v[i];
	if (!to)
		to = LIST_ADD(k->a, &m->pins);
	*to = (struct observed_pin){ arena_strdup(k->a, from->alias), id, 0, gid, from->mode };
}

static struct fake_mount new_instance(struct kern_fake *k, const struct op_share *s,
				      struct op_result *ret)
{
	struct fake_mount m = {
		.o = { .path = arena_strdup(k->a, s->path),
		       .mount_id = k->next_id++,
		       .ours = true,
		       .share = arena_strdup(k->a, s->share),
		       .read_only = s->read_only,
		       .shared = true,
		       .stacked = 1,
		       .uid = s->uid,
		       .gid = s->gid,
		       .mode = s->mode },
	};

	for (size_t i = 0; i < s->pin_count && ret->code == 0; i++)
		put_pin(k, &m, &s->pins[i], s->gid, ret);
	return m;
}

static void share_mount(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	struct fake_mount *old = fake_find_mount(k, op->share.path), new;

	if ((old && !old->o.ours) || (old && old->o.covered)) {
		fake_refuse(ret, -EBUSY, FAILURE_FOREIGN, "PathInUse", "%s is in use",
			    op->share.path);
		return;
	}
	if (!old != !op->share.replace)
		fake_violation(k, "share-mount %s: replace is wrong", op->share.path);
	new = new_instance(k, &op->share, ret);
	/* Built detached: a death leaves nothing. */
	if (ret->code < 0 || fake_step(k, "share-mount"))
		return;
	old = fake_find_mount(k, op->share.path);
	if (!old) {
		*LIST_ADD(k->a, &k->mounts) = new;
		return;
	}
	/* It was moved beneath the old one, which still covers it. */
	old->o.stacked++;
	if (!fake_step(k, "share-mount"))
		*old = new;
}

/* Older instances go from the top; what is left is taken to be as the top was. */
static void share_seal(struct fake_mount *m, const struct op_share *s)
{
	m->o.stacked = 1;
	m->o.read_only = s->read_only;
	m->o.shared = true;
}

static void share_own(struct fake_mount *m, const struct op_share *s)
{
	if (!s->pin) {
		m->o.uid = s->uid;
		m->o.gid = s->gid;
		m->o.mode = s->mode;
	}
	for (size_t i = 0; s->pin && i < m->pins.n; i++)
		if (str_eq(m->pins.v[i].name, s->pin)) {
			m->pins.v[i].uid = 0;
			m->pins.v[i].gid = s->gid;
			m->pins.v[i].mode = s->mode;
		}
}

static void share_unpin(struct fake_mount *m, const char *pin)
{
	for (size_t i = m->pins.n; i-- > 0;)
		if (str_eq(m->pins.v[i].name, pin))
			FAKE_REMOVE(&m->pins, i);
}

void fake_share_apply(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	const struct op_share *s = &op->share;
	struct fake_mount *m = fake_find_mount(k, s->path);

	if (op->kind == OP_SHARE_MOUNT) {
		share_mount(k, op, ret);
		return;
	}
	if (!m || !m->o.ours || m->o.covered) {
		fake_refuse(ret, -ESTALE, FAILURE_TRANSIENT, "Vanished", "%s: not there", s->path);
		return;
	}
	if (op->kind == OP_SHARE_UNMOUNT) {
		FAKE_REMOVE(&k->mounts, (size_t)(m - k->mounts.v));
		return;
	}
	if (op->kind != OP_SHARE_SEAL && m->o.read_only && !s->window) {
		fake_refuse(ret, -EROFS, FAILURE_KERNEL, "ReadOnlyFileSystem", "%s: sealed",
			    s->path);
		return;
	}
	if (op->kind == OP_SHARE_PIN)
		put_pin(k, m, &s->pins[0], s->gid, ret);
	else if (op->kind == OP_SHARE_OWNER)
		share_own(m, s);
	else if (op->kind == OP_SHARE_SEAL)
		share_seal(m, s);
	else
		share_unpin(m, s->pin);
}
