/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "base/str.h"
#include "plan/plan_internal.h"

static const char *const operator_texts[] = {
	[VERSION_GE] = ">=", [VERSION_GT] = ">",  [VERSION_LE] = "<=",
	[VERSION_LT] = "<",  [VERSION_EQ] = "==",
};

/* "a, b or c" */
static const char *format_choice(struct arena *a, const struct string_list *l)
{
	const char *text = l->v[0];

	for (size_t i = 1; i < l->n; i++)
		text = arena_printf(a, "%s%s%s", text, i + 1 == l->n ? " or " : ", ", l->v[i]);
	return text;
}

static const char *host_unmet(struct planner *p, const struct condition *c)
{
	for (size_t i = 0; i < c->hosts.n; i++)
		if (str_glob(c->hosts.v[i], p->in->node->host))
			return NULL;
	if (!c->hosts.n)
		return NULL;
	return arena_printf(p->a, "host: this node is %s, not %s", p->in->node->host,
			    format_choice(p->a, &c->hosts));
}

static const char *label_unmet(struct planner *p, const struct condition *c)
{
	const struct settings *s = p->in->settings;

	for (size_t i = 0; i < c->label_count; i++) {
		const struct label *want = &c->labels[i], *have = NULL;

		for (size_t k = 0; k < s->label_count && !have; k++)
			if (str_eq(s->labels[k].key, want->key))
				have = &s->labels[k];
		if (!have)
			return arena_printf(p->a,
					    "label: this node has no label %s (%s is asked for)",
					    want->key, want->value);
		if (!str_eq(have->value, want->value))
			return arena_printf(p->a, "label: %s is %s on this node, not %s", want->key,
					    have->value, want->value);
	}
	return NULL;
}

static int version_compare(const struct kernel_version *x, const struct kernel_version *y)
{
	if (x->major != y->major)
		return x->major < y->major ? -1 : 1;
	if (x->minor != y->minor)
		return x->minor < y->minor ? -1 : 1;
	return (x->patch > y->patch) - (x->patch < y->patch);
}

static bool constraint_holds(const struct kernel_constraint *k, const struct kernel_version *v)
{
	int r = version_compare(v, &k->version);

	switch (k->operator) {
	case VERSION_GE:
		return r >= 0;
	case VERSION_GT:
		return r > 0;
	case VERSION_LE:
		return r <= 0;
	case VERSION_LT:
		return r < 0;
	case VERSION_EQ:
		return r == 0;
	}
	return false;
}

static const char *kernel_unmet(struct planner *p, const struct condition *c)
{
	const struct kernel_version *v = &p->in->node->kernel;

	for (size_t i = 0; i < c->kernel_count; i++) {
		const struct kernel_constraint *k = &c->kernels[i];

		if (!constraint_holds(k, v))
			return arena_printf(p->a, "kernel: %u.%u.%u is not %s %u.%u.%u", v->major,
					    v->minor, v->patch, operator_texts[k->operator],
					    k->version.major, k->version.minor, k->version.patch);
	}
	return NULL;
}

static const char *arch_unmet(struct planner *p, const struct condition *c)
{
	for (size_t i = 0; i < c->archs.n; i++)
		if (str_eq(c->archs.v[i], p->in->node->arch))
			return NULL;
	if (!c->archs.n)
		return NULL;
	return arena_printf(p->a, "arch: this node is %s, not %s", p->in->node->arch,
			    format_choice(p->a, &c->archs));
}

static const char *feature_unmet(struct planner *p, const struct condition *c)
{
	const struct observed *o = p->observed;

	for (size_t i = 0; i < c->features.n; i++) {
		const char *name = c->features.v[i];
		const struct feature *f = NULL;

		for (size_t k = 0; k < o->feature_count && !f; k++)
			if (str_eq(o->features[k].name, name))
				f = &o->features[k];
		if (!f)
			return arena_printf(p->a,
					    "feature: no feature is named %s "
					    "(`bpfsharectl features` lists them)",
					    name);
		if (!f->available)
			return arena_printf(p->a, "feature: %s is not available%s%s", name,
					    f->detail ? ": " : "", f->detail ? f->detail : "");
	}
	return NULL;
}

const char *condition_unmet(struct planner *p, const struct condition *c)
{
	static const char *(*const parts[])(struct planner *, const struct condition *) = {
		host_unmet, label_unmet, kernel_unmet, arch_unmet, feature_unmet,
	};

	if (!c->present)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *unmet = parts[i](p, c);

		if (unmet)
			return unmet;
	}
	return NULL;
}
