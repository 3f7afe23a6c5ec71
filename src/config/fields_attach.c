/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The list `attach` of a program: hook, place and order of each attachment. */
#include "config/fields.h"

#include <string.h>

#include "base/macros.h"

static const char *selector_fault(const char *s)
{
	if (*s == '@')
		return name_is_valid(s + 1) ? NULL : "is no name of an interface set";
	return str_is_glob(s) ? fields_pattern_fault(s) : fields_interface_fault(s);
}

static const struct text_rule selector_rule = {
	.fault = selector_fault,
	.hint = "write the name of an interface, a pattern like \"veth*\", or \"@SET\"",
};

static const struct field xdp_fields[] = {
	{ "interface", bind_strings, offsetof(struct attach_decl, interfaces), &selector_rule,
	  true },
	{ "netns", fields_bind_netns, offsetof(struct attach_decl, netns), NULL, false },
	{ "direction", bind_refuse, 0,
	  "XDP always sees what an interface receives; for what it sends, write 'tc'", false },
	{ 0 },
};

/* A set says itself where it looks. */
static void check_netns(struct bind *b, const struct value *v, const struct attach_decl *attach)
{
	bool any = false;

	for (size_t i = 0; i < attach->interfaces.n; i++)
		any |= attach->interfaces.v[i] && *attach->interfaces.v[i] != '@';
	for (size_t i = 0; attach->netns && attach->interfaces.n && !any && i < v->n; i++)
		if (strcmp(v->keys[i].text, "netns") == 0)
			bind_error(b, &v->keys[i].origin, "write 'netns' into the set instead",
				   "'netns' says where names and patterns are looked for, and here "
				   "are only sets");
}

static void bind_xdp(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	bind_mapping(b, f->key, v, xdp_fields, dst);
	if (v->kind == VALUE_MAPPING)
		check_netns(b, v, dst);
}

static const struct words directions = { tc_direction_names, TC_DIRECTION_COUNT, NULL, NULL };

static const struct field tc_fields[] = {
	{ "interface", bind_strings, offsetof(struct attach_decl, interfaces), &selector_rule,
	  true },
	{ "netns", fields_bind_netns, offsetof(struct attach_decl, netns), NULL, false },
	{ "direction", bind_word, offsetof(struct attach_decl, direction), &directions, true },
	{ 0 },
};

static void bind_tc(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	bind_mapping(b, f->key, v, tc_fields, dst);
	if (v->kind == VALUE_MAPPING)
		check_netns(b, v, dst);
}

static void bind_reference(struct bind *b, const char *what, const struct value *v,
			   struct program_reference *ret)
{
	static const struct text_rule rule = { 0 };
	const char *text = bind_text(b, what, v, &rule);

	if (text && (!name_split(b->arena, text, &ret->object, &ret->program) ||
		     !name_is_valid(ret->object) || !identifier_is_valid(ret->program)))
		bind_error(b, &v->origin, "write OBJECT/PROGRAM",
			   "'%s': %s does not name a program", what, diag_quote(b->arena, text));
}

static void bind_references(struct bind *b, const struct field *f, const struct value *v,
			    struct program_reference **ret, size_t *ret_count)
{
	size_t n = v->kind == VALUE_LIST ? v->n : 1;

	*ret = arena_calloc(b->arena, n, sizeof(**ret));
	for (size_t i = 0; i < n; i++)
		bind_reference(b, f->key, v->kind == VALUE_LIST ? &v->items[i] : v, &(*ret)[i]);
	*ret_count = n;
}

static void bind_before(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct attach_decl *attach = dst;

	bind_references(b, f, v, &attach->before, &attach->before_count);
}

static void bind_after(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct attach_decl *attach = dst;

	bind_references(b, f, v, &attach->after, &attach->after_count);
}

static const struct verdicts {
	const char *const *names;
	size_t count;
	const char *hint;
} verdicts[HOOK_COUNT] = {
	[HOOK_XDP] = { xdp_verdict_names, XDP_VERDICT_COUNT,
		       "those of xdp are aborted, drop, pass, tx and redirect" },
	[HOOK_TC] = { tc_verdict_names, TC_VERDICT_COUNT,
		      "those of tc are next, ok, shot, reclassify, pipe, stolen, queued, repeat, "
		      "redirect and trap" },
};

/* The verdict of this name as a bit; 0: the hook has none. */
static uint32_t find_verdict(enum hook hook, const char *name)
{
	/* The kernel's other word for it. */
	if (hook == HOOK_TC && strcmp(name, "unspec") == 0)
		name = "next";
	for (size_t i = 0; i < verdicts[hook].count; i++)
		if (strcmp(verdicts[hook].names[i], name) == 0)
			return 1u << i;
	return 0;
}

static void bind_verdict(struct bind *b, const char *what, const struct value *v,
			 struct attach_decl *attach)
{
	static const struct text_rule rule = { 0 };
	const enum hook hook = attach->hook, other = hook == HOOK_XDP ? HOOK_TC : HOOK_XDP;
	const char *text = bind_text(b, what, v, &rule);
	uint32_t verdict = text ? find_verdict(hook, text) : 0;

	attach->proceed_on |= verdict;
	if (!text || verdict)
		return;
	if (find_verdict(other, text))
		bind_error(b, &v->origin, verdicts[hook].hint,
			   "'%s': '%s' is a verdict of the hook %s, not of %s", what, text,
			   hook_names[other], hook_names[hook]);
	else
		bind_error(b, &v->origin,
			   diag_suggest(b->arena, text, verdicts[hook].names, verdicts[hook].count,
					verdicts[hook].hint),
			   "'%s': %s is no verdict", what, diag_quote(b->arena, text));
}

static void bind_proceed_on(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct attach_decl *attach = dst;

	attach->has_proceed_on = true;
	attach->proceed_on = 0;
	for (size_t i = 0; v->kind == VALUE_LIST && i < v->n; i++)
		bind_verdict(b, f->key, &v->items[i], attach);
	if (v->kind != VALUE_LIST)
		bind_verdict(b, f->key, v, attach);
}

static void bind_priority(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	((struct attach_decl *)dst)->has_priority = true;
	bind_u16(b, f, v, dst);
}

static const struct range priority_range = { 0, UINT16_MAX };
static const struct words on_missing_words = { on_missing_names, ON_MISSING_COUNT, NULL, NULL };

/* The hooks first; those without a function are for later versions. */
static const struct field attach_fields[] = {
	{ "xdp", bind_xdp, 0, NULL, false },
	{ "tc", bind_tc, 0, NULL, false },
	{ "netkit", NULL, 0, NULL, false },
	{ "netfilter", NULL, 0, NULL, false },
	{ "netns", NULL, 0, NULL, false },
	{ "flow_dissector", NULL, 0, NULL, false },
	{ "sk_lookup", NULL, 0, NULL, false },
	{ "sockmap", NULL, 0, NULL, false },
	{ "socket_filter", NULL, 0, NULL, false },
	{ "lwt", NULL, 0, NULL, false },
	{ "cgroup", NULL, 0, NULL, false },
	{ "tracepoint", NULL, 0, NULL, false },
	{ "raw_tracepoint", NULL, 0, NULL, false },
	{ "kprobe", NULL, 0, NULL, false },
	{ "kretprobe", NULL, 0, NULL, false },
	{ "uprobe", NULL, 0, NULL, false },
	{ "uretprobe", NULL, 0, NULL, false },
	{ "usdt", NULL, 0, NULL, false },
	{ "fentry", NULL, 0, NULL, false },
	{ "fexit", NULL, 0, NULL, false },
	{ "fmod_ret", NULL, 0, NULL, false },
	{ "lsm", NULL, 0, NULL, false },
	{ "perf_event", NULL, 0, NULL, false },
	{ "iter", NULL, 0, NULL, false },
	{ "struct_ops", NULL, 0, NULL, false },
	{ "lirc", NULL, 0, NULL, false },
	{ "priority", bind_priority, offsetof(struct attach_decl, priority), &priority_range,
	  false },
	{ "before", bind_before, 0, NULL, false },
	{ "after", bind_after, 0, NULL, false },
	{ "proceed_on", bind_proceed_on, 0, NULL, false },
	{ "on_missing", bind_word, offsetof(struct attach_decl, on_missing), &on_missing_words,
	  false },
	{ 0 },
};

static void check_one_hook(struct bind *b, const struct value *v, size_t errors)
{
	const struct value *hook = NULL;

	for (size_t i = 0; i < v->n; i++) {
		const struct field *f = attach_fields;

		while (strcmp(f->key, "priority") != 0 && strcmp(f->key, v->keys[i].text) != 0)
			f++;
		if (strcmp(f->key, "priority") == 0)
			continue;
		if (hook)
			bind_error(b, &v->keys[i].origin, "write one list element for each",
				   "an attachment has one hook; here are '%s' and '%s'", hook->text,
				   f->key);
		hook = &v->keys[i];
	}
	/* An unknown key may be meant to be the hook, and was reported. */
	if (!hook && b->diags->errors == errors)
		bind_error(b, &v->origin, "write for example xdp: {interface: eth0}",
			   "the attachment does not say where");
}

/* What the verdicts mean, wherever among the keys they stand. */
static enum hook hook_of(const struct value *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->keys[i].text, hook_names[HOOK_TC]) == 0)
			return HOOK_TC;
	return HOOK_XDP;
}

void fields_bind_attach(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct program_decl *program = dst;

	if (!bind_is_list(b, f->key, v))
		return;
	program->attach = arena_calloc(b->arena, v->n, sizeof(*program->attach));
	for (size_t i = 0; i < v->n; i++) {
		struct attach_decl *attach = &program->attach[program->attach_count++];
		size_t errors = b->diags->errors;

		if (v->items[i].kind != VALUE_MAPPING) {
			bind_error(b, &v->items[i].origin,
				   "write for example {xdp: {interface: eth0}}",
				   "an element of 'attach' must be a mapping, not %s",
				   value_kind_name(v->items[i].kind));
			continue;
		}
		attach->origin = v->items[i].origin;
		attach->priority = 50;
		attach->hook = hook_of(&v->items[i]);
		attach->proceed_on = verdicts_default(attach->hook);
		bind_mapping(b, f->key, &v->items[i], attach_fields, attach);
		check_one_hook(b, &v->items[i], errors);
	}
}
