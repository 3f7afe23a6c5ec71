/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The parts of config_judge(); each goes through the whole desired state. */
#pragma once

#include "config/config.h"

struct judge {
	struct arena *arena;
	struct arena *scratch;
	struct desired *desired;
	struct diags *diags; /* may be NULL */
};

/*
 * The object cannot be loaded as declared. Its first fault becomes its fault_*, all of them
 * become diagnostics. token is a reason of the status contract; hint may be NULL.
 */
void judge_fault(struct judge *j, struct object_decl *o, const struct origin *at, const char *token,
		 const char *hint, const char *fmt, ...) printf_like(6, 7);
/* Without the diagnostic, for the other objects of one fault. */
void judge_set_fault(struct judge *j, struct object_decl *o, const struct origin *at,
		     const char *token, const char *message);

/* The ELF file of the object; NULL when it was not or could not be read. */
const struct elf_object *judge_elf(const struct object_decl *o);

/* "did you mean 'x'?", or "what: a, b, c"; candidates are what is there. */
const char *judge_suggest(struct judge *j, const char *word, const char *what,
			  const char *const *candidates, size_t n);

const char *judge_suggest_map(struct judge *j, const struct elf_object *elf, const char *name);

/* "a -> b -> a" */
const char *judge_cycle(struct judge *j, const char *const *names, size_t n);

void judge_globals(struct judge *j, struct object_decl *o); /* one object; sets its values */
void judge_uses(struct judge *j);                           /* maps.use, between objects */
void judge_sets(struct judge *j);                           /* @set */
void judge_shares(struct judge *j);                         /* what shares refer to */
void judge_order(struct judge *j);                          /* before and after */
