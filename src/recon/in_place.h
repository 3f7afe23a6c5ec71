/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What of ours was in place after the last pass: what each interface ran, what was loaded, where shares were. It
 * tells a repair from something new, for events alone; no decision of a plan knows of it. An item is a key, which
 * says where, and a value, which says what; both are words made here. Internal to recon.
 */
#pragma once

#include "model/observed.h"
#include "model/op.h"

struct in_place;

struct in_place *in_place_new(void);
void in_place_free(struct in_place *m);

/*
 * Takes over an observation. What it lacks stays remembered while its interface is there: whoever took it away, it
 * was not us. nothing_left: all is done that the files want.
 */
void in_place_update(struct in_place *m, const struct observed *o, bool nothing_left);
/*
 * An operation of ours, planned with o, succeeded: what it put there is in place, what it took away is forgotten.
 */
void in_place_did(struct in_place *m, const struct op *op, const struct observed *o);
/*
 * Other files: until nothing is left to do of them, only what was put there for them is found, since what
 * was there before may be changed by right.
 */
void in_place_new_files(struct in_place *m);
void in_place_clear(struct in_place *m);

/* NULL: nothing was there. */
const char *in_place_find(const struct in_place *m, const char *key);

/* Keys, from a. */
const char *in_place_root_key(struct arena *a, const char *netns, uint32_t ifindex);
const char *in_place_slot_key(struct arena *a, uint32_t chain, uint32_t slot);
/* The value is part of it: a place of tc runs several things. */
const char *in_place_tc_key(struct arena *a, const struct op_tc *t, const char *value);
const char *in_place_object_key(struct arena *a, const char *instance, const char *declaration);
const char *in_place_mount_key(struct arena *a, const char *path);
const char *in_place_mode_key(struct arena *a, const char *path,
			      const char *pin); /* pin may be NULL */
const char *in_place_pin_key(struct arena *a, const char *path, const char *alias);
const char *in_place_seal_key(struct arena *a, const char *path);
/* As the directory dispatch-IFINDEX-CHAIN, which tells no namespace either: two interfaces would share it. */
const char *in_place_protocol_key(struct arena *a, uint32_t ifindex, uint32_t id);
#define IN_PLACE_BPFFS     "bpffs"
#define IN_PLACE_DIRECTORY "directory"

/* Values, from a; NULL: it is not known, so it is none that was there. */
const char *in_place_program(struct arena *a, const struct observed *o, uint32_t id);
const char *in_place_target(struct arena *a, const struct observed *o, const struct program_ref *p,
			    uint32_t chain, const char *signature);
const char *in_place_mode(struct arena *a, gid_t gid, uint32_t mode);
const char *in_place_seal(struct arena *a, bool read_only);
const char *in_place_map(struct arena *a, const struct observed *o, const struct map_ref *m);
