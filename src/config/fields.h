/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The keys of the configuration language, one file for each part of it; each function is the
 * bind of a field (config/bind.h), with the type at its offset in brackets.
 */
#pragma once

#include "config/bind.h"

/* [struct fragment]: the mappings below `interfaces`, `objects` and `shares`. */
void fields_bind_sets(struct bind *b, const struct field *f, const struct value *v, void *dst);
void fields_bind_objects(struct bind *b, const struct field *f, const struct value *v, void *dst);
void fields_bind_shares(struct bind *b, const struct field *f, const struct value *v, void *dst);

/* [struct xdp_settings]; keys that are absent stay as they are. */
void fields_bind_xdp(struct bind *b, const struct field *f, const struct value *v, void *dst);
/* [struct tc_settings]; likewise. */
void fields_bind_tc(struct bind *b, const struct field *f, const struct value *v, void *dst);
/* [const char *]: a network namespace by name or absolute path, normalised: /run/netns/NAME is NAME. */
void fields_bind_netns(struct bind *b, const struct field *f, const struct value *v, void *dst);

/* [struct program_decl]: the list of attachments. */
void fields_bind_attach(struct bind *b, const struct field *f, const struct value *v, void *dst);

/* The defaults that hold where bpfshared.yaml says nothing. */
extern const struct xdp_settings fields_xdp_defaults;
extern const struct tc_settings fields_tc_defaults;

/* Why s is not one of these, as a phrase after it ("is empty"); NULL if it is. */
const char *fields_netns_fault(struct arena *a, const char *s); /* a network namespace */
const char *fields_interface_fault(const char *s); /* the name of a network interface */
const char *fields_pattern_fault(const char *s);   /* a name of one, or a pattern for names */
const char *fields_map_fault(const char *s);       /* a map of an ELF file: "hits", ".bss" */
const char *fields_account_fault(const char *s);   /* a user or group, by name or number */

/* Reports a key that cannot name what (an object, a share, an interface set). */
void fields_check_name(struct bind *b, const char *what, const struct value *key);

/* A copy with A-F as a-f; NULL gives NULL. */
const char *fields_lower_hex(struct arena *a, const char *s);
