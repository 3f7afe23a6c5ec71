/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "fake/transcript.h"

#include <string.h>

#define HASH_SHOWN 12 /* digits that op_format() leaves of a hash */

void transcript_plan(struct strbuf *out, struct arena *a, const struct plan *plan)
{
	if (!plan->op_count)
		strbuf_add(out, "  nothing to do\n");
	for (size_t i = 0; i < plan->op_count; i++) {
		const struct op *op = &plan->ops[i];

		strbuf_addf(out, "%2zu %s", i, op_format(a, op));
		for (size_t k = 0; k < op->need_count; k++)
			strbuf_addf(out, "%s%zu", k ? "," : "  <- ", op->needs[k]);
		strbuf_addf(out, "%s\n", op->removes ? "  [removes]" : "");
	}
	for (size_t i = 0; i < plan->held_count; i++)
		strbuf_addf(out, "held: %s\n", op_format(a, &plan->held[i]));
}

static void add_condition(struct strbuf *out, const struct condition_status *c)
{
	strbuf_addf(out, "%s%s%s%s%s\n", state_names[c->state], c->reason ? " " : "",
		    c->reason ? c->reason : "", c->message ? ": " : "",
		    c->message ? c->message : "");
}

static void add_attachment(struct strbuf *out, const struct status_program *p,
			   const struct status_attachment *at)
{
	strbuf_addf(out, "    %s on ", p->name);
	if (at->hook == HOOK_TC)
		strbuf_addf(out, "%s of ", tc_direction_names[at->direction]);
	strbuf_addf(out, "%s%s%s", at->netns ? at->netns : "", at->netns ? ":" : "",
		    at->interface ? at->interface : at->selector);
	if (at->position >= 0)
		strbuf_addf(out, " at %d, %s", at->position, mechanism_names[at->mechanism]);
	strbuf_add(out, ": ");
	add_condition(out, &at->condition);
}

static void add_object(struct strbuf *out, const struct status_object *o)
{
	strbuf_addf(out, "  object %s (%s): ", o->name, in_force_names[o->in_force]);
	add_condition(out, &o->condition);
	if (o->log)
		strbuf_addf(out, "    log: %zu bytes\n", strlen(o->log));
	for (size_t i = 0; i < o->program_count; i++)
		for (size_t k = 0; k < o->programs[i].attachment_count; k++)
			add_attachment(out, &o->programs[i], &o->programs[i].attachments[k]);
}

static void add_chain(struct strbuf *out, struct arena *a, const struct status_chain *c)
{
	static const char *const modes[] = { "none", "native", "generic", "offload", "several" };

	strbuf_add(out, "  chain ");
	if (c->hook == HOOK_TC)
		strbuf_addf(out, "%s of ", tc_direction_names[c->direction]);
	strbuf_addf(out, "%s%s%s, %s", c->netns ? c->netns : "", c->netns ? ":" : "", c->interface,
		    mechanism_names[c->mechanism]);
	if (c->hook == HOOK_TC)
		strbuf_addf(out, "%s%s%s:", c->mechanism_reason ? " " : "",
			    c->mechanism_reason ? c->mechanism_reason : "",
			    c->dispatcher_id ? ", dispatcher" : "");
	else
		strbuf_addf(out, ", %s%s:", modes[c->mode], c->exclusive ? ", exclusive" : "");
	for (size_t i = 0; i < c->member_count; i++) {
		const struct status_member *m = &c->members[i];

		strbuf_addf(out, "%s%s/%s", i ? " -> " : " ",
			    m->object ? m->object :
			    m->ours   ? "ours" :
					"foreign",
			    m->program ? m->program : "?");
		if (!m->id && m->object)
			strbuf_add(out, " (empty)");
		if (!m->ours && m->priority >= 0)
			strbuf_addf(out, " (at %d)", m->priority);
		if (m->object && m->proceed_on != verdicts_default(c->hook))
			strbuf_addf(out, " (%s)", verdicts_format(a, c->hook, m->proceed_on));
	}
	strbuf_add(out, "\n");
	if (c->mechanism_reason)
		strbuf_addf(out, "    %s: %s\n", c->mechanism_reason, c->mechanism_message);
}

static void add_share(struct strbuf *out, const struct status_share *s)
{
	strbuf_addf(out, "  share %s: ", s->name);
	add_condition(out, &s->condition);
	for (size_t i = 0; i < s->target_count; i++) {
		strbuf_addf(out, "    at %s: ", s->targets[i].path);
		add_condition(out, &s->targets[i].condition);
	}
}

void transcript_status(struct strbuf *out, struct arena *a, const struct status *s)
{
	strbuf_addf(out, "  %sconverged%s\n", s->converged ? "" : "not ",
		    s->suspended ? ", suspended" : "");
	for (size_t i = 0; i < s->file_count; i++)
		if (s->files[i].state != FILE_APPLIED)
			strbuf_addf(out, "  file %s: %s\n", s->files[i].path,
				    file_state_names[s->files[i].state]);
	for (size_t i = 0; i < s->object_count; i++)
		add_object(out, &s->objects[i]);
	for (size_t i = 0; i < s->chain_count; i++)
		add_chain(out, a, &s->chains[i]);
	for (size_t i = 0; i < s->share_count; i++)
		add_share(out, &s->shares[i]);
	for (size_t i = 0; i < s->set_count; i++) {
		strbuf_addf(out, "  set %s, %zu interfaces%s: ", s->sets[i].name,
			    s->sets[i].matches, s->sets[i].optional ? "" : ", needed");
		add_condition(out, &s->sets[i].condition);
	}
	for (size_t i = 0; i < s->failure_count; i++)
		strbuf_addf(out, "  failed, %s: %s: %s\n", s->failures[i].subject,
			    s->failures[i].reason, s->failures[i].message);
}

static size_t hash_length(const char *s)
{
	return strspn(s, "0123456789abcdef");
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_';
}

void transcript_mask(struct strbuf *out, const char *text)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	LIST(const char *) seen = { 0 };
	bool inside = false;

	while (*text) {
		size_t n = inside ? 0 : hash_length(text), k = 0;
		const char *hash;

		if (n < HASH_SHOWN || is_word(text[n])) {
			inside = is_word(*text);
			strbuf_addc(out, *text++);
			continue;
		}
		hash = arena_strndup(a, text, HASH_SHOWN);
		while (k < seen.n && !str_eq(seen.v[k], hash))
			k++;
		if (k == seen.n)
			*LIST_ADD(a, &seen) = hash;
		strbuf_addf(out, "#%zu", k + 1);
		text += n;
		if (str_starts(text, "…"))
			text += strlen("…");
	}
}
